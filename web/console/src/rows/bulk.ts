import type { JsonObject } from "@bufbuild/protobuf";

import { type Collection, keyOf } from "../contracts/collections.js";
import { type Failure, failure } from "../node.js";

type Action = Collection["actions"][number];

/** What a method may be asked besides which one it is about, where it is asked about many. */
const BESIDE = ["description", "reason", "note", "comment", "etag"];

/** What can be done to many: what needs to be told nothing but which. */
export function bulkOf({ actions }: Collection): Action[] {
  return actions.filter(
    ({ method, by }) =>
      method.desc.methodKind === "unary" &&
      !/^Update/.test(method.name) &&
      method.desc.input.fields.every((field) => field === by || BESIDE.includes(field.name)),
  );
}

/** What came of doing something to many. */
export interface Outcome {
  done: number;
  total: number;
  /** Each of those to which it could not be done, and why. */
  failed: { key: string; failure: Failure }[];
}

/**
 * Does something to one after the other, whatever becomes of each: what failed is told, and the rest is
 * done. `told` hears how far it is.
 */
export async function each(
  collection: Collection,
  { by }: Action,
  things: readonly JsonObject[],
  act: (request: JsonObject) => Promise<unknown>,
  told: (outcome: Outcome) => void,
): Promise<void> {
  const outcome: Outcome = { done: 0, total: things.length, failed: [] };
  for (const thing of things) {
    try {
      await act({ [by.jsonName]: thing[collection.id.jsonName] ?? "" });
      outcome.done += 1;
    } catch (thrown) {
      outcome.failed.push({ key: keyOf(collection, thing), failure: failure(thrown) });
    }
    told({ ...outcome, failed: [...outcome.failed] });
  }
}
