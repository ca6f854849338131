import { type DescMethodUnary, fromJson, type JsonValue, toJson } from "@bufbuild/protobuf";
import { Code, ConnectError } from "@connectrpc/connect";
import { connect, StoaError, watched } from "@stoa/sdk";

import type { Contracts, Method } from "./contracts/load.js";
import { prove } from "./proof.js";
import { say } from "./strings.js";

/** The node that these pages come from, called with the session that the browser keeps. */
export const stoa = connect({ url: location.origin, cookie: true, stepUp: prove });

/** The same, called by whoever is not signed in. */
export const nobody = connect({ url: location.origin });

/** What came of a call. */
export interface Reply {
  json: JsonValue;
  /** The position that the reply carried. */
  position: string | undefined;
  /** Whether it is the reply of an earlier call under the same key. */
  isReplay: boolean;
  /** How long it took, in milliseconds. */
  took: number;
}

interface Manner {
  signal?: AbortSignal | undefined;
  key?: string | undefined;
}

/** Calls a method that is known at run time only, in JSON. */
export async function call(
  contracts: Contracts,
  method: Method,
  request: JsonValue,
  { signal, key }: Manner = {},
): Promise<Reply> {
  const { registry } = contracts;
  if (method.desc.methodKind !== "unary") throw new Error(`${method.name} is a stream`);
  const desc = method.desc as DescMethodUnary;
  const message = fromJson(desc.input, request, { registry });
  const start = performance.now();
  const headers = key === undefined ? undefined : { "idempotency-key": key };
  const reply = await stoa.transport.unary(desc, signal, undefined, headers, message);
  return {
    json: toJson(desc.output, reply.message, { registry, alwaysEmitImplicit: true }),
    position: reply.header.get("stoa-position") ?? undefined,
    isReplay: reply.header.has("idempotency-replayed"),
    took: performance.now() - start,
  };
}

/**
 * Watches a query that is known at run time only, in JSON, while this tab is shown: `told` hears what it
 * says and each time that changes, and `undefined` where it cannot be watched. Gives what ends it.
 */
export function follow(
  { registry }: Contracts,
  { desc }: Method,
  request: JsonValue,
  told: (json: JsonValue | undefined) => void,
): () => void {
  if (desc.methodKind !== "unary") throw new Error(`${desc.name} is a stream`);
  const { input, output } = desc;
  const query = watched(stoa, desc as DescMethodUnary, fromJson(input, request, { registry }));
  return query.subscribe(() => {
    const { reply, error } = query.seen();
    const isThere = reply !== undefined && error === undefined;
    told(isThere ? toJson(output, reply, { registry, alwaysEmitImplicit: true }) : undefined);
  });
}

/** What is still to be proved behind a password or a link: by which of what there is, and with what. */
export interface Asked {
  ticket: string;
  kinds: readonly string[];
}

/** Opens a session, or gives what is still to be proved. */
export function signIn(login: string, password: string): Promise<Asked | undefined> {
  return enter({ login, password, ...LABEL });
}

/** Signs in by a link that was sent by mail: as {@link signIn}. */
export function signInByLink(secret: string): Promise<Asked | undefined> {
  return enter({ secret, signIn: LABEL });
}

/** Signs in by what a passkey signed. */
export function signInByPasskey(passkey: string): Promise<Asked | undefined> {
  return enter({ passkey, ...LABEL });
}

/** Opens the session that a ticket stands for, by a code of a program, a recovery code or a passkey. */
export function verify(
  ticket: string,
  proof: { code: string } | { recoveryCode: string } | { passkey: string },
): Promise<Asked | undefined> {
  return enter({ ticket, ...proof, ...LABEL });
}

/** What a session of this browser is called among others. */
const LABEL = { label: say.door.session };

/** The browser keeps the session's token where no script can read it. */
async function enter(body: object): Promise<Asked | undefined> {
  const asked = await session("POST", body);
  if (asked === undefined && !(await isSignedIn())) throw new Refused(NOT_KEPT);
  return asked;
}

/** A browser keeps a session that is sent in the clear on its own machine only. */
const NOT_KEPT: Refusal = {
  code: "unauthenticated",
  reason: "console.session_not_kept",
  message: say.failures.notKept,
  violations: [],
  next: say.failures.notKeptNext,
};

/** Ends the session. */
export async function signOut(): Promise<void> {
  await session("DELETE");
}

async function session(method: "POST" | "DELETE", body?: object): Promise<Asked | undefined> {
  const headers = { "content-type": "application/json", "stoa-credential": "cookie" };
  const init = body === undefined ? {} : { body: JSON.stringify(body) };
  const answer = await fetch("/-/session", { method, headers, ...init });
  if (!answer.ok) throw new Refused((await answer.json()) as Refusal);
  return answer.status === 200 ? ((await answer.json()) as Asked) : undefined;
}

/** Whether somebody is signed in. */
export async function isSignedIn(): Promise<boolean> {
  const answer = await fetch("/-/session", { headers: { "stoa-credential": "cookie" } });
  if (!answer.ok) throw new Refused((await answer.json()) as Refusal);
  return ((await answer.json()) as { subject: string }).subject !== "";
}

/** The encoded descriptors of everything that can be called. */
export async function descriptors(): Promise<Uint8Array> {
  const answer = await fetch("/-/descriptors", { headers: { "stoa-credential": "cookie" } });
  if (!answer.ok) throw new Refused((await answer.json()) as Refusal);
  return new Uint8Array(await answer.arrayBuffer());
}

interface Refusal {
  code: string;
  reason: string;
  message: string;
  violations: { path: string; message: string }[];
  next: string;
}

class Refused extends Error {
  constructor(readonly refusal: Refusal) {
    super(refusal.message);
  }
}

/** A failure, as pages show it. */
export interface Failure {
  title: string;
  reason?: string | undefined;
  next?: string | undefined;
  violations: readonly { path: string; message: string }[];
}

const UNPROVED = "auth.step_up_required";

/** Puts into words whatever was thrown. */
export function failure(thrown: unknown): Failure {
  const known = thrown instanceof Error ? say.failures.passkeys[thrown.name] : undefined;
  if (known !== undefined) return { ...known, violations: [] };
  if (thrown instanceof StoaError && thrown.reason === UNPROVED) {
    return { ...say.failures.unproved, reason: UNPROVED, violations: [] };
  }
  if (thrown instanceof Refused) {
    const { message, reason, next, violations } = thrown.refusal;
    return { title: sentence(message), reason, next, violations };
  }
  if (thrown instanceof StoaError) {
    const { rawMessage, reason, next, violations, code } = thrown;
    const away = code === Code.Unavailable && reason === "";
    return {
      title: sentence(rawMessage),
      reason,
      next: next || (away ? say.failures.away : ""),
      violations,
    };
  }
  const text = thrown instanceof ConnectError ? thrown.rawMessage : String(thrown);
  return { title: sentence(text.replace(/^\w*Error: /, "")), violations: [] };
}

/** Thrown where nobody is signed in. */
export class SignedOut extends Error {}

/** Whether nobody is signed in, or not any more. */
export function isSignedOut(thrown: unknown): boolean {
  if (thrown instanceof SignedOut) return true;
  if (thrown instanceof Refused) return thrown.refusal.code === "unauthenticated";
  return thrown instanceof StoaError && thrown.code === Code.Unauthenticated;
}

function sentence(text: string): string {
  const words = text.charAt(0).toUpperCase() + text.slice(1);
  return /[.!?]$/.test(words) ? words : `${words}.`;
}
