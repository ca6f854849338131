import { create } from "@bufbuild/protobuf";
import { ParkedSchema } from "@stoa/sdk/system";
import { expect, test } from "vitest";

import { isAbout, subjects } from "./narrow.js";

test("events of a subject stand behind the one that failed", () => {
  const parked = [
    { subscription: "notify.hear", subject: "a", error: "no", position: "p1" },
    { subscription: "notify.hear", subject: "a", error: "", position: "p2" },
    { subscription: "orders.hear", subject: "a", error: "no", position: "p1" },
  ].map((event) => create(ParkedSchema, event));
  expect(subjects(parked).map(({ key, events, first }) => [key, events, first.position])).toEqual([
    ["notify.hear a", 2, "p1"],
    ["orders.hear a", 1, "p1"],
  ]);
});

test("an event is about words that stand in its topic, its subject or what it says", () => {
  const event = { topic: "orders.order", subject: "ord_1", said: { state: "PAID" } };
  const happened = { ...event, key: "", position: "", time: "" };
  expect(["orders", "ORD_1 paid", "paid"].every((words) => isAbout(happened, words))).toBe(true);
  expect(isAbout(happened, "orders shipped")).toBe(false);
});
