import { readdirSync, readFileSync } from "node:fs";
import { resolve } from "node:path";
import { parseSync } from "vite";
import { expect, test } from "vitest";

const WEB = resolve(import.meta.dirname, "../..");
/** Where texts stand that are no page's: the catalogue, calls in other languages, the page of parts. */
const APART = /\/src\/(strings|explore\/(snippets|graphql)|routes\/showcase)|\.test\.tsx?$/;
/** Attributes and properties that a reader sees, or hears; `name` of an input is none. */
const TOLD = /^(about|alt|aria-label|breakLabel|help|label|lead|next|placeholder|rule|title)$/;
/** What has two words and is for machines. */
const CODE = /^\[data-|px Inter,|^\(prefers-|^username webauthn$/;

// biome-ignore lint/suspicious/noExplicitAny: a tree of whatever a parser gives
type Node = any;

/** Texts that people read and that stand in a source itself: whatever has two words, and all that is shown. */
function texts(path: string, source: string): string[] {
  const { program, errors } = parseSync(path, source);
  expect(errors).toEqual([]);
  const found = new Set<string>();
  const note = (text: unknown, { start }: Node, pattern: RegExp) => {
    if (typeof text !== "string" || !pattern.test(text) || CODE.test(text)) return;
    const line = source.slice(0, start).split("\n").length;
    found.add(`${path}:${line} ${text.trim().replaceAll(/\s+/g, " ")}`);
  };
  /** What an expression comes to, where that is a text. */
  const shown = (node: Node): void => {
    if (node?.type === "Literal") note(node.value, node, /\p{L}/u);
    if (node?.type === "TemplateLiteral")
      for (const part of node.quasis) note(part.value.raw, part, /\p{L}/u);
    if (node?.type === "JSXExpressionContainer") shown(node.expression);
    for (const way of [node?.consequent, node?.alternate, node?.right]) if (way) shown(way);
  };
  const visit = (node: Node): void => {
    if (Array.isArray(node)) for (const one of node) visit(one);
    if (typeof node?.type !== "string") return;
    // What is thrown so is for whoever wrote the page.
    if (node.type === "NewExpression" && node.callee.name === "Error") return;
    if (node.type === "Literal") note(node.value, node, /\p{L}[,:]? \p{L}/u);
    if (node.type === "TemplateElement") note(node.value.raw, node, /\p{L}[,:]? \p{L}/u);
    if (node.type === "JSXText") note(node.value, node, /\p{L}/u);
    if (node.type === "JSXElement" || node.type === "JSXFragment") {
      for (const child of node.children) if (child.type === "JSXExpressionContainer") shown(child);
    }
    if (node.type === "JSXAttribute" && TOLD.test(node.name.name)) shown(node.value);
    if (node.type === "Property" && TOLD.test(node.key.name)) shown(node.value);
    for (const part of Object.values(node)) if (typeof part === "object") visit(part);
  };
  visit(program);
  return [...found];
}

test("a text that stands where it is shown is found", () => {
  const source = [
    "const columns = [{ id: 'a', title: 'state' }];",
    "export const Page = ({ isOpen }) => (",
    "  <p id='one' title={isOpen ? 'open' : css.a}>Hello{isOpen && 'world'}</p>",
    ");",
    "const more = `one and two`;",
  ];
  expect(texts("a.tsx", source.join("\n"))).toEqual([
    "a.tsx:1 state",
    "a.tsx:3 world",
    "a.tsx:3 open",
    "a.tsx:3 Hello",
    "a.tsx:5 one and two",
  ]);
});

test("what people read stands in the catalogue", () => {
  const sources = ["console/src", "ui/src"].flatMap((folder) =>
    readdirSync(resolve(WEB, folder), { recursive: true })
      .map((name) => `${folder}/${name}`)
      .filter((path) => /\.tsx?$/.test(path) && !APART.test(path)),
  );
  expect(sources.length).toBeGreaterThan(60);
  const found = sources.flatMap((path) => texts(path, readFileSync(resolve(WEB, path), "utf8")));
  expect(found).toEqual([]);
});
