import { expect, test } from "vitest";

import { between, read } from "./metrics.js";

const text = (calls: number, quick: number, errors: number) => `
# TYPE stoa_call_seconds histogram
stoa_call_seconds_bucket{le="0.01",method="a/B"} ${quick}
stoa_call_seconds_bucket{le="0.1",method="a/B"} ${calls}
stoa_call_seconds_bucket{le="+Inf",method="a/B"} ${calls}
stoa_call_seconds_count{method="a/B"} ${calls}
stoa_call_seconds_count{method="a/C"} 0
stoa_call_errors_total{method="a/B",code="not_found"} ${errors}
`;

test("what happened is the difference between two looks", () => {
  const [before, after] = [read(text(100, 90, 1), 0), read(text(300, 290, 5), 2_000)];
  const load = between(before, after);
  expect([load.calls, load.errors]).toEqual([100, 2]);
  expect(load.p50).toBeCloseTo(5);
  expect(load.p99).toBeCloseTo(9.9);
});

test("a node that was started again, and a page that slept, leave a gap", () => {
  const nothing = { calls: undefined, errors: undefined, p50: undefined, p99: undefined };
  const first = read(text(100, 90, 1), 0);
  expect(between(undefined, first)).toEqual({ time: 0, ...nothing });
  expect(between(first, read(text(3, 3, 0), 2_000))).toEqual({ time: 2_000, ...nothing });
  expect(between(first, read(text(200, 190, 1), 60_000))).toEqual({ time: 60_000, ...nothing });
  const idle = between(first, read(text(100, 90, 1), 2_000));
  expect([idle.calls, idle.p50]).toEqual([0, undefined]);
});
