import type { JsonObject } from "@bufbuild/protobuf";
import { AuthService } from "@stoa/sdk/auth";
import { LedgerService } from "@stoa/sdk/ledger";
import { expect, test, vi } from "vitest";

import type { Collection } from "../contracts/collections.js";
import type { Method } from "../contracts/load.js";

vi.stubGlobal("location", { origin: "http://stoa.test" });
const { bulkOf, each } = await import("./bulk.js");

type Outcome = Parameters<Parameters<typeof each>[4]>[0];
const action = (desc: Method["desc"], by: string) => {
  const method = { name: desc.name, desc } as Method;
  return { method, by: desc.input.field[by] as Collection["id"] };
};
const { reverseTransfer, voidTransfer, shareAccount } = LedgerService.method;
const reverse = action(reverseTransfer, "id");
const transfers = {
  id: reverseTransfer.input.field.id,
  item: reverseTransfer.output.field.transfer.message,
  actions: [
    reverse,
    action(voidTransfer, "id"),
    action(shareAccount, "account"),
    action(AuthService.method.setPassword, "userId"),
  ],
} as unknown as Collection;

test("what is done to many is told nothing but which", () => {
  const names = bulkOf(transfers).map(({ method }) => method.name);
  expect(names).toEqual(["ReverseTransfer", "VoidTransfer"]);
});

test("what fails for one is told, and done to the others", async () => {
  const asked: JsonObject[] = [];
  const told: Outcome[] = [];
  const act = async (request: JsonObject) => {
    asked.push(request);
    if (request.id === "trf_2") throw new Error("it was reversed already");
  };
  const things = ["trf_1", "trf_2", "trf_3"].map((id) => ({ id }));
  await each(transfers, reverse, things, act, (outcome) => told.push(outcome));
  expect(asked).toEqual(things);
  expect(told.map(({ done, failed }) => [done, failed.length])).toEqual([
    [1, 0],
    [1, 1],
    [2, 1],
  ]);
  expect(told.at(-1)?.failed).toMatchObject([
    { key: "trf_2", failure: { title: "It was reversed already." } },
  ]);
});
