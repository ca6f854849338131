import { AccountSchema } from "@stoa/sdk/ledger";
import { OrderSchema } from "@stoa/sdk/orders";
import { expect, test } from "vitest";

import { sorted, sortOf, textOf } from "./sorted.js";

test("numbers of 64 bits are compared as numbers, however large, and nothing comes last", () => {
  const { balance } = AccountSchema.field;
  const rows = ["9", "1000000000000000001", "-5", "1000000000000000000"];
  const things = [{ id: "none" }, ...rows.map((balance) => ({ balance }))];
  const by = (isDescending: boolean) =>
    sorted(things, balance, isDescending).map(({ balance }) => balance);
  expect(by(false)).toEqual(["-5", "9", "1000000000000000000", "1000000000000000001", undefined]);
  expect(by(true)).toEqual(["1000000000000000001", "1000000000000000000", "9", "-5", undefined]);
});

test("times are compared as times, and money by its amount", () => {
  const { createTime, total } = OrderSchema.field;
  const times = ["2026-01-01T00:00:00.500Z", "2026-01-01T00:00:00Z", "1999-01-01T00:00:00Z"];
  const rows = times.map((createTime) => ({ createTime }));
  expect(sorted(rows, createTime, false).map(({ createTime }) => createTime)).toEqual([
    times[2],
    times[1],
    times[0],
  ]);
  const totals = ["900", "1000", "99"].map((amount) => ({ total: { amount, currency: "EUR" } }));
  const largest = sorted(totals, total, true).map(
    ({ total }) => (total as { amount: string }).amount,
  );
  expect(largest).toEqual(["1000", "900", "99"]);
});

test("texts that look like numbers are texts", () => {
  const { code } = AccountSchema.field;
  const rows = ["b", "A", "10", "9"].map((code) => ({ code }));
  expect(sorted(rows, code, false).map(({ code }) => code)).toEqual(["10", "9", "A", "b"]);
});

test("an order is in an address as it was chosen", () => {
  for (const text of ["balance", "-balance", undefined]) expect(textOf(sortOf(text))).toBe(text);
  expect(sortOf("")).toBeUndefined();
});
