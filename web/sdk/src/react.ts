/**
 * Live queries for React.
 *
 * ```tsx
 * const { reply, error } = useWatch(stoa, LedgerService.method.getBalance, { account: "cash" });
 * ```
 */

import {
  create,
  type DescMessage,
  type DescMethodUnary,
  type MessageInitShape,
  toJsonString,
} from "@bufbuild/protobuf";
import { useMemo, useSyncExternalStore } from "react";

import type { Stoa } from "./stoa.js";
import { type Seen, watched } from "./watched.js";

/**
 * What a query says, as long as a component shows it: it is drawn anew when a commit changes that.
 * While nobody looks, because the tab is hidden or `isPaused` says so, nothing is watched.
 */
export function useWatch<I extends DescMessage, O extends DescMessage>(
  stoa: Stoa,
  method: DescMethodUnary<I, O>,
  request: MessageInitShape<I>,
  { isPaused = false }: { isPaused?: boolean } = {},
): Seen<O> {
  const key = toJsonString(method.input, create(method.input, request));
  // biome-ignore lint/correctness/useExhaustiveDependencies: the key is the request by its value
  const store = useMemo(() => watched(stoa, method, request), [stoa, method, key]);
  return useSyncExternalStore(isPaused ? nothing : store.subscribe, store.seen, store.seen);
}

const nothing = () => () => {};
