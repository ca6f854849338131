import { type DescField, type JsonValue, ScalarType } from "@bufbuild/protobuf";
import { type Mood, State } from "@stoa/ui";

import { placeOf } from "../contracts/collections.js";
import { Go } from "../go.js";
import { useKnown } from "../known.js";
import { say } from "../strings.js";
import { ago, brief, major, moment, prefixOf, words } from "../values.js";
import css from "./value.module.css";

/** Words for states that are as they should be, that want a look, and that want somebody. */
const MOODS: Record<string, Mood> = {
  active: "good",
  available: "good",
  done: "good",
  paid: "good",
  placed: "good",
  posted: "good",
  sent: "good",
  dead: "bad",
  failed: "bad",
  lost: "bad",
  cancelled: "warn",
  disabled: "warn",
  pending: "warn",
  suspended: "warn",
  retired: "warn",
};

const AMOUNT = /(amount|available|balance|credit|debit|floor|held|price|total)$/;
const INTEGERS = [ScalarType.INT64, ScalarType.UINT64, ScalarType.SINT64];

interface Props {
  field: DescField;
  value: JsonValue | undefined;
  /** The message that the field is of: an amount is in its currency. */
  of: { [name: string]: JsonValue };
  /** Whether there is room for all of it. */
  isWhole?: boolean;
}

/** A value, as its contract says what it is. */
export function Value({ field, value, of, isWhole = false }: Props) {
  if (isNothing(value)) return <span className={css.dim}>–</span>;
  if (field.fieldKind === "message") {
    return <Shaped type={field.message.typeName} value={value as JsonValue} />;
  }
  if (field.fieldKind === "list" || field.fieldKind === "map")
    return <Many value={value as object} />;
  if (field.fieldKind === "enum") {
    const word = words(String(value), field.enum.sharedPrefix ?? "");
    if (word === "unspecified") return <span className={css.dim}>–</span>;
    return field.name === "state" ? <Word word={word} /> : word;
  }
  if (typeof value === "boolean") return <>{value ? say.data.yes : say.data.no}</>;
  if (isAmount(field, of)) return <Money amount={String(value)} currency={String(of.currency)} />;
  if (field.scalar !== ScalarType.STRING) return <>{String(value)}</>;
  if (field.name === "state" && /^[a-z_]+$/.test(String(value)))
    return <Word word={String(value)} />;
  return <Text field={field} text={String(value)} isWhole={isWhole} />;
}

/** Whether a number is an amount of the currency that its message names. */
export function isAmount(field: DescField, of: { [name: string]: unknown }): boolean {
  const isInteger = field.fieldKind === "scalar" && INTEGERS.includes(field.scalar);
  return isInteger && AMOUNT.test(field.name) && /^[A-Z]{3}$/.test(String(of.currency ?? ""));
}

function isNothing(value: JsonValue | undefined): boolean {
  if (value === undefined || value === null || value === "") return true;
  return typeof value === "object" && Object.keys(value).length === 0;
}

function Shaped({ type, value }: { type: string; value: JsonValue }) {
  if (type === "google.protobuf.Timestamp") return <Time time={String(value)} />;
  if (typeof value === "object" && value !== null && !Array.isArray(value)) {
    const { amount, currency } = value;
    if (amount !== undefined && typeof currency === "string") {
      return <Money amount={String(amount)} currency={currency} />;
    }
    return <code className={css.dim}>{JSON.stringify(value)}</code>;
  }
  return <>{String(value)}</>;
}

function Many({ value }: { value: object }) {
  const count = Array.isArray(value) ? value.length : Object.keys(value).length;
  const isTexts = Array.isArray(value) && value.every((item) => typeof item === "string");
  if (isTexts && count <= 3) return <span className={css.mono}>{value.join(", ")}</span>;
  return <span className={css.dim}>{say.data.entries(count)}</span>;
}

export function Time({ time }: { time: string }) {
  return (
    <time dateTime={time} title={moment(time)}>
      {ago(time)}
    </time>
  );
}

export function Money({ amount, currency }: { amount: string; currency: string }) {
  return (
    <span>
      {major(amount, currency)}
      <span className={css.unit}>{currency}</span>
    </span>
  );
}

function Word({ word }: { word: string }) {
  return <State mood={MOODS[word] ?? "plain"}>{word}</State>;
}

interface TextProps {
  field: DescField;
  text: string;
  isWhole: boolean;
}

/** A text; an identifier leads to what it names, where its contract says of what it is. */
function Text({ field, text, isWhole }: TextProps) {
  const { named } = useKnown();
  const collection = named(field);
  const shown = isWhole ? text : brief(text);
  const isId = prefixOf(text) !== undefined;
  if (collection !== undefined) {
    return (
      <Go href={placeOf(collection, text)} className={isId ? css.mono : undefined} title={text}>
        {shown}
      </Go>
    );
  }
  return (
    <span
      className={isId ? css.mono : isWhole ? css.text : undefined}
      title={isWhole ? undefined : text}
    >
      {shown}
    </span>
  );
}
