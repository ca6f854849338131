import { type DescField, type JsonObject, ScalarType } from "@bufbuild/protobuf";
import { Check, type Column, Menu, type Widths } from "@stoa/ui";
import { useMemo, useState } from "react";

import type { Collection } from "../contracts/collections.js";
import { isAmount, Value } from "../reply/value.js";
import { say } from "../strings.js";
import { words } from "../values.js";

const NO_NUMBERS = [ScalarType.BOOL, ScalarType.BYTES, ScalarType.STRING];
/** What one looks at in the drawer, unless somebody wants it here. */
const HIDDEN = ["etag", "metadata", "preferences", "payload", "update_time"];
/** Where the choice of columns is remembered, for each list. */
const CHOICES = "stoa.columns";
/** And how wide they are. */
const WIDTHS = "stoa.widths";

interface Chosen {
  columns: Column<JsonObject>[];
  /** The menu to choose them by. */
  menu: React.ReactNode;
  widths: Widths | undefined;
  setWidths: (widths: Widths | undefined) => void;
}

/** The columns of a list: those that have something to show, until somebody chooses others. */
export function useColumns(collection: Collection, things: readonly JsonObject[]): Chosen {
  const list = `${collection.service}/${collection.name}`;
  const [choice, setChoice] = useState(() => remembered<string[]>(CHOICES)[list]);
  const [widths, setWidths] = useState(() => remembered<Widths>(WIDTHS)[list]);
  const { fields, usual } = useMemo(() => fieldsOf(collection, things), [collection, things]);
  const shown = choice ?? usual;
  const key = shown.join();
  // biome-ignore lint/correctness/useExhaustiveDependencies: which are shown is told by their names
  const columns = useMemo(() => {
    const isMoney = fields.some(({ isAmount }) => isAmount);
    return fields
      .filter(({ field }) => shown.includes(field.name))
      .filter(({ field }) => choice !== undefined || !(isMoney && field.name === "currency"))
      .map(({ field, isAmount }) => columnOf(field, isAmount));
  }, [fields, key]);
  const choose = (name: string, isOn: boolean) => {
    const next = isOn ? [...shown, name] : shown.filter((known) => known !== name);
    if (next.length === 0) return;
    setChoice(next);
    remember(CHOICES, list, next);
  };
  const menu = (
    <Menu title={say.data.columns}>
      {() =>
        fields.map(({ field }) => (
          <Check
            key={field.name}
            label={words(field.name)}
            isOn={columns.some(({ id }) => id === field.name)}
            onChange={(isOn) => choose(field.name, isOn)}
          />
        ))
      }
    </Menu>
  );
  const widen = (next: Widths | undefined) => {
    setWidths(next);
    remember(WIDTHS, list, next);
  };
  return { columns, menu, widths, setWidths: widen };
}

/** What this browser remembers of lists, by their names. */
function remembered<T>(what: string): { [list: string]: T } {
  try {
    return JSON.parse(localStorage.getItem(what) ?? "{}");
  } catch {
    return {};
  }
}

function remember(what: string, list: string, value: unknown): void {
  localStorage.setItem(what, JSON.stringify({ ...remembered(what), [list]: value }));
}

interface Fields {
  fields: { field: DescField; isAmount: boolean }[];
  /** The names of those that have a value in some row. */
  usual: string[];
}

function fieldsOf({ item, id }: Collection, things: readonly JsonObject[]): Fields {
  // Whether a field has a value is seen in few rows, or in none of many.
  const some = things.slice(0, 500);
  const isFilled = (field: DescField) =>
    some.some(
      (thing) => !["", "[]", "{}", "null", undefined].includes(text(thing[field.jsonName])),
    );
  const fields = [id, ...item.fields.filter((field) => field !== id)].map((field) => ({
    field,
    isAmount: some.some((thing) => isAmount(field, thing)),
  }));
  const usual = fields
    .map(({ field }) => field)
    .filter((field) => !HIDDEN.includes(field.name) && isFilled(field))
    .map(({ name }) => name);
  return { fields, usual };
}

function columnOf(field: DescField, isAmount: boolean): Column<JsonObject> {
  return {
    id: field.name,
    title: words(field.name),
    align: isNumber(field) || isAmount ? "end" : "start",
    width: widthOf(field),
    cell: (thing) => <Value field={field} value={thing[field.jsonName]} of={thing} />,
  };
}

function text(value: unknown): string | undefined {
  return typeof value === "string" ? value : JSON.stringify(value);
}

function isNumber(field: DescField): boolean {
  if (field.fieldKind === "message") return field.message.typeName === "stoa.v1.Money";
  return field.fieldKind === "scalar" && !NO_NUMBERS.includes(field.scalar);
}

function widthOf(field: DescField): number {
  if (field.fieldKind === "enum") return 120;
  if (field.fieldKind === "list" || field.fieldKind === "map") return 160;
  if (isNumber(field)) return 136;
  if (field.fieldKind === "message") return 124;
  if (field.fieldKind === "scalar" && field.scalar === ScalarType.BOOL) return 92;
  if (/(^|_)id$/.test(field.name)) return 132;
  if (/state|kind|currency|sku|location/.test(field.name)) return 112;
  return 176;
}
