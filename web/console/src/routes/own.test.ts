import { expect, test } from "vitest";

import { backTo } from "./own.js";

const HERE = "https://id.example";

test("who signed in goes on at a page of the node", () => {
  expect(backTo("/oauth2/authorize?client_id=a&state=b%26c", HERE)).toBe(
    "/oauth2/authorize?client_id=a&state=b%26c",
  );
  expect(backTo(`${HERE}/oauth2/device`, HERE)).toBe("/oauth2/device");
});

test("no address leads elsewhere", () => {
  for (const to of [
    "https://evil.example/oauth2/authorize",
    "//evil.example/oauth2/authorize",
    "/\\evil.example/oauth2/authorize",
    "https:evil.example/oauth2/",
    "javascript:alert(1)//oauth2/",
    "data:text/html,/oauth2/",
    "/oauth2/../data",
    "/oauth2/%2e%2e/data",
    "/oauth2",
    "\t//evil.example/oauth2/",
    "http://[",
    "",
  ]) {
    expect(backTo(to, HERE), to).not.toMatch(/evil|script|data:/);
    expect(new URL(backTo(to, HERE), HERE).pathname, to).toBe("/");
  }
});
