import { expect, test } from "vitest";

import { dataOf } from "./data.js";

const DAY_MS = 24 * 60 * 60 * 1000;

test("a curve begins with nothing, and stays what it is for a while", () => {
  const [times, values] = dataOf([
    { time: 0, value: 5 },
    { time: 40 * DAY_MS, value: 7 },
  ]);
  expect(values).toEqual([0, 5, 7, 7]);
  expect(times).toEqual([0, 0, (40 * DAY_MS) / 1000, (42 * DAY_MS) / 1000]);
});

test("one step is seen as well", () => {
  expect(dataOf([{ time: 0, value: 5 }])).toEqual([
    [0, 0, DAY_MS / 1000],
    [0, 5, 5],
  ]);
  expect(dataOf([])).toEqual([[], []]);
});
