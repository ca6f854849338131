import type { DescField, JsonObject, JsonValue } from "@bufbuild/protobuf";
import type { Sort } from "@stoa/ui";

/** What an address says of an order: `balance`, or `-balance` for the largest first. */
export function sortOf(text: string | undefined): Sort | undefined {
  if (text === undefined || text === "") return undefined;
  return text.startsWith("-")
    ? { id: text.slice(1), isDescending: true }
    : { id: text, isDescending: false };
}

export function textOf(sort: Sort | undefined): string | undefined {
  return sort && `${sort.isDescending ? "-" : ""}${sort.id}`;
}

/** Rows by one of their fields. What has no value comes last, whichever way round. */
export function sorted(
  rows: readonly JsonObject[],
  field: DescField,
  isDescending: boolean,
): JsonObject[] {
  // What rows are compared by is made once for each, and not once for each comparison.
  const keyed = rows.map((row) => ({ row, key: keyOf(field, row[field.jsonName]) }));
  const way = isDescending ? -1 : 1;
  keyed.sort(({ key: a }, { key: b }) => {
    if (a === undefined || b === undefined)
      return Number(a === undefined) - Number(b === undefined);
    return a < b ? -way : a > b ? way : 0;
  });
  return keyed.map(({ row }) => row);
}

/** What a value is compared by. Numbers of 64 bits are texts in JSON, and are exact. */
function keyOf(
  field: DescField,
  value: JsonValue | undefined,
): string | number | bigint | undefined {
  if (value === undefined || value === null || value === "") return undefined;
  if (field.fieldKind === "message") {
    if (field.message.typeName === "google.protobuf.Timestamp") return Date.parse(String(value));
    const amount = (value as JsonObject).amount;
    return amount === undefined ? JSON.stringify(value) : BigInt(String(amount));
  }
  if (field.fieldKind === "list") return (value as JsonValue[]).length;
  if (field.fieldKind === "map") return Object.keys(value).length;
  if (typeof value === "number" || typeof value === "boolean") return Number(value);
  const text = String(value);
  if (field.fieldKind === "scalar" && field.longAsString !== undefined && /^-?\d+$/.test(text)) {
    return isNumeric(field) ? BigInt(text) : text.toLowerCase();
  }
  return text.toLowerCase();
}

function isNumeric(field: DescField): boolean {
  // Of scalars those that are neither texts (9), bytes (12) nor truths (8).
  return field.fieldKind === "scalar" && ![8, 9, 12].includes(field.scalar);
}
