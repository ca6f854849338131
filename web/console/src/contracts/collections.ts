import {
  type DescField,
  type DescMessage,
  type JsonObject,
  type JsonValue,
  ScalarType,
} from "@bufbuild/protobuf";

import { type Contracts, type Method, option } from "./load.js";

/** Things of one kind that can be listed: what a `List…` method gives. */
export interface Collection {
  service: string;
  /** What it is called in an address: `accounts`. */
  name: string;
  list: Method;
  /** The field of the reply that holds the things. */
  items: DescField;
  item: DescMessage;
  /** The type of the resource, as commits and references have it: `users.user`. */
  kind: string;
  /** Fields of the request that narrow what is listed. */
  filters: DescField[];
  isPaged: boolean;
  /** Shows one by what names it. */
  get: { method: Method; by: DescField } | undefined;
  /** What can be done to one. */
  actions: { method: Method; by: DescField }[];
  /** The field that names one. */
  id: DescField;
}

const PAGING = ["page_size", "page_token"];

/** Everything that can be listed. */
export function collections(contracts: Contracts): Collection[] {
  return contracts.services.flatMap(({ methods }) =>
    methods.flatMap((list) => {
      const found = collection(contracts, list, methods);
      return found === undefined ? [] : [found];
    }),
  );
}

function collection(contracts: Contracts, list: Method, methods: Method[]): Collection | undefined {
  if (list.kind !== "query" || !list.name.startsWith("List")) return undefined;
  const lists = list.desc.output.fields.filter(
    (field) => field.fieldKind === "list" && field.listKind === "message",
  );
  const items = lists[0];
  if (lists.length !== 1 || items?.message === undefined) return undefined;
  const item = items.message;
  const id = idOf(item);
  if (id === undefined) return undefined;
  const one = methods.flatMap((method) => {
    const by = namedBy(method, item, id);
    return by === undefined ? [] : [{ method, by }];
  });
  return {
    service: list.service,
    name: items.name.replaceAll("_", "-"),
    list,
    items,
    item,
    kind: resourceOf(contracts, item)?.type ?? `${list.service}.${snake(item.name)}`,
    filters: list.desc.input.fields.filter(
      (field) =>
        !PAGING.includes(field.name) &&
        (field.fieldKind === "scalar" || field.fieldKind === "enum"),
    ),
    isPaged: list.desc.input.field.pageToken !== undefined,
    get: one.find(({ method }) => method.kind === "query" && method.name === `Get${item.name}`),
    actions: one.filter(({ method }) => method.kind !== "query"),
    id,
  };
}

/** What names one of its kind: an identifier, or the first text. */
function idOf(item: DescMessage): DescField | undefined {
  const texts = item.fields.filter(
    (field) => field.fieldKind === "scalar" && field.scalar === ScalarType.STRING,
  );
  const called = (name: string) => texts.find((field) => field.name === name);
  return called("id") ?? called("name") ?? texts[0];
}

/** The field by which a method is told which one of a kind it is about. */
function namedBy(method: Method, item: DescMessage, id: DescField): DescField | undefined {
  if (/^(Create|List|Batch)/.test(method.name)) return undefined;
  const name = snake(item.name);
  const { input } = method.desc;
  const own = input.fields.find((field) => [name, `${name}_id`].includes(field.name));
  const isAbout = method.name.endsWith(item.name);
  const shared = input.fields.find((field) => field.name === id.name);
  const found = own ?? (isAbout ? shared : undefined);
  const isText = found?.fieldKind === "scalar" && found.scalar === ScalarType.STRING;
  return isText ? found : undefined;
}

/** What a method about one of a kind is asked, as far as the thing itself tells. */
export function about(
  { item, id }: Collection,
  { method, by }: Collection["actions"][number],
  thing: JsonObject,
): JsonObject {
  const told = method.desc.input.fields.flatMap((field) => {
    const same = item.field[field.localName];
    const value = field === by && same === undefined ? thing[id.jsonName] : undefined;
    const said = value ?? (same === undefined ? undefined : thing[same.jsonName]);
    const isSaid = said !== undefined && said !== "" && field.fieldKind === same?.fieldKind;
    return isSaid || value !== undefined ? [[field.jsonName, said as JsonValue]] : [];
  });
  return Object.fromEntries(told) as JsonObject;
}

/** What tells one from all others of its kind. */
export function keyOf({ item, id }: Collection, thing: JsonObject): string {
  if (id.name === "id") return String(thing[id.jsonName]);
  const parts = item.fields.filter((field) => field.fieldKind === "scalar").slice(0, 4);
  return parts.map((field) => String(thing[field.jsonName] ?? "")).join("/");
}

function snake(name: string): string {
  return name.replace(/(?<=[a-z0-9])[A-Z]/g, "_$&").toLowerCase();
}

interface Resource {
  type: string;
  /** The field that names its identifier. */
  id: string;
}

/** What a contract says of things that have an identifier. */
function resourceOf({ registry }: Contracts, item: DescMessage): Resource | undefined {
  return option(item, registry.getExtension("stoa.v1.resource")) as Resource | undefined;
}

/** Finds what an identifier is one of, by the field that it stands in, as the contract says. */
export function references(
  contracts: Contracts,
  byKind: ReadonlyMap<string, Collection>,
): (field: DescField) => Collection | undefined {
  const extension = contracts.registry.getExtension("stoa.v1.references");
  const known = new Map<DescField, Collection | undefined>();
  return (field) => {
    if (!known.has(field)) {
      const own = resourceOf(contracts, field.parent);
      const kind = option(field, extension) ?? (own?.id === field.name ? own.type : "");
      known.set(field, byKind.get(String(kind)));
    }
    return known.get(field);
  };
}

/** Lists by what they are of; where there are several, the first has all. */
export function kinds(all: Collection[]): Map<string, Collection> {
  return new Map(all.toReversed().map((collection) => [collection.kind, collection]));
}

/** Where one of a kind is shown, beside others of its kind. */
export function placeOf({ service, name }: Collection, id: string): string {
  // An address keeps what reads like JSON as JSON.
  return `/data/${service}/${name}?open=${encodeURIComponent(JSON.stringify(id))}`;
}

/** What identifiers of a kind begin with, as the comment of the field says: `acc_`. */
export function prefixes(contracts: Contracts, all: Collection[]): Map<string, Collection> {
  const found = new Map<string, Collection>();
  for (const collection of all) {
    const prefix = /`([a-z]{2,5}_)…`/.exec(contracts.comment(collection.id))?.[1];
    if (prefix !== undefined && !found.has(prefix)) found.set(prefix, collection);
  }
  return found;
}
