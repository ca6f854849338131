import type {
  DescMessage,
  DescMethodUnary,
  MessageInitShape,
  MessageShape,
} from "@bufbuild/protobuf";
import { Code } from "@connectrpc/connect";

import { StoaError } from "./errors.js";
import { watch } from "./live.js";
import type { Stoa } from "./stoa.js";

/** What a page has seen of a query. */
export interface Seen<O extends DescMessage> {
  /** What it said last; none before the first. */
  reply: MessageShape<O> | undefined;
  /** Why it says no more. */
  error: StoaError | undefined;
}

/** How long a page waits that could not reach the node at all, in milliseconds. */
const AGAIN_MS = 5_000;

/** A query that pages look at, in the way of `useSyncExternalStore` and its like. */
export interface Watched<O extends DescMessage> {
  subscribe(listener: () => void): () => void;
  seen(): Seen<O>;
}

/** A query that is watched while somebody looks at it, and the tab that does so is shown. */
export function watched<I extends DescMessage, O extends DescMessage>(
  stoa: Stoa,
  method: DescMethodUnary<I, O>,
  request: MessageInitShape<I>,
): Watched<O> {
  const listeners = new Set<() => void>();
  let seen: Seen<O> = { reply: undefined, error: undefined };
  let etag = "";
  let looking: AbortController | undefined;

  const tell = (now: Seen<O>) => {
    seen = now;
    for (const listener of listeners) listener();
  };

  const look = async (signal: AbortSignal) => {
    try {
      for await (const state of watch(stoa, method, request, { signal, etag })) {
        if (signal.aborted) return;
        etag = state.etag;
        tell({ reply: state.reply, error: undefined });
      }
    } catch (thrown) {
      if (signal.aborted) return;
      const error = StoaError.from(thrown);
      tell({ reply: seen.reply, error });
      if (error.code !== Code.Unavailable) return;
      const timer = setTimeout(() => void look(signal), AGAIN_MS);
      signal.addEventListener("abort", () => clearTimeout(timer), { once: true });
    }
  };

  const settle = () => {
    const wanted = listeners.size > 0 && globalThis.document?.visibilityState !== "hidden";
    if (wanted === (looking !== undefined)) return;
    looking?.abort();
    looking = wanted ? new AbortController() : undefined;
    if (looking) void look(looking.signal);
  };

  return {
    subscribe(listener) {
      listeners.add(listener);
      if (listeners.size === 1) {
        globalThis.document?.addEventListener("visibilitychange", settle);
      }
      settle();
      return () => {
        listeners.delete(listener);
        if (listeners.size === 0) {
          globalThis.document?.removeEventListener("visibilitychange", settle);
        }
        settle();
      };
    },
    seen: () => seen,
  };
}
