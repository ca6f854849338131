import { Code, ConnectError } from "@connectrpc/connect";

import { many, type Part, parts, text } from "./details.js";

/** A field that is at fault. */
export interface Violation {
  /** Where it is in the request: `legs[0].amount`. */
  path: string;
  /** The rule that it breaks: `int64.gte`. */
  rule: string;
  /** What it must be, for people. */
  message: string;
}

/** An error as a node writes it where there is no protocol of RPC. */
export interface Told {
  code: string;
  reason: string;
  message: string;
  violations: readonly Violation[];
  next: string;
}

/** A code by its name on the wire, `invalid_argument`. */
export function codeOf(name = ""): Code | undefined {
  const pascal = name.replaceAll(/(?:^|_)([a-z])/g, (_, letter: string) => letter.toUpperCase());
  return Code[pascal as keyof typeof Code];
}

/** Why a call failed. */
export class StoaError extends ConnectError {
  /** What programs can rely on: `ledger.insufficient_funds`. Empty where the node was not reached. */
  readonly reason: string;
  /** The fields at fault. */
  readonly violations: readonly Violation[];
  /** What to do next, for people. */
  readonly next: string;
  /** How long to wait before another attempt, where the node says so. */
  readonly retryAfterMs: number | undefined;

  private constructor(error: ConnectError, told?: Told) {
    super(error.rawMessage, error.code, error.metadata, undefined, error.cause);
    this.details = error.details;
    const [info, bad, help] = ["ErrorInfo", "BadRequest", "Help"].map((name) =>
      detail(error, name),
    );
    this.reason = told?.reason ?? text(info ?? [], 1);
    const violations = many(bad ?? [], 1).map((violation) => ({
      path: text(violation, 1),
      rule: text(violation, 3),
      message: text(violation, 2),
    }));
    this.violations = told?.violations ?? violations;
    this.next = told?.next ?? text(many(help ?? [], 1)[0] ?? [], 1);
    const seconds = Number(error.metadata.get("retry-after") ?? Number.NaN);
    this.retryAfterMs = Number.isFinite(seconds) ? seconds * 1000 : undefined;
  }

  /** By its shape, as connect tells its own: there may be two copies of a library in a program. */
  static override [Symbol.hasInstance](value: unknown): boolean {
    return ConnectError[Symbol.hasInstance](value) && "violations" in (value as object);
  }

  /** Whatever was thrown by a call, as an error of a call. */
  static override from(thrown: unknown): StoaError {
    if (thrown instanceof StoaError) return thrown;
    const error = ConnectError.from(thrown);
    // What `fetch` throws where nobody answers.
    if (error.code === Code.Unknown && error.cause instanceof TypeError) {
      return StoaError.away(thrown);
    }
    return new StoaError(error);
  }

  /** An error as a node wrote it. */
  static told(told: Told): StoaError {
    const code = codeOf(told.code) ?? Code.Unknown;
    return new StoaError(new ConnectError(told.message, code), told);
  }

  /** Nobody answered. */
  static away(cause?: unknown): StoaError {
    const message = "the node was not reached";
    return new StoaError(new ConnectError(message, Code.Unavailable, undefined, undefined, cause));
  }
}

/** What a node says of an error besides, by its name in `google.rpc`; nothing where it is damaged. */
function detail({ details }: ConnectError, name: string): Part[] {
  const found = details.find((one) => "type" in one && one.type === `google.rpc.${name}`);
  try {
    return found !== undefined && "value" in found ? parts(found.value as Uint8Array) : [];
  } catch {
    return [];
  }
}
