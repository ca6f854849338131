import { expect, test } from "vitest";

import { place } from "./waterfall.js";

test("what comes after the first part has a scale of its own", () => {
  expect([0, 5, 10].map((time) => place(time, 10, 1010))).toEqual([0, 0.35, 0.7]);
  expect(place(510, 10, 1010)).toBeCloseTo(0.85);
  expect(place(9999, 10, 1010)).toBe(1);
});

test("where nothing comes after it, the first part has all of the width", () => {
  expect([0, 5, 10, 11].map((time) => place(time, 10, 10))).toEqual([0, 0.5, 1, 1]);
  expect(place(1, 0, 0)).toBe(0);
});
