import type { DescField, JsonObject, JsonValue } from "@bufbuild/protobuf";
import { Button, input } from "@stoa/ui";
import { Plus, X } from "lucide-react";
import { useState } from "react";
import { say } from "../strings.js";
import { words } from "../values.js";
import css from "./form.module.css";
import { MessageForm, type PartsOf } from "./message.js";

/** Many values of one kind, in their order. */
export function Items({ field, value, onChange, path, errors }: PartsOf) {
  const items = Array.isArray(value) ? value : [];
  const put = (items: JsonValue[]) => onChange(items.length === 0 ? undefined : items);
  const one = words(field.name).replace(/s$/, "");
  const message =
    field.fieldKind === "list" && field.listKind === "message" ? field.message : undefined;
  const change = (place: number, next: JsonValue) => put(items.toSpliced(place, 1, next));
  return (
    <div className={css.group}>
      {items.map((item, place) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: items have no names but their places
        <div key={place} className={css.item}>
          {message ? (
            <MessageForm
              desc={message}
              value={item as JsonObject}
              onChange={(next) => change(place, next)}
              path={`${path}[${place}]`}
              errors={errors}
            />
          ) : (
            <One
              field={field}
              label={`${one} ${place + 1}`}
              value={item}
              onChange={(next) => change(place, next)}
            />
          )}
          <Button
            kind="quiet"
            label={say.form.remove(`${one} ${place + 1}`)}
            onClick={() => put(items.toSpliced(place, 1))}
          >
            <X size={14} aria-hidden />
          </Button>
        </div>
      ))}
      <div>
        <Button small onClick={() => put([...items, message ? {} : ""])}>
          <Plus size={14} aria-hidden />
          {say.form.add(one)}
        </Button>
      </div>
    </div>
  );
}

interface OneProps {
  field: DescField;
  label: string;
  value: JsonValue;
  onChange: (value: JsonValue) => void;
}

function One({ field, label, value, onChange }: OneProps) {
  if (field.fieldKind === "list" && field.listKind === "enum") {
    const { values, sharedPrefix } = field.enum;
    return (
      <select
        className={input}
        aria-label={label}
        value={String(value)}
        onChange={(event) => onChange(event.target.value)}
      >
        <option value="">–</option>
        {values.map(({ name }) => (
          <option key={name} value={name}>
            {words(name, sharedPrefix)}
          </option>
        ))}
      </select>
    );
  }
  return (
    <input
      className={input}
      aria-label={label}
      value={String(value)}
      onChange={(event) => onChange(event.target.value)}
    />
  );
}

/** Values by names that whoever fills this in chooses. */
export function Pairs({ field, value, onChange }: PartsOf) {
  const [pairs, setPairs] = useState(() =>
    Object.entries((value ?? {}) as Record<string, JsonValue>),
  );
  const put = (pairs: [string, JsonValue][]) => {
    setPairs(pairs);
    const named = pairs.filter(([name]) => name !== "");
    onChange(named.length === 0 ? undefined : Object.fromEntries(named));
  };
  const parse = (text: string) =>
    field.fieldKind === "map" && field.mapKind === "message" ? json(text) : text;
  return (
    <div className={css.group}>
      {pairs.map(([name, item], place) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: a name may be half typed
        <div key={place} className={css.item}>
          <div className={css.pair}>
            <input
              className={input}
              aria-label={say.form.nameOfPair(place + 1)}
              value={name}
              onChange={(event) => put(pairs.toSpliced(place, 1, [event.target.value, item]))}
            />
            <input
              className={input}
              aria-label={say.form.valueOfPair(place + 1)}
              value={typeof item === "object" ? JSON.stringify(item) : String(item)}
              onChange={(event) =>
                put(pairs.toSpliced(place, 1, [name, parse(event.target.value)]))
              }
            />
          </div>
          <Button
            kind="quiet"
            label={say.form.remove(name || say.form.pair(place + 1))}
            onClick={() => put(pairs.toSpliced(place, 1))}
          >
            <X size={14} aria-hidden />
          </Button>
        </div>
      ))}
      <div>
        <Button small onClick={() => put([...pairs, ["", ""]])}>
          <Plus size={14} aria-hidden />
          {say.form.addPair}
        </Button>
      </div>
    </div>
  );
}

function json(text: string): JsonValue {
  try {
    return JSON.parse(text) as JsonValue;
  } catch {
    return text;
  }
}
