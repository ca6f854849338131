import { expect, test } from "vitest";

import { ago, brief, digits, major, minor, prefixOf, short, timeOf, words } from "./values.js";

test("money is exact, however large, and has the digits of its currency", () => {
  expect(major("1399093", "EUR").replaceAll(/\D/g, "")).toBe("1399093");
  expect(major("-5", "EUR")).toMatch(/^-0\D05$/);
  expect(major("1234", "JPY").replaceAll(/\D/g, "")).toBe("1234");
  expect(major("1", "KWD")).toMatch(/^0\D001$/);
  expect(major("9007199254740993", "EUR").replaceAll(/\D/g, "")).toBe("9007199254740993");
  expect([digits("EUR"), digits("JPY"), digits("no currency")]).toEqual([2, 0, 2]);
});

test("what is typed as money becomes minor units, or is refused", () => {
  expect(minor("12.5", "EUR")).toBe("1250");
  expect(minor("12,50", "EUR")).toBe("1250");
  expect(minor("-0.01", "EUR")).toBe("-1");
  expect(minor("7", "JPY")).toBe("7");
  for (const wrong of ["12.345", "1 000", "", "x"]) expect(minor(wrong, "EUR")).toBeUndefined();
  expect(minor("7.5", "JPY")).toBeUndefined();
});

test("a time can be said", () => {
  const now = Date.parse("2026-01-02T03:04:05Z");
  expect(timeOf("now", now)).toBe("2026-01-02T03:04:05.000Z");
  expect(timeOf("in 2 h", now)).toBe("2026-01-02T05:04:05.000Z");
  expect(timeOf("3 days ago", now)).toBe("2025-12-30T03:04:05.000Z");
  expect(timeOf("2026-05-06T07:08:09Z", now)).toBe("2026-05-06T07:08:09.000Z");
  for (const wrong of ["in 2 h ago", "2 h", "soon", "7"])
    expect(timeOf(wrong, now)).toBeUndefined();
  expect(ago("2026-01-02T01:04:05Z", now)).toMatch(/2/);
});

test("identifiers are known by what they begin with", () => {
  expect(prefixOf("usr_01jd2q9v3w8m4k7h5f6g0e1d2c")).toBe("usr_");
  expect(prefixOf("wallets/ada")).toBeUndefined();
  expect(short("usr_01jd2q9v3w8m4k7h5f6g0e1d2c")).toBe("usr_…0e1d2c");
  expect(short("wallets/ada")).toBe("wallets/ada");
  expect(brief("job:job_01jd2q9v3w8m4k7h5f6g0e1d2c of user:usr_01jd2q9v3w8m4k7h5f6g0e1d2c")).toBe(
    "job:job_…0e1d2c of user:usr_…0e1d2c",
  );
  expect(brief("stoa.ledger.v1.LedgerService/CreateTransfer")).toBe("ledger / CreateTransfer");
  expect(brief("customers/ada")).toBe("customers/ada");
  expect(words("ACCOUNT_KIND_ASSET", "account_kind_")).toBe("asset");
});
