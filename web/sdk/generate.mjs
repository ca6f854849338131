// Generates typed clients of every contract. What a contract says to the node and not to its callers,
// rules, routes and what only services may call among it, would triple what a page has to load, and is
// left out.
import { execFileSync } from "node:child_process";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { resolve } from "node:path";

import { createFileRegistry, fromBinary, getOption } from "@bufbuild/protobuf";
import { FileDescriptorSetSchema } from "@bufbuild/protobuf/wkt";

const ROOT = resolve(import.meta.dirname, "../..");
const GEN = resolve(import.meta.dirname, "src/gen");
const BUF = resolve(ROOT, "tools/node_modules/.bin/buf");

/** What concerns no caller, wherever it stands. */
const LEFT_OUT = [
  "buf.validate",
  "google.api",
  ...["Column", "Event", "Job", "MoneyRules", "Problem", "Resource", "Table", "Total"],
  ...["amount_of", "effect", "form", "permission", "personal", "price", "prompt", "references"],
].map((name) => (name.includes(".") ? name : `stoa.v1.${name}`));

const buf = (...words) => execFileSync(BUF, words, { cwd: ROOT, maxBuffer: 1 << 28 });

/**
 * Methods that no client calls, with what they are asked and what they answer: those that only services
 * may call, and those that take HTTP as it comes, on a path of their own.
 */
function uncalled() {
  const built = buf("build", "--as-file-descriptor-set", "--output", "-");
  const registry = createFileRegistry(fromBinary(FileDescriptorSetSchema, built));
  const permission = registry.getExtension("stoa.v1.permission");
  const methods = [...registry].flatMap((desc) => (desc.kind === "service" ? desc.methods : []));
  return methods
    .filter(
      (method) =>
        getOption(method, permission) === "internal" ||
        method.input.fields.some(({ message }) => message?.typeName === "stoa.v1.HttpRequest"),
    )
    .flatMap(({ parent, name, input, output }) => [
      `${parent.typeName}.${name}`,
      input.typeName,
      output.typeName,
    ]);
}

/**
 * Descriptors are generated in base64, in which no compression finds a name again. Written as the bytes
 * that they are they travel in half of that.
 */
function packed(source) {
  const text = (base64) =>
    JSON.stringify(Buffer.from(base64, "base64").toString("latin1")).replaceAll(
      /[\x7f-\xff]/g,
      (byte) => `\\x${byte.charCodeAt(0).toString(16)}`,
    );
  return source.replace(
    /\bfileDesc\("([A-Za-z0-9+/=]+)"/,
    (_, base64) => `fileDesc(/*@__PURE__*/ btoa(${text(base64)})`,
  );
}

const excluded = [...LEFT_OUT, ...uncalled()].map((name) => `--exclude-type=${name}`);
buf("generate", "--template", "web/sdk/buf.gen.yaml", ...excluded);
for (const name of readdirSync(GEN, { recursive: true })) {
  if (!name.endsWith("_pb.ts")) continue;
  const path = resolve(GEN, name);
  writeFileSync(path, packed(readFileSync(path, "utf8")));
}
