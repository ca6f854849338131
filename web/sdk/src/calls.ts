import { MethodOptions_IdempotencyLevel as Idempotency } from "@bufbuild/protobuf/wkt";
import { Code, type Interceptor } from "@connectrpc/connect";

import { StoaError } from "./errors.js";
import { AUTHORIZATION, CREDENTIAL, KEY, POSITION, TENANT } from "./headers.js";

/** What the calls of one caller have in common. */
export interface Memory {
  token: string | undefined;
  position: string | undefined;
}

/** How calls are made. */
export interface Manner {
  tenant?: string;
  cookie?: boolean;
  attempts?: number;
  stepUp?: (() => Promise<boolean>) | undefined;
}

/** The first wait before another attempt; doubled for each later one. */
const BACKOFF_MS = 50;
/** Longer than this a call does not wait by itself, whatever the node says: it is refused instead. */
const WAIT_MAX_MS = 10_000;

/** Brings to every call of a caller what {@link connect} promises. */
export function calls(
  memory: Memory,
  manner: Manner,
  renew: (() => Promise<string>) | undefined,
): Interceptor {
  return (next) => async (request) => {
    const isOurs = !request.header.has(AUTHORIZATION);
    const reads = request.method.idempotency === Idempotency.NO_SIDE_EFFECTS;
    let isRenewed = false;
    let isProved = false;
    if (manner.tenant !== undefined && !request.header.has(TENANT)) {
      request.header.set(TENANT, manner.tenant);
    }
    for (let attempt = 1; ; attempt++) {
      if (isOurs && memory.token === undefined) memory.token = await renew?.();
      const token = isOurs ? memory.token : undefined;
      if (token !== undefined) request.header.set(AUTHORIZATION, `Bearer ${token}`);
      if (manner.cookie === true) request.header.set(CREDENTIAL, "cookie");
      const isKnown = !isOurs || token !== undefined || manner.cookie === true;
      if (isKnown && !reads && !request.stream && !request.header.has(KEY)) {
        request.header.set(KEY, crypto.randomUUID());
      }
      if (memory.position !== undefined) request.header.set(POSITION, memory.position);
      try {
        const reply = await next(request);
        memory.position = later(memory.position, reply.header.get(POSITION) ?? undefined);
        return reply;
      } catch (thrown) {
        const error = StoaError.from(thrown);
        const isLast = request.stream || attempt >= (manner.attempts ?? 4);
        if (isLast || request.signal.aborted) throw error;
        const isStale = token !== undefined && error.reason === "auth.token_invalid";
        if (isStale && renew !== undefined && !isRenewed) {
          isRenewed = true;
          // Another call may have brought a new one meanwhile.
          if (memory.token === token) memory.token = undefined;
        } else if (error.reason === "auth.step_up_required" && manner.stepUp && !isProved) {
          isProved = true;
          if (!(await manner.stepUp())) throw error;
        } else {
          // Strangers have no keys: what came of their command is not known.
          if (!reads && !request.header.has(KEY)) throw error;
          await pause(waitOf(error, attempt), request.signal);
        }
      }
    }
  };
}

/**
 * Of two positions the later one. A position is opaque but for this: a longer one is later than a
 * shorter one, and of two that are as long, the greater text is.
 */
export function later(one: string | undefined, other: string | undefined): string | undefined {
  if (one === undefined || other === undefined) return one ?? other;
  if (one.length !== other.length) return one.length > other.length ? one : other;
  return one > other ? one : other;
}

/**
 * How long to wait before another attempt, in milliseconds. The outcome of one that the node could
 * not be reached for is unknown; under its key, it happens once all the same.
 *
 * @throws the error itself, where another attempt would come to the same.
 */
function waitOf(error: StoaError, attempt: number): number {
  const backoff = BACKOFF_MS * 2 ** (attempt - 1) * (0.5 + Math.random());
  const wait = Math.max(backoff, error.retryAfterMs ?? 0);
  const isWorthIt =
    error.code === Code.Unavailable ||
    error.code === Code.Aborted ||
    (error.code === Code.ResourceExhausted && error.retryAfterMs !== undefined);
  if (!isWorthIt || wait > WAIT_MAX_MS) throw error;
  return wait;
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const stop = () => {
      clearTimeout(timer);
      reject(StoaError.from(signal.reason));
    };
    const timer = setTimeout(() => {
      signal.removeEventListener("abort", stop);
      resolve();
    }, ms);
    signal.addEventListener("abort", stop, { once: true });
  });
}

/** Whoever asks while an answer is on its way gets that one. */
export function shared<T>(ask: (() => Promise<T>) | undefined): (() => Promise<T>) | undefined {
  if (ask === undefined) return undefined;
  let coming: Promise<T> | undefined;
  return () => {
    coming ??= ask().finally(() => {
      coming = undefined;
    });
    return coming;
  };
}
