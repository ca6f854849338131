/** What a node counted since it started, as `/metrics` says. */
export interface Counted {
  /** When, in milliseconds. */
  time: number;
  calls: number;
  errors: number;
  /** How many calls took at most so long, in seconds; by the bound, ascending. */
  within: Map<number, number>;
}

const LINE = /^(\w+)(?:\{(.*)\})? (\S+)$/;

/** Reads the text of Prometheus. Methods are added up. */
export function read(text: string, time: number): Counted {
  const counted: Counted = { time, calls: 0, errors: 0, within: new Map() };
  for (const line of text.split("\n")) {
    const [, name, labels = "", value] = LINE.exec(line) ?? [];
    const number = Number(value);
    if (name === "stoa_call_seconds_count") counted.calls += number;
    if (name === "stoa_call_errors_total") counted.errors += number;
    if (name !== "stoa_call_seconds_bucket") continue;
    const said = /le="([^"]+)"/.exec(labels)?.[1];
    const bound = said === "+Inf" ? Number.POSITIVE_INFINITY : Number(said);
    counted.within.set(bound, (counted.within.get(bound) ?? 0) + number);
  }
  return counted;
}

/** What happened between two looks. */
export interface Load {
  time: number;
  /** Calls and errors a second. */
  calls: number | undefined;
  errors: number | undefined;
  /** Milliseconds within which half of the calls, and 99 of 100, were answered. */
  p50: number | undefined;
  p99: number | undefined;
}

/** Looks that are further apart have a gap between them. */
const GAP_MS = 10_000;

export function between(before: Counted | undefined, after: Counted): Load {
  const { time } = after;
  const nothing = { time, calls: undefined, errors: undefined, p50: undefined, p99: undefined };
  // A node that counts less than before has been started again.
  if (before === undefined || after.calls < before.calls || time - before.time > GAP_MS)
    return nothing;
  const seconds = (time - before.time) / 1000;
  return {
    time,
    calls: (after.calls - before.calls) / seconds,
    errors: (after.errors - before.errors) / seconds,
    p50: quantile(before, after, 0.5),
    p99: quantile(before, after, 0.99),
  };
}

/** Within a bucket calls are taken to be spread evenly, as Prometheus does. */
function quantile(before: Counted, after: Counted, share: number): number | undefined {
  const bounds = [...after.within.keys()].sort((a, b) => a - b);
  const counts = bounds.map(
    (bound) => (after.within.get(bound) ?? 0) - (before.within.get(bound) ?? 0),
  );
  const wanted = (counts.at(-1) ?? 0) * share;
  const place = counts.findIndex((count) => count >= wanted);
  if (wanted === 0 || place < 0) return undefined;
  const [low, high] = [bounds[place - 1] ?? 0, bounds[place] ?? 0];
  if (!Number.isFinite(high)) return low * 1000;
  const [fewer, more] = [counts[place - 1] ?? 0, counts[place] ?? 0];
  const part = more === fewer ? 1 : (wanted - fewer) / (more - fewer);
  return (low + (high - low) * part) * 1000;
}
