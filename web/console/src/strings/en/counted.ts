/** So many of something: `1 job`, `23,570 users`. */
export function counted(count: number | bigint, one: string, many = `${one}s`): string {
  return `${count.toLocaleString()} ${Number(count) === 1 ? one : many}`;
}
