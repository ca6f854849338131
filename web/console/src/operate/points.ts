import type { LoadPoint } from "@stoa/sdk/system";

/** A value of a point that is so many seconds long, none where it says nothing. */
export type Of = (point: LoadPoint, step: number) => number | null;

/** Points on a grid of equal steps: a step in which the node did not run is a gap. */
export function grid(
  points: readonly LoadPoint[],
  step: number,
): { times: number[]; at: (LoadPoint | undefined)[] } {
  const times: number[] = [];
  const at: (LoadPoint | undefined)[] = [];
  for (const point of points) {
    const time = Number(point.time?.seconds ?? 0);
    const before = times.at(-1);
    // One gap is as good as many: a line is broken by the first.
    if (before !== undefined && time > before + step) {
      times.push(before + step);
      at.push(undefined);
    }
    if (before === undefined || time > before) {
      times.push(time);
      at.push(point);
    }
  }
  return { times, at };
}

/** One line over a grid. */
export function line(name: string, at: readonly (LoadPoint | undefined)[], step: number, of: Of) {
  return { name, values: at.map((point) => (point === undefined ? null : of(point, step))) };
}

/** How often something happens each second. */
export function rate(count: (point: LoadPoint) => bigint): Of {
  return (point, step) => Number(count(point)) / step;
}

/** What a transaction came to on the average; none where there was none. */
export function mean(sum: (point: LoadPoint) => bigint): Of {
  return (point) => (point.batches === 0n ? null : Number(sum(point)) / Number(point.batches));
}

/** A latency in milliseconds; none where nothing was called. */
export function latency(us: (point: LoadPoint) => bigint): Of {
  return (point) => (point.calls === 0n ? null : Number(us(point)) / 1000);
}

/** A time in milliseconds, in words. */
export function milliseconds(value: number): string {
  if (value >= 60_000) return `${digits(value / 60_000)} min`;
  if (value >= 1000) return `${digits(value / 1000)} s`;
  return value >= 1 || value === 0 ? `${digits(value)} ms` : `${digits(value * 1000)} µs`;
}

/** A number of bytes, in words. */
export function bytes(value: number): string {
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  const power = value < 1024 ? 0 : Math.min(Math.floor(Math.log2(value) / 10), units.length - 1);
  return `${digits(value / 1024 ** power)} ${units[power]}`;
}

/** A number that is short: what matters of it. */
export function digits(value: number): string {
  // What happens seldom does not happen never.
  if (value > 0 && value < 0.01) return `<${(0.01).toLocaleString()}`;
  const most = value >= 100 ? 0 : value >= 10 ? 1 : 2;
  return value.toLocaleString(undefined, { maximumFractionDigits: most });
}
