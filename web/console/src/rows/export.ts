import type { JsonObject, JsonValue } from "@bufbuild/protobuf";

/** Rows as CSV (RFC 4180), a column for each name that any of them has. */
export function csv(rows: readonly JsonObject[]): string {
  const names = [...new Set(rows.flatMap((row) => Object.keys(row)))];
  const lines = rows.map((row) => names.map((name) => cell(row[name])).join(","));
  return [names.map(cell).join(","), ...lines].join("\r\n").concat("\r\n");
}

/**
 * What begins like a formula is a text all the same: a program that opens the file runs nothing that
 * somebody wrote into a name. Numbers stay numbers.
 */
function cell(value: JsonValue | undefined): string {
  const text =
    typeof value === "object" && value !== null ? JSON.stringify(value) : String(value ?? "");
  const isFormula = /^[=+\-@\t\r]/.test(text) && !/^-?\d+(\.\d+)?$/.test(text);
  const safe = isFormula ? `'${text}` : text;
  return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}

/** Hands a text to whoever looks, as a file. */
export function save(name: string, type: string, text: string): void {
  const address = URL.createObjectURL(new Blob([text], { type }));
  const link = Object.assign(document.createElement("a"), { href: address, download: name });
  link.click();
  URL.revokeObjectURL(address);
}
