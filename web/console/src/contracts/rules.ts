import {
  type DescField,
  type JsonObject,
  type JsonValue,
  type Message,
  toJson,
} from "@bufbuild/protobuf";
import { say } from "../strings.js";
import { type Contracts, option } from "./load.js";

/** What a contract demands of a field. */
export interface Rules {
  /** In words, to be shown before it is broken. */
  text: string;
  isRequired: boolean;
  /** What is wrong with a value; nothing where the node decides. */
  check: (value: JsonValue | undefined) => string | undefined;
}

/** Reads the rules of a field. */
export function rulesOf(contracts: Contracts, field: DescField): Rules {
  const { registry } = contracts;
  const extension = registry.getExtension("buf.validate.field");
  const found = option(field, extension) as Message | undefined;
  const schema = extension?.fieldKind === "message" ? extension.message : undefined;
  if (found === undefined || schema === undefined) return NONE;
  const json = toJson(schema, found, { registry }) as JsonObject;
  const kind = Object.keys(json).find((key) => typeof json[key] === "object") ?? "";
  const rules = (json[kind] ?? {}) as JsonObject;
  const mayBeEmpty = json.ignore === "IGNORE_IF_ZERO_VALUE" || field.presence === 1;
  const isRequired =
    json.required === true ||
    (!mayBeEmpty && (Number(rules.minLen ?? rules.minItems ?? 0) > 0 || isBroken(rules, ""))) ||
    (Array.isArray(rules.notIn) && rules.notIn.includes(0));
  const form = Number(option(field, registry.getExtension("stoa.v1.form")) ?? 0);
  const formed = (value: JsonValue) => (typeof value === "string" ? inForm(value, form) : value);
  return {
    text: words(rules).join(", "),
    isRequired,
    check: (value) => (value === undefined ? undefined : broken(rules, formed(value))),
  };
}

/** The form in which the node takes a text, by the number of `stoa.v1.Form`. */
function inForm(text: string, form: number): string {
  const trimmed = form === 0 ? text : text.trim();
  return form === 2 ? trimmed.toUpperCase() : form === 3 ? trimmed.toLowerCase() : trimmed;
}

const NONE: Rules = { text: "", isRequired: false, check: () => undefined };

/** Each rule that people can read. A pattern is shown where it is broken: few read one at a glance. */
function words(rules: JsonObject): string[] {
  const { minLen, maxLen, minItems, maxItems, maxPairs, gte, lte, gt, lt } = rules;
  const range = (unit: string, least?: JsonValue, most?: JsonValue) =>
    least !== undefined && most !== undefined && least !== 0
      ? [
          least === most
            ? say.form.exactly(number(least), unit)
            : say.form.between(number(least), number(most), unit),
        ]
      : [
          ...(least === undefined || least === 0 ? [] : [say.form.least(number(least), unit)]),
          ...(most === undefined ? [] : [say.form.most(number(most), unit)]),
        ];
  return [
    ...range(say.form.characters, minLen, maxLen),
    ...range(say.form.items, minItems, maxItems),
    ...range(say.form.pairs, undefined, maxPairs),
    ...(gt === undefined ? [] : [say.form.more(number(gt))]),
    ...(lt === undefined ? [] : [say.form.less(number(lt))]),
    ...range("", isVast(gte) ? undefined : gte, isVast(lte) ? undefined : lte),
    ...(rules.email === true ? [say.form.email] : []),
  ];
}

/** A bound that is there for the node's sake only. */
function isVast(value: JsonValue | undefined): boolean {
  return value !== undefined && Math.abs(Number(value)) >= 1e15;
}

function number(value: JsonValue | undefined): string {
  return Number(value).toLocaleString();
}

function broken(rules: JsonObject, value: JsonValue): string | undefined {
  const { pattern, gte, lte, gt, lt } = rules;
  const length = typeof value === "string" ? [...value].length : Number.NaN;
  if (length < Number(rules.minLen ?? 0)) return say.form.tooShort(number(rules.minLen));
  if (length > Number(rules.maxLen ?? Number.POSITIVE_INFINITY)) {
    return say.form.tooLong(number(rules.maxLen), length.toLocaleString());
  }
  if (typeof value === "string" && isBroken(rules, value)) {
    return say.form.pattern(String(pattern));
  }
  const amount = Number(value);
  if (gte !== undefined && amount < Number(gte)) return say.form.below(number(gte));
  if (lte !== undefined && amount > Number(lte)) return say.form.above(number(lte));
  if (gt !== undefined && amount <= Number(gt)) return say.form.notMore(number(gt));
  if (lt !== undefined && amount >= Number(lt)) return say.form.notLess(number(lt));
  return undefined;
}

function isBroken({ pattern }: JsonObject, text: string): boolean {
  return typeof pattern === "string" && !expression(pattern).test(text);
}

/** A pattern of a contract; one that means something else here passes, and the node decides. */
function expression(pattern: string): { test: (text: string) => boolean } {
  try {
    return new RegExp(pattern, "u");
  } catch {
    return { test: () => true };
  }
}
