import type { JsonObject, JsonValue } from "@bufbuild/protobuf";

import type { Method } from "../contracts/load.js";

/** The same call from a shell, by HTTP. */
export function curl({ desc }: Method, request: JsonObject, origin = location.origin): string {
  return [
    `curl ${origin}/${desc.parent.typeName}/${desc.name}`,
    `-H "Authorization: Bearer $STOA_TOKEN"`,
    `-H 'Content-Type: application/json'`,
    `-d ${quoted(JSON.stringify(request))}`,
  ].join(" \\\n  ");
}

/** The same call by the command line. */
export function shell({ service, name }: Method, request: JsonObject): string {
  const command = name.replace(/(?<!^)[A-Z]/g, (letter) => `-${letter}`).toLowerCase();
  return `stoa ${service} ${command} --json ${quoted(JSON.stringify(request))}`;
}

/** The same call in TypeScript. */
export function typescript(
  { service, desc }: Method,
  request: JsonObject,
  origin = location.origin,
): string {
  const client = desc.parent.name;
  return [
    `import { connect } from "@stoa/sdk";`,
    `import { ${client} } from "@stoa/sdk/${service}";`,
    "",
    `const stoa = connect({ url: "${origin}", token: process.env.STOA_TOKEN });`,
    `const reply = await stoa.client(${client}).${desc.localName}(${literal(request)});`,
  ].join("\n");
}

/** The same call in Python, with nothing but what comes with it. */
export function python({ desc }: Method, request: JsonObject, origin = location.origin): string {
  const path = `${origin}/${desc.parent.typeName}/${desc.name}`;
  return [
    "import json, os, urllib.request",
    "",
    "request = urllib.request.Request(",
    `    ${JSON.stringify(path)},`,
    `    data=json.dumps(${pythonic(request, "    ")}).encode(),`,
    "    headers={",
    '        "Authorization": f"Bearer {os.environ[\'STOA_TOKEN\']}",',
    '        "Content-Type": "application/json",',
    "    },",
    ")",
    "with urllib.request.urlopen(request) as reply:",
    "    print(json.load(reply))",
  ].join("\n");
}

/** JSON as a programmer writes it in Python. */
function pythonic(value: JsonValue, indent: string): string {
  if (value === null) return "None";
  if (typeof value === "boolean") return value ? "True" : "False";
  // Python reads every escape of JSON but halves of a pair, which it is given whole.
  if (typeof value !== "object") return JSON.stringify(value);
  const inner = `${indent}    `;
  const parts = Array.isArray(value)
    ? value.map((item) => inner + pythonic(item, inner))
    : Object.entries(value).map(
        ([name, part]) => `${inner}${JSON.stringify(name)}: ${pythonic(part, inner)}`,
      );
  const [open, close] = Array.isArray(value) ? ["[", "]"] : ["{", "}"];
  return parts.length === 0
    ? `${open}${close}`
    : `${open}\n${parts.join(",\n")},\n${indent}${close}`;
}

/** For a shell: nothing in it means anything. */
function quoted(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}

/** JSON as a programmer writes it: names without quotes. */
function literal(value: JsonValue, indent = ""): string {
  if (typeof value !== "object" || value === null) return JSON.stringify(value);
  const inner = `${indent}  `;
  const parts = Array.isArray(value)
    ? value.map((item) => inner + literal(item, inner))
    : Object.entries(value).map(
        ([name, part]) => `${inner}${named(name)}: ${literal(part, inner)}`,
      );
  const [open, close] = Array.isArray(value) ? ["[", "]"] : ["{", "}"];
  return parts.length === 0
    ? `${open}${close}`
    : `${open}\n${parts.join(",\n")},\n${indent}${close}`;
}

function named(name: string): string {
  return /^[A-Za-z_$][\w$]*$/.test(name) ? name : JSON.stringify(name);
}
