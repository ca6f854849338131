import { existsSync, readdirSync } from "node:fs";
import { resolve } from "node:path";
import { gzipSync } from "node:zlib";
import { build } from "esbuild";
import { expect, test } from "vitest";

/** What a page loads once, whatever it calls, and what a service adds: bytes as they travel. */
const BASE_MAX = 36_000;
const SERVICE_MAX = 6_000;
const DIST = resolve(import.meta.dirname, "../dist");

const services = readdirSync(`${DIST}/gen/stoa`).filter((name) =>
  existsSync(`${DIST}/gen/stoa/${name}/v1/${name}_pb.js`),
);

async function size(contents: string): Promise<number> {
  const { outputFiles } = await build({
    stdin: { contents, resolveDir: import.meta.dirname },
    bundle: true,
    minify: true,
    format: "esm",
    write: false,
  });
  return gzipSync(outputFiles[0]?.contents ?? "", { level: 9 }).length;
}

const base = size(`export { connect } from "@stoa/sdk"`);

test("there is a client of every service", () => {
  const promised = readdirSync(resolve(import.meta.dirname, "../../../proto/stoa"));
  expect([...services].sort()).toEqual(promised.filter((name) => name !== "v1").sort());
});

test("what all services stand on is small enough for a page", async () => {
  expect(await base).toBeLessThanOrEqual(BASE_MAX);
});

test.each(services)("%s adds little to that", async (service) => {
  const name = `${service.charAt(0).toUpperCase()}${service.slice(1)}Service`;
  const whole = await size(`
    import { connect } from "@stoa/sdk";
    import { ${name} } from "@stoa/sdk/${service}";
    export const client = connect({ url: location.origin }).client(${name});
  `);
  const added = whole - (await base);
  expect(added).toBeLessThanOrEqual(SERVICE_MAX);
});
