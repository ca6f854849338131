import { expect, test } from "vitest";

import { apart, extent } from "./scale.js";

const line = (...values: (number | null)[]) => [{ name: "", values }];

test("rates begin at nothing, latencies span powers of ten", () => {
  expect(extent(line(null, 50), false)).toEqual([0, 54]);
  expect(extent(line(0, null), false)).toEqual([0, 1]);
  expect(extent(line(-50, 0), false)).toEqual([-54, 0]);
  expect(extent(line(0, 0.3, null, 42), true)).toEqual([0.1, 100]);
  expect(extent(line(10), true)).toEqual([10, 100]);
  expect(extent(line(null), true)).toEqual([1, 10]);
});

test("labels that would cover one another stand apart, and within the plot", () => {
  expect(apart([10, 50], 12, 100)).toEqual([10, 50]);
  expect(apart([50, 48, 10], 12, 100)).toEqual([60, 48, 10]);
  expect(apart([99, 98, 97], 12, 100)).toEqual([100, 88, 76]);
});
