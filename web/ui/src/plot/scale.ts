/** A line of a plot: what it is called, and its values, none where nothing was measured. */
export interface Line {
  name: string;
  values: (number | null)[];
}

/** The numbers that a plot shows, from the least to the most, or nothing but what cannot be shown. */
export function extent(lines: readonly Line[], isLog: boolean): [least: number, most: number] {
  const shown = lines
    .flatMap(({ values }) => values)
    .filter((value): value is number => value !== null && (!isLog || value > 0));
  if (shown.length === 0) return isLog ? [1, 10] : [0, 1];
  const most = Math.max(...shown);
  if (!isLog) {
    // Nothing is always there, so that a line that is twice as high means twice as much.
    const [low, high] = [Math.min(0, ...shown), Math.max(0, most)];
    return low === high ? [0, 1] : [low * 1.08, high * 1.08];
  }
  // Whole powers of ten, so that the grid is one that people know.
  const low = 10 ** Math.floor(Math.log10(Math.min(...shown)));
  const high = 10 ** Math.ceil(Math.log10(most * 1.01));
  return [low, high];
}

/** Where labels stand so that none covers another, each as near as can be to where it belongs. */
export function apart(wanted: readonly number[], size: number, most: number): number[] {
  const order = wanted.map((_, place) => place);
  order.sort((one, other) => (wanted[one] ?? 0) - (wanted[other] ?? 0));
  const found = [...wanted];
  let free = Number.NEGATIVE_INFINITY;
  for (const place of order) {
    found[place] = Math.max(wanted[place] ?? 0, free);
    free = (found[place] ?? 0) + size;
  }
  let end = most;
  for (const place of order.reverse()) {
    found[place] = Math.min(found[place] ?? 0, end);
    end = (found[place] ?? 0) - size;
  }
  return found;
}
