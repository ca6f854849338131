import { existsSync, readdirSync, readFileSync } from "node:fs";
import { resolve } from "node:path";
import { gzipSync } from "node:zlib";
import { build, type Plugin } from "esbuild";
import { expect, test } from "vitest";

/** What a page loads that calls one service, and what each further one adds: bytes as they travel. */
const ONE_MAX = 25_000;
const SERVICE_MAX = 6_000;
/** What promises the most: their descriptors alone are 3 kB to 5 kB. No number of these grows by itself. */
const LARGE: { [service: string]: number } = {
  system: 26_900,
  auth: 27_100,
  oidc: 25_900,
  certs: 25_400,
};
const DIST = resolve(import.meta.dirname, "../dist");

const services = readdirSync(`${DIST}/gen/stoa`).filter((name) =>
  existsSync(`${DIST}/gen/stoa/${name}/v1/${name}_pb.js`),
);

async function size(contents: string, files: Record<string, string> = {}): Promise<number> {
  const given: Plugin = {
    name: "given",
    setup({ onResolve, onLoad }) {
      onResolve({ filter: /^\.\/\w+$/ }, ({ path, importer }) =>
        importer === "<stdin>" ? { path: path.slice(2), namespace: "given" } : undefined,
      );
      onLoad({ filter: /./, namespace: "given" }, ({ path }) => ({
        contents: files[path] ?? "",
        resolveDir: import.meta.dirname,
      }));
    },
  };
  const { outputFiles } = await build({
    stdin: { contents, resolveDir: import.meta.dirname },
    plugins: [given],
    bundle: true,
    minify: true,
    format: "esm",
    write: false,
  });
  return gzipSync(outputFiles[0]?.contents ?? "", { level: 9 }).length;
}

const clientOf = (service: string) => {
  const name = `${service.charAt(0).toUpperCase()}${service.slice(1)}Service`;
  return `
    import { connect } from "@stoa/sdk";
    import { ${name} } from "@stoa/sdk/${service}";
    export const ${service} = connect({ url: location.origin }).client(${name});
  `;
};

test("there is a client of every service", () => {
  const promised = readdirSync(resolve(import.meta.dirname, "../../../proto/stoa"));
  expect([...services].sort()).toEqual(promised.filter((name) => name !== "v1").sort());
});

test("what no client calls is in none", () => {
  const left: string[] = [];
  const missing: string[] = [];
  for (const service of services) {
    const contract = `../../../proto/stoa/${service}/v1/${service}.proto`;
    const source = readFileSync(resolve(import.meta.dirname, contract), "utf8");
    const client = readFileSync(`${DIST}/gen/stoa/${service}/v1/${service}_pb.d.ts`, "utf8");
    const methods = /rpc (\w+)\([^;]*?\(stoa\.v1\.permission\) = "(\w+)/g;
    for (const [, name = "", permission] of source.matchAll(methods)) {
      // What takes HTTP as it comes has a path of its own.
      const raw = new RegExp(`message ${name}Request \\{[^}]*stoa\\.v1\\.HttpRequest`);
      if (permission === "internal" || raw.test(source)) left.push(name);
      if (!client.includes(`input: typeof ${name}RequestSchema;`)) missing.push(name);
    }
  }
  expect(left.length).toBeGreaterThan(20);
  expect(missing.sort()).toEqual(left.sort());
});

test.each(services)("a page that calls %s alone is small", async (service) => {
  expect(await size(clientOf(service))).toBeLessThanOrEqual(LARGE[service] ?? ONE_MAX);
});

test("a further service adds little", async () => {
  const whole = services.map((service) => `export * from "./${service}"`);
  const files = Object.fromEntries(services.map((one) => [one, clientOf(one)]));
  const all = await size(whole.join("\n"), files);
  const one = await size(clientOf("users"));
  expect((all - one) / (services.length - 1)).toBeLessThanOrEqual(SERVICE_MAX);
});

test("who speaks binary loads no JSON", async () => {
  const json = await size(`import { json } from "@stoa/sdk/json"; export const codec = json;
    ${clientOf("users")}`);
  expect(json - (await size(clientOf("users")))).toBeGreaterThan(5_000);
});
