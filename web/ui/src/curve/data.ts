import type Plot from "uplot";

/** What something was from a time on. */
export interface Step {
  /** In milliseconds since 1970. */
  time: number;
  value: number;
}

const DAY_MS = 24 * 60 * 60 * 1000;

/** From nothing up to the first step, and on from the last one for a while, so that one sees it. */
export function dataOf(steps: readonly Step[]): Plot.AlignedData {
  const [first, last] = [steps[0], steps.at(-1)];
  if (first === undefined || last === undefined) return [[], []];
  const ahead = Math.max((last.time - first.time) / 20, DAY_MS);
  const all = [{ ...first, value: 0 }, ...steps, { ...last, time: last.time + ahead }];
  return [all.map(({ time }) => time / 1000), all.map(({ value }) => value)];
}
