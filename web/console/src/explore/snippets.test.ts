import { execFileSync } from "node:child_process";
import { LedgerService } from "@stoa/sdk/ledger";
import { expect, test } from "vitest";

import type { Method } from "../contracts/load.js";
import { curl, python, shell, typescript } from "./snippets.js";

const method: Method = {
  name: "CreateTransfer",
  service: "ledger",
  desc: LedgerService.method.createTransfer,
  kind: "command",
  permission: "ledger.transfers.create",
  doc: "",
};
const request = {
  description: `it's "$HOME" \`id\``,
  legs: [{ amount: "5" }],
  metadata: { "a-b": "c" },
};

/** What a shell makes of a command's words. */
function words(command: string): string[] {
  const text = execFileSync("sh", ["-c", command.replace(/^\w+/, "printf '%s\\n'")]);
  return text.toString().trim().split("\n");
}

test("a shell takes the request as it is, whatever is in it", () => {
  expect(JSON.parse(words(shell(method, request)).at(-1) ?? "")).toEqual(request);
  const said = words(curl(method, request, "http://stoa.test"));
  expect(said[0]).toBe("http://stoa.test/stoa.ledger.v1.LedgerService/CreateTransfer");
  expect(JSON.parse(said.at(-1) ?? "")).toEqual(request);
});

test("TypeScript is what a programmer would write", () => {
  const lines = typescript(method, request, "http://stoa.test").split("\n");
  expect(lines[1]).toBe('import { LedgerService } from "@stoa/sdk/ledger";');
  expect(lines[4]).toBe("const reply = await stoa.client(LedgerService).createTransfer({");
  expect(lines).toContain('    "a-b": "c",');
  expect(lines.at(-1)).toBe("});");
});

test("Python sends the request as it is, whatever is in it", () => {
  const odd = {
    ...request,
    note: 'tab\t, quote ", 😀',
    flag: true,
    none: [],
    deep: { a: [1, null] },
  };
  const text = python(method, odd, "http://stoa.test");
  // What would be sent, without sending it.
  const said = text.replace(/with urllib[\s\S]*/, "print(request.full_url, request.data.decode())");
  const env = { ...process.env, STOA_TOKEN: "stoa_s_x" };
  const [url, ...body] = execFileSync("python3", ["-c", said], { env }).toString().split(" ");
  expect(url).toBe("http://stoa.test/stoa.ledger.v1.LedgerService/CreateTransfer");
  expect(JSON.parse(body.join(" "))).toEqual(odd);
});
