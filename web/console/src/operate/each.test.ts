import { expect, test } from "vitest";

import { type Outcome, toEach } from "./each.js";

test("all are tried, and what failed is told one by one", async () => {
  const tried: string[] = [];
  const told: Outcome[] = [];
  const act = async (key: string) => {
    tried.push(key);
    if (key.startsWith("bad")) throw new Error(`${key} is gone`);
  };
  const keys = ["a", "bad 1", "b", "bad 2", "c", "d"];
  const outcome = await toEach(keys, act, (outcome) => told.push(outcome));
  expect(tried.sort()).toEqual([...keys].sort());
  expect([outcome.done, outcome.all]).toEqual([4, 6]);
  expect(outcome.failed.map(({ key, thrown }) => [key, String(thrown)])).toEqual([
    ["bad 1", "Error: bad 1 is gone"],
    ["bad 2", "Error: bad 2 is gone"],
  ]);
  expect(told.map(({ done, failed }) => done + failed.length)).toEqual([1, 2, 3, 4, 5, 6]);
});
