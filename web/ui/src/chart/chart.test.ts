import { expect, test } from "vitest";

import { path } from "./chart.js";

test("a line is broken where nothing was measured", () => {
  const line = [1, 2, undefined, 3, 4].map((value, time) => ({ time, value }));
  const same = (value: number) => value;
  expect(path(line, same, same)).toBe("M0.0 1.0L1.0 2.0M3.0 3.0L4.0 4.0");
});
