import {
  type AnyDesc,
  createFileRegistry,
  type DescExtension,
  type DescMethod,
  type DescService,
  type FileRegistry,
  fromBinary,
  getExtension,
  hasExtension,
} from "@bufbuild/protobuf";
import {
  FileDescriptorSetSchema,
  MethodOptions_IdempotencyLevel as Idempotency,
} from "@bufbuild/protobuf/wkt";

import { comments } from "./comments.js";

/** What the services of a node promise. */
export interface Contracts {
  registry: FileRegistry;
  services: Service[];
  /** What a contract says about an item, for people. */
  comment: (item: AnyDesc) => string;
}

export interface Service {
  /** Its short name: `ledger`. */
  name: string;
  desc: DescService;
  doc: string;
  methods: Method[];
}

export interface Method {
  name: string;
  service: string;
  desc: DescMethod;
  kind: "query" | "command" | "effect";
  /** Who may call it: a permission, `public` or `authenticated`. */
  permission: string;
  doc: string;
}

/** Reads what a node says of its services. What only services may call is left out. */
export function load(descriptors: Uint8Array): Contracts {
  const set = fromBinary(FileDescriptorSetSchema, descriptors);
  const registry = createFileRegistry(set);
  const comment = comments();
  const permission = registry.getExtension("stoa.v1.permission");
  const effect = registry.getExtension("stoa.v1.effect");
  const services = [...registry]
    .filter((desc) => desc.kind === "service")
    .map((desc) => {
      const name = desc.typeName.split(".").at(-3) ?? desc.typeName;
      const methods = desc.methods.map(
        (method): Method => ({
          name: method.name,
          service: name,
          desc: method,
          kind: kindOf(method, effect),
          permission: String(option(method, permission) ?? ""),
          doc: comment(method),
        }),
      );
      const callable = methods.filter(
        (method) => method.permission !== "internal" && !isRaw(method.desc),
      );
      return { name, desc, doc: comment(desc), methods: callable };
    });
  const known = services.filter(({ methods }) => methods.some(({ permission }) => permission));
  return { registry, comment, services: known.sort((a, b) => a.name.localeCompare(b.name)) };
}

function kindOf(method: DescMethod, effect: DescExtension | undefined): Method["kind"] {
  if (method.idempotency === Idempotency.NO_SIDE_EFFECTS) return "query";
  return option(method, effect) === true ? "effect" : "command";
}

/** The value of an option that a contract adds to those of protobuf. */
export function option(item: AnyDesc, extension: DescExtension | undefined): unknown {
  const options = "proto" in item ? item.proto.options : undefined;
  if (options === undefined || extension === undefined) return undefined;
  return hasExtension(options, extension) ? getExtension(options, extension) : undefined;
}

export function methodOf(contracts: Contracts, service: string, name: string): Method | undefined {
  const methods = contracts.services.find((known) => known.name === service)?.methods;
  return methods?.find((method) => method.name === name);
}

/** Whether somebody who has some permissions may call a method: as the node decides it. */
export function mayCall(method: Method, granted: readonly string[]): boolean {
  if (method.permission === "public" || method.permission === "authenticated") return true;
  return granted.some((pattern) => matches(pattern, method.permission));
}

/** `*` stands for one segment, and as the last one for all that follow. */
function matches(pattern: string, permission: string): boolean {
  const wanted = permission.split(".");
  const parts = pattern.split(".");
  const isOpen = parts.at(-1) === "*";
  if (isOpen ? wanted.length < parts.length : wanted.length !== parts.length) return false;
  return parts.every((part, place) => part === "*" || part === wanted[place]);
}

/** Whether a method takes HTTP as it comes: it is asked on a path of its own, and has no form. */
function isRaw({ input }: DescMethod): boolean {
  return input.fields.some((field) => field.message?.typeName === "stoa.v1.HttpRequest");
}
