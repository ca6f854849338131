import type { CallOptions } from "@connectrpc/connect";

export const AUTHORIZATION = "authorization";
export const CREDENTIAL = "stoa-credential";
export const KEY = "idempotency-key";
export const POSITION = "stoa-position";
export const TENANT = "stoa-tenant";

/**
 * Options for a call under a key of one's own, such as the id of what caused it: however often it is
 * made, today or tomorrow, by this program or by another, it happens once.
 */
export function withKey(key: string, options: CallOptions = {}): CallOptions {
  const headers = new Headers(options.headers);
  headers.set(KEY, key);
  return { ...options, headers };
}
