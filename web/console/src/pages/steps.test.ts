import { expect, test } from "vitest";

import { curve } from "./steps.js";

const DAY_S = 24 * 60 * 60;

test("a curve begins with nothing, and stays what it is for a while", () => {
  const steps = [
    { time: 0, value: 5 },
    { time: 40 * DAY_S, value: 7 },
  ];
  expect(curve(steps)).toEqual({
    times: [0, 0, 40 * DAY_S, 42 * DAY_S],
    values: [0, 5, 7, 7],
  });
});

test("one step is seen as well", () => {
  expect(curve([{ time: 0, value: 5 }])).toEqual({ times: [0, 0, DAY_S], values: [0, 5, 5] });
  expect(curve([])).toEqual({ times: [], values: [] });
});
