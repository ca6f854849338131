import { create } from "@bufbuild/protobuf";
import { LoadPointSchema } from "@stoa/sdk/system";
import { expect, test } from "vitest";

import { bytes, digits, grid, latency, line, milliseconds, rate } from "./points.js";
import { bounds, isMoving, spanOf, zoomed } from "./span.js";

const point = (seconds: number, calls: bigint, p50Us = 0n) =>
  create(LoadPointSchema, { time: { seconds: BigInt(seconds), nanos: 0 }, calls, p50Us });

test("a step in which the node did not run is a gap, and one without calls is none in rates", () => {
  const points = [point(10, 20n, 1500n), point(20, 0n), point(60, 5n, 2500n)];
  const { times, at } = grid(points, 10);
  expect(times).toEqual([10, 20, 30, 60]);
  expect(
    line(
      "calls",
      at,
      10,
      rate(({ calls }) => calls),
    ).values,
  ).toEqual([2, 0, null, 0.5]);
  expect(
    line(
      "p50",
      at,
      10,
      latency(({ p50Us }) => p50Us),
    ).values,
  ).toEqual([1.5, null, null, 2.5]);
});

test("where the clock was set back the time goes on from what it was", () => {
  expect(grid([point(30, 1n), point(20, 1n), point(40, 1n)], 10).times).toEqual([30, 40]);
});

test("numbers have the unit that fits them", () => {
  const times = [0, 0.25, 1, 12.34, 999, 1500, 90_000].map(milliseconds);
  expect(times).toEqual(["0 ms", "250 µs", "1 ms", "12.3 ms", "999 ms", "1.5 s", "1.5 min"]);
  expect([0, 0.004, 0.014, 12].map(digits)).toEqual(["0", "<0.01", "0.01", "12"]);
  expect([0, 512, 1536, 300 << 20].map(bytes)).toEqual(["0 B", "512 B", "1.5 KiB", "300 MiB"]);
});

test("an address says a span, and one that says none means the last hour", () => {
  expect(bounds(spanOf({}), 10_000)).toEqual([6400, 10_000]);
  expect(bounds(spanOf({ last: "15m", method: "a/B" }), 10_000)).toEqual([9100, 10_000]);
  expect(spanOf({ last: "1y", from: 5, to: 4, method: 3 })).toEqual({});
  const span = spanOf({ last: "2h", from: 4, to: 5, method: "a/B" });
  expect(span).toEqual({ from: 4, to: 5, method: "a/B" });
  expect([isMoving(span), isMoving({})]).toEqual([false, true]);
});

test("who drags over little sees a few points all the same", () => {
  expect(zoomed({ last: "1h", method: "a/B" }, 100.4, 400.2, 10)).toEqual({
    method: "a/B",
    from: 100,
    to: 401,
  });
  expect(zoomed({}, 100, 102, 10)).toEqual({ from: 71, to: 131 });
});
