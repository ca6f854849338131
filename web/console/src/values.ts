/** Times, money and identifiers, in the reader's own way of writing them. */

const UNITS: [Intl.RelativeTimeFormatUnit, number][] = [
  ["year", 31_557_600],
  ["month", 2_629_800],
  ["week", 604_800],
  ["day", 86_400],
  ["hour", 3600],
  ["minute", 60],
  ["second", 1],
];
const relative = new Intl.RelativeTimeFormat(undefined, { numeric: "auto", style: "short" });
const exact = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "medium" });

/** How long ago something was, or how soon it will be. */
export function ago(time: string, now = Date.now()): string {
  const seconds = (Date.parse(time) - now) / 1000;
  if (Math.abs(seconds) < 1) return relative.format(0, "second");
  const [unit, size] = UNITS.find(([, size]) => Math.abs(seconds) >= size) ?? ["second", 1];
  return relative.format(Math.trunc(seconds / size), unit);
}

/** The same to the second, in the reader's time zone. */
export function moment(time: string): string {
  return exact.format(new Date(time));
}

/** To make a format takes longer than to draw a row: each is made once. */
const numbers = new Intl.NumberFormat();
const point = numbers.formatToParts(1.1).find(({ type }) => type === "decimal")?.value ?? ".";
const known = new Map<string, number>();

/** How many digits a currency has behind the point. */
export function digits(currency: string): number {
  const places = known.get(currency);
  if (places !== undefined) return places;
  let found = 2;
  try {
    const format = new Intl.NumberFormat("en", { style: "currency", currency });
    found = format.resolvedOptions().maximumFractionDigits ?? 2;
  } catch {
    // What is no currency has as many digits as most have.
  }
  known.set(currency, found);
  return found;
}

/** An amount of minor units, in major ones. Exact, however large. */
export function major(minor: string | number | bigint, currency: string): string {
  const places = digits(currency);
  const text = BigInt(minor).toString();
  const sign = text.startsWith("-") ? "-" : "";
  const padded = text.slice(sign.length).padStart(places + 1, "0");
  const whole = numbers.format(BigInt(padded.slice(0, padded.length - places)));
  return places === 0 ? `${sign}${whole}` : `${sign}${whole}${point}${padded.slice(-places)}`;
}

/** Major units as somebody types them, in minor ones; nothing for what is no amount. */
export function minor(text: string, currency: string): string | undefined {
  const found = /^\s*(-?)(\d+)(?:[.,](\d*))?\s*$/.exec(text);
  const places = digits(currency);
  if (found === null) return undefined;
  const [, sign = "", whole = "0", fraction = ""] = found;
  if (fraction.length > places) return undefined;
  return BigInt(`${sign}${whole}${fraction.padEnd(places, "0")}`).toString();
}

const IDENTIFIER = /^([a-z]{2,5}_)[0-9a-z]{20,}$/;
const IDENTIFIERS = /\b[a-z]{2,5}_[0-9a-z]{20,}\b/g;
const PATH = /^[a-z]\w*(\.\w+)+\/\w+$/;

/** What an identifier begins with; nothing for what is none. */
export function prefixOf(text: string): string | undefined {
  return IDENTIFIER.exec(text)?.[1];
}

/** An identifier with its middle left out: its beginning says what it is, its end which one. */
export function short(text: string): string {
  const prefix = prefixOf(text);
  return prefix === undefined ? text : `${prefix}…${text.slice(-6)}`;
}

/** A text where there is little room: identifiers in it without their middle, and a method by its name. */
export function brief(text: string): string {
  return PATH.test(text) ? nameOf(text) : text.replaceAll(IDENTIFIERS, short);
}

/** A method by its path as people call it: `ledger / CreateTransfer`. */
export function nameOf(path: string): string {
  const [service = "", method = ""] = path.split("/");
  return method === "" ? service : `${service.split(".").at(-3) ?? service} / ${method}`;
}

/** A name of a contract in words: `ACCOUNT_KIND_ASSET` as `asset`, `create_time` as `create time`. */
export function words(name: string, prefix = ""): string {
  const bare = name.toUpperCase().startsWith(prefix.toUpperCase())
    ? name.slice(prefix.length)
    : name;
  return bare.toLowerCase().replaceAll("_", " ").trim();
}

/**
 * A time as somebody types it: `now`, `in 2 h`, `3 days ago`, or a date. Nothing for what is none.
 */
export function timeOf(text: string, now = Date.now()): string | undefined {
  const said = text.trim().toLowerCase();
  if (said === "now") return new Date(now).toISOString();
  const found =
    /^(in )?(\d+)\s*(s|sec|m|min|h|hours?|d|days?|w|weeks?|minutes?|seconds?)( ago)?$/.exec(said);
  if (found !== null && (found[1] === undefined) !== (found[4] === undefined)) {
    const size = { s: 1, m: 60, h: 3600, d: 86_400, w: 604_800 }[found[3]?.charAt(0) ?? "s"] ?? 1;
    const away = Number(found[2]) * size * 1000;
    return new Date(found[1] === undefined ? now - away : now + away).toISOString();
  }
  const date = Date.parse(text);
  return /\d{4}-\d{2}/.test(text) && !Number.isNaN(date) ? new Date(date).toISOString() : undefined;
}
