import type { DescField, DescMessage, JsonObject, JsonValue } from "@bufbuild/protobuf";

import type { Contracts, Method } from "../contracts/load.js";

/** How deep an answer is asked for: what lies further down is asked for by whoever wants it. */
const DEPTH = 3;

/**
 * The same call in GraphQL, in the names that the node gives: a document, and its variables where a
 * request has values of which the language has no literals.
 */
export function graphql(contracts: Contracts, method: Method, request: JsonObject): string {
  const variables: JsonObject = {};
  const said = Object.entries(request).flatMap(([name, value]) => {
    const field = method.desc.input.fields.find(({ jsonName }) => jsonName === name);
    return field === undefined ? [] : [`${name}: ${literal(field, value, variables)}`];
  });
  const taken = said.length === 0 ? "" : `(${said.join(", ")})`;
  const answer = selection(wrapped(method) ?? method.desc.output, "  ", DEPTH);
  const names = Object.keys(variables).map((name) => `$${name}: JSON`);
  const declared = names.length === 0 ? "" : `(${names.join(", ")})`;
  const document =
    method.kind === "query"
      ? `query${declared} {\n  ${method.service} {\n    ${fieldOf(contracts, method)}${taken}${indented(answer)}\n  }\n}`
      : `${isStream(method) ? "subscription" : "mutation"}${declared} {\n  ${method.service}${method.name}${taken}${answer}\n}`;
  if (names.length === 0) return document;
  return `${document}\n\n# variables\n${JSON.stringify(variables, null, 2)}`;
}

function isStream({ desc }: Method): boolean {
  return desc.methodKind !== "unary";
}

/**
 * What a query is called below its service: `account` for `GetAccount`, `accounts` for `ListAccounts`,
 * and its whole name otherwise, or where another one has the short one.
 */
function fieldOf({ services }: Contracts, { service, name }: Method): string {
  const methods = services.find((one) => one.name === service)?.methods ?? [];
  const taken = new Set<string>();
  const whole = new Set(methods.map((method) => small(method.name)));
  for (const method of methods.filter(({ kind }) => kind === "query")) {
    const rest = /^(?:Get|List)([A-Z].*)$/.exec(method.name)?.[1];
    const short = rest === undefined ? undefined : small(rest);
    const isFree = short !== undefined && !taken.has(short) && !whole.has(short);
    const field = isFree ? short : small(method.name);
    taken.add(field);
    if (method.name === name) return field;
  }
  return small(name);
}

/** The one message that a Get gives, and nothing beside it. */
function wrapped({ kind, name, desc }: Method): DescMessage | undefined {
  const [field, ...others] = desc.output.fields;
  const gets = kind === "query" && name.startsWith("Get") && others.length === 0;
  return gets && field?.fieldKind === "message" ? field.message : undefined;
}

/** What is asked for of a message: all of it, but what lies too deep. */
function selection(desc: DescMessage, indent: string, depth: number): string {
  if (isScalar(desc)) return "";
  const inner = `${indent}  `;
  const fields = desc.fields.flatMap((field) => {
    const message =
      field.fieldKind === "message" || (field.fieldKind === "list" && field.listKind === "message")
        ? field.message
        : undefined;
    if (message === undefined || isScalar(message)) return [inner + field.jsonName];
    return depth === 0 ? [] : [inner + field.jsonName + selection(message, inner, depth - 1)];
  });
  if (fields.length === 0) fields.push(`${inner}__typename`);
  return ` {\n${fields.join("\n")}\n${indent}}`;
}

/** Messages that are one value in GraphQL: those of protobuf, and one that has nothing to say. */
function isScalar({ typeName, fields }: DescMessage): boolean {
  return typeName.startsWith("google.protobuf.") || fields.length === 0;
}

function literal(field: DescField, value: JsonValue, variables: JsonObject): string {
  const isFree =
    field.fieldKind === "message" && isScalar(field.message) && typeof value === "object";
  if (field.fieldKind === "map" || isFree) {
    const name = `${field.localName}${field.localName in variables ? Object.keys(variables).length : ""}`;
    variables[name] = value;
    return `$${name}`;
  }
  if (Array.isArray(value)) {
    return `[${value.map((item) => literal(field, item, variables)).join(", ")}]`;
  }
  if (typeof value === "object" && value !== null) {
    const desc =
      field.fieldKind === "message" || field.fieldKind === "list" ? field.message : undefined;
    const parts = Object.entries(value).flatMap(([name, part]) => {
      const inner = desc?.fields.find(({ jsonName }) => jsonName === name);
      return inner === undefined ? [] : [`${name}: ${literal(inner, part, variables)}`];
    });
    return `{${parts.join(", ")}}`;
  }
  const isEnum =
    field.fieldKind === "enum" || (field.fieldKind === "list" && field.listKind === "enum");
  return isEnum ? String(value) : JSON.stringify(value);
}

function small(name: string): string {
  return name.charAt(0).toLowerCase() + name.slice(1);
}

function indented(text: string): string {
  return text.replaceAll("\n", "\n  ");
}
