import type { DescField, DescMessage, JsonObject, JsonValue } from "@bufbuild/protobuf";
import { say } from "../strings.js";
import { words } from "../values.js";
import css from "./tree.module.css";
import { Value } from "./value.js";

/** Messages that are one value to people. */
const VALUES = ["google.protobuf.", "stoa.v1.Money"];

/** A message as a list of its fields; what has parts of its own can be folded. */
export function Tree({ desc, value }: { desc: DescMessage; value: JsonObject }) {
  return (
    <dl className={css.list}>
      {desc.fields.map((field) => (
        <Row key={field.name} field={field} of={value} />
      ))}
    </dl>
  );
}

/** What has parts of its own has the whole width for them. */
function Row({ field, of }: { field: DescField; of: JsonObject }) {
  const value = of[field.jsonName];
  const hasParts = messageOf(field) !== undefined && typeof value === "object" && value !== null;
  const width = hasParts && Object.keys(value).length > 0 ? css.wide : undefined;
  return (
    <>
      <dt className={width}>{words(field.name)}</dt>
      <dd className={width}>
        <Parts field={field} value={value} of={of} />
      </dd>
    </>
  );
}

function Parts({
  field,
  value,
  of,
}: {
  field: DescField;
  value: JsonValue | undefined;
  of: JsonObject;
}) {
  const message = messageOf(field);
  if (message !== undefined && value !== undefined && value !== null) {
    if (field.fieldKind === "message") return <Nested desc={message} value={value} />;
    if (Array.isArray(value) && value.length > 0) return <Items desc={message} items={value} />;
  }
  if (Array.isArray(value) && value.length > 0) {
    return (
      <ul>
        {value.map((item) => (
          <li key={String(item)}>{String(item)}</li>
        ))}
      </ul>
    );
  }
  if (field.fieldKind === "map" && typeof value === "object" && value !== null) {
    const pairs = Object.entries(value);
    if (pairs.length > 0) return <Pairs pairs={pairs} />;
  }
  return <Value field={field} value={value} of={of} isWhole />;
}

/** The message that a field is of, or holds many of, if people see its parts. */
function messageOf(field: DescField): DescMessage | undefined {
  const isMessage = field.fieldKind === "message" || field.fieldKind === "list";
  const message = isMessage ? field.message : undefined;
  const isValue = VALUES.some((name) => message?.typeName.startsWith(name));
  return isValue ? undefined : message;
}

function Nested({ desc, value }: { desc: DescMessage; value: JsonValue }) {
  return (
    <div className={css.nested}>
      <Tree desc={desc} value={value as JsonObject} />
    </div>
  );
}

function Items({ desc, items }: { desc: DescMessage; items: JsonValue[] }) {
  const all = items.map((item, place) => (
    // biome-ignore lint/suspicious/noArrayIndexKey: items have no names, and stay where they are
    <Nested key={place} desc={desc} value={item} />
  ));
  if (items.length <= 3) return <>{all}</>;
  return (
    <details className={css.fold}>
      <summary>{say.data.entries(items.length)}</summary>
      {all}
    </details>
  );
}

function Pairs({ pairs }: { pairs: [string, JsonValue][] }) {
  return (
    <dl className={css.list}>
      {pairs.map(([key, value]) => (
        <div key={key} style={{ display: "contents" }}>
          <dt>{key}</dt>
          <dd>{typeof value === "object" ? JSON.stringify(value) : String(value)}</dd>
        </div>
      ))}
    </dl>
  );
}
