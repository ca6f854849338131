import { fromBinary, type JsonObject, toJson } from "@bufbuild/protobuf";
import type { Event } from "@stoa/sdk/system";

import type { Contracts } from "../contracts/load.js";

/** What an event says, if its contract is known here. */
export function told(
  { registry }: Contracts,
  { message, payload }: Pick<Event, "message" | "payload">,
): JsonObject | undefined {
  const desc = registry.getMessage(message);
  return desc && (toJson(desc, fromBinary(desc, payload), { registry }) as JsonObject);
}
