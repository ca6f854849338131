/** What a page of charts has in its address: the last while, or from one time to another. */
export interface Span {
  last?: keyof typeof LASTS;
  /** Seconds since 1970. */
  from?: number;
  to?: number;
  /** The method that is looked at, by its path. */
  method?: string;
}

/** Whiles that can be chosen, in seconds. */
export const LASTS = { "15m": 900, "1h": 3600, "2h": 7200, "6h": 21_600, "24h": 86_400 } as const;

/** Reads a span out of an address; what it does not say is the last hour. */
export function spanOf(search: Record<string, unknown>): Span {
  const { last, from, to, method } = search;
  const of = typeof method === "string" && method !== "" ? { method } : {};
  if (typeof from === "number" && typeof to === "number" && from < to) return { ...of, from, to };
  return typeof last === "string" && last in LASTS ? { ...of, last: last as "1h" } : of;
}

/** From when until when, in seconds since 1970. */
export function bounds({ last = "1h", from, to }: Span, now: number): [from: number, to: number] {
  if (from !== undefined && to !== undefined) return [from, to];
  return [now - LASTS[last], now];
}

/** Whether it moves on with the time. */
export function isMoving({ from }: Span): boolean {
  return from === undefined;
}

/** What was dragged over, as a span: whole seconds, and no fewer than there are in a few points. */
export function zoomed(span: Span, from: number, to: number, step: number): Span {
  const least = 6 * step;
  const middle = (from + to) / 2;
  const half = Math.max(to - from, least) / 2;
  const { last: _, ...rest } = span;
  return { ...rest, from: Math.floor(middle - half), to: Math.ceil(middle + half) };
}
