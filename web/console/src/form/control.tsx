import { type DescField, type JsonObject, type JsonValue, ScalarType } from "@bufbuild/protobuf";
import type { Ties } from "@stoa/ui";
import { useState } from "react";

import { isAmount } from "../reply/value.js";
import { say } from "../strings.js";
import { major, minor, moment, timeOf, words } from "../values.js";
import css from "./form.module.css";

interface Props {
  field: DescField;
  value: JsonValue | undefined;
  onChange: (value: JsonValue | undefined) => void;
  ties: Ties;
  /** The message that the field is of. */
  of: JsonObject;
}

/** Whether a field has one control; others have parts. */
export function hasControl(field: DescField): boolean {
  if (field.fieldKind === "scalar" || field.fieldKind === "enum") return true;
  if (field.fieldKind !== "message") return false;
  const { typeName } = field.message;
  return typeName.startsWith("google.protobuf.") || typeName === "stoa.v1.Money";
}

/** The control for a value, as its contract says what it is. */
export function Control(props: Props) {
  const { field } = props;
  if (field.fieldKind === "enum") return <Enum {...props} />;
  if (field.fieldKind === "message") {
    switch (field.message.typeName) {
      case "google.protobuf.Timestamp":
        return <Time {...props} />;
      case "stoa.v1.Money":
        return <Money {...props} />;
      case "google.protobuf.Duration":
        return <Text {...props} placeholder={say.form.durationExample} />;
      case "google.protobuf.FieldMask":
        return <Text {...props} placeholder={say.form.maskExample} />;
      default:
        return <Json {...props} />;
    }
  }
  if (field.fieldKind === "scalar") {
    if (field.scalar === ScalarType.BOOL) return <Truth {...props} />;
    if (field.scalar === ScalarType.BYTES)
      return <Text {...props} placeholder={say.form.bytesExample} />;
    if (field.scalar !== ScalarType.STRING) return <Numeric {...props} />;
  }
  return <Text {...props} />;
}

const SECRET = /password|secret|token/;
const LONG = /description|text|body|note|comment/;

function Text({ field, value, onChange, ties, placeholder }: Props & { placeholder?: string }) {
  const common = {
    ...ties,
    value: String(value ?? ""),
    placeholder,
    spellCheck: false,
    onChange: (event: { target: { value: string } }) => onChange(event.target.value || undefined),
  };
  if (LONG.test(field.name)) return <textarea {...common} rows={2} />;
  const isSecret = SECRET.test(field.name) && field.proto.options?.debugRedact === true;
  return <input {...common} type={isSecret ? "password" : "text"} autoComplete="off" />;
}

function Numeric({ field, value, onChange, ties, of }: Props) {
  const text = String(value ?? "");
  const shown = isAmount(field, of) && /^-?\d+$/.test(text) ? major(text, String(of.currency)) : "";
  return (
    <>
      <input
        {...ties}
        inputMode="numeric"
        autoComplete="off"
        value={text}
        onChange={(event) => onChange(event.target.value.trim() || undefined)}
      />
      {shown ? <p className={css.hint}>{say.form.inMinor(shown, String(of.currency))}</p> : null}
    </>
  );
}

function Truth({ value, onChange, ties }: Props) {
  const { className: _, ...rest } = ties;
  return (
    <div className={css.check}>
      <input
        {...rest}
        type="checkbox"
        checked={value === true}
        onChange={(event) => onChange(event.target.checked || undefined)}
      />
      <span aria-hidden="true">{value === true ? say.form.yes : say.form.no}</span>
    </div>
  );
}

function Enum({ field, value, onChange, ties }: Props) {
  if (field.fieldKind !== "enum") return null;
  const prefix = field.enum.sharedPrefix ?? "";
  return (
    <select
      {...ties}
      value={String(value ?? "")}
      onChange={(event) => onChange(event.target.value || undefined)}
    >
      <option value="">–</option>
      {field.enum.values
        .filter(({ number }) => number !== 0)
        .map(({ name }) => (
          <option key={name} value={name}>
            {words(name, prefix)}
          </option>
        ))}
    </select>
  );
}

function Time({ value, onChange, ties }: Props) {
  const [text, setText] = useState(String(value ?? ""));
  const time = timeOf(text);
  return (
    <>
      <input
        {...ties}
        aria-invalid={text !== "" && time === undefined}
        autoComplete="off"
        placeholder={say.form.timeExample}
        value={text}
        onChange={(event) => {
          setText(event.target.value);
          onChange(timeOf(event.target.value));
        }}
      />
      {time === undefined ? null : <p className={css.hint}>{moment(time)}</p>}
    </>
  );
}

function Money({ value, onChange, ties }: Props) {
  const said = (value ?? {}) as { amount?: string; currency?: string };
  const [currency, setCurrency] = useState(said.currency ?? "EUR");
  const [text, setText] = useState(said.amount === undefined ? "" : major(said.amount, currency));
  const amount = minor(text, currency);
  const tell = (text: string, currency: string) => {
    const amount = minor(text, currency);
    onChange(amount === undefined ? undefined : { amount, currency });
  };
  return (
    <>
      <div className={css.money}>
        <input
          {...ties}
          aria-invalid={text !== "" && amount === undefined}
          inputMode="decimal"
          placeholder="12.50"
          value={text}
          onChange={(event) => {
            setText(event.target.value);
            tell(event.target.value, currency);
          }}
        />
        <input
          className={ties.className}
          aria-label={say.form.currency}
          maxLength={3}
          value={currency}
          onChange={(event) => {
            const next = event.target.value.toUpperCase();
            setCurrency(next);
            tell(text, next);
          }}
        />
      </div>
      {amount === undefined ? null : <p className={css.hint}>{say.form.minorUnits(amount)}</p>}
    </>
  );
}

/** What has a shape of its own in JSON. */
function Json({ value, onChange, ties }: Props) {
  const [text, setText] = useState(value === undefined ? "" : JSON.stringify(value));
  const change = (text: string) => {
    setText(text);
    try {
      onChange(text === "" ? undefined : (JSON.parse(text) as JsonValue));
    } catch {
      // Half of a value is none: what was said before stays until the rest is there.
    }
  };
  return (
    <textarea
      {...ties}
      rows={3}
      placeholder="{ }"
      value={text}
      onChange={(event) => change(event.target.value)}
    />
  );
}
