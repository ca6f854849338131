/** What something was from a time on, in seconds since 1970. */
export interface Step {
  time: number;
  value: number;
}

const DAY_S = 24 * 60 * 60;

/** From nothing up to the first step, and on from the last one for a while, so that one sees it. */
export function curve(steps: readonly Step[]): { times: number[]; values: number[] } {
  const [first, last] = [steps[0], steps.at(-1)];
  if (first === undefined || last === undefined) return { times: [], values: [] };
  const ahead = Math.max((last.time - first.time) / 20, DAY_S);
  const all = [{ ...first, value: 0 }, ...steps, { ...last, time: last.time + ahead }];
  return { times: all.map(({ time }) => time), values: all.map(({ value }) => value) };
}
