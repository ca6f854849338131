import { create } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { GetCommitResponseSchema } from "@stoa/sdk/system";
import { expect, test } from "vitest";

import { sql, story } from "./story.js";

const PLACE = "stoa.orders.v1.OrdersService/PlaceOrder";
const RESERVE = "stoa.inventory.v1.InventoryService/Reserve";
const colour = (service: string) => ["orders", "inventory", "notify"].indexOf(service);

const span = (kind: string, depth: bigint, startUs: bigint, durationUs: bigint, name = "") => ({
  kind,
  depth,
  startUs,
  durationUs,
  name,
});

const reply = create(GetCommitResponseSchema, {
  commit: {
    method: PLACE,
    durationUs: 600n,
    time: timestampFromMs(1000),
    events: [{ topic: "orders.order", ordinal: 0n }],
  },
  caused: [
    {
      method: "stoa.notify.v1.NotifyService/Send",
      position: "p2",
      durationUs: 100n,
      time: timestampFromMs(1005),
    },
  ],
  timeline: {
    spans: [
      span("request", 0n, 0n, 1000n),
      span("queue", 1n, 0n, 100n),
      span("command", 1n, 100n, 600n),
      span("statement", 2n, 100n, 20n, "SELECT a FROM orders_order WHERE id = $1"),
      span("statement", 2n, 130n, 10n, "INSERT INTO orders_order VALUES ($1)"),
      span("call", 2n, 200n, 300n, RESERVE),
      span("statement", 3n, 210n, 50n, "UPDATE inventory_stock SET a = $1"),
      span("statement", 2n, 600n, 5n, "SELECT b FROM orders_order"),
      span("disk", 1n, 700n, 300n),
    ],
  },
});

test("statements that follow one another are one step, of the method that ran them", () => {
  const { steps, durable, end } = story(reply, colour);
  expect(steps.map(({ label, depth, note, colour }) => [label, depth, note, colour])).toEqual([
    ["Waits in the queue", 1, "100 µs", undefined],
    ["orders / PlaceOrder", 1, "600 µs", 0],
    ["2 statements", 2, "30 µs", 0],
    ["inventory / Reserve", 2, "300 µs", 1],
    ["1 statement", 3, "50 µs", 1],
    ["1 statement", 2, "5 µs", 0],
    ["Made durable", 1, "300 µs", undefined],
    ["Event orders.order", 1, "", 0],
    ["notify / Send", 1, "100 µs", 2],
  ]);
  expect(steps[2]?.folded?.map(({ label }) => label)).toEqual([
    "SELECT orders_order",
    "INSERT orders_order",
  ]);
  expect([steps[2]?.start, steps[2]?.took]).toEqual([100, 40]);
  // What it caused began five milliseconds after its command did.
  expect([durable, steps.at(-1)?.start, end]).toEqual([1000, 5100, 5200]);
});

test("of a commit whose course is not known any more there is its command", () => {
  const { timeline: _, ...rest } = reply;
  const { steps, durable } = story(create(GetCommitResponseSchema, rest), colour);
  expect(steps[0]).toMatchObject({ label: "orders / PlaceOrder", start: 0, took: 600 });
  expect(durable).toBe(600);
});

test("a statement is called by what it does", () => {
  expect(sql("  select x from ledger_entry where a = $1")).toBe("SELECT ledger_entry");
  expect(sql("DELETE FROM stoa_job WHERE id = $1")).toBe("DELETE stoa_job");
  expect(sql("WITH x AS (SELECT 1 FROM a_b) SELECT 1")).toBe("WITH a_b");
});
