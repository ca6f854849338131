/**
 * Messages as JSON, larger and readable in a browser's network panel. What speaks binary loads none of it.
 *
 * ```ts
 * import { json } from "@stoa/sdk/json";
 * const stoa = connect({ url, codec: json });
 * ```
 */

import { fromJson, toJson } from "@bufbuild/protobuf";

import type { Codec } from "./transport.js";

/** What a newer node says besides what is known here is passed over. */
export const json: Codec = {
  name: "json",
  write: (desc, message) => new TextEncoder().encode(JSON.stringify(toJson(desc, message))),
  read: (desc, bytes) => {
    const value = JSON.parse(new TextDecoder().decode(bytes));
    return fromJson(desc, value, { ignoreUnknownFields: true });
  },
};
