/** A comment of a contract: what stands between backticks is code. */
export function Prose({ text }: { text: string }) {
  return text.split(/(`[^`]*`)/).map((part, place) => {
    const key = `${place} ${part}`;
    return part.startsWith("`") ? <code key={key}>{part.slice(1, -1)}</code> : part;
  });
}
