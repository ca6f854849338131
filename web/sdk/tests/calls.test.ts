import { Code } from "@connectrpc/connect";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";

import { later } from "../src/calls.js";
import { LedgerService } from "../src/gen/stoa/ledger/v1/ledger_pb.js";
import { connect, type Options, StoaError, withKey } from "../src/index.js";
import { json } from "../src/json.js";
import { node, refusal, reply } from "./node.js";

const URL = "http://stoa.test/";
const transfer = { currency: "EUR", legs: [{ debit: "a", credit: "b", amount: 1n }] };

function client(fetch: typeof globalThis.fetch, options: Partial<Options> = {}) {
  const stoa = connect({ url: URL, fetch, codec: json, token: "good", ...options });
  return { stoa, ledger: stoa.client(LedgerService) };
}

/** What is thrown by a call, while time flies. */
async function thrown(call: Promise<unknown>): Promise<StoaError> {
  const caught = call.then(
    () => expect.unreachable("it succeeded"),
    (error: unknown) => error,
  );
  await vi.runAllTimersAsync();
  const error = await caught;
  expect(error).toBeInstanceOf(StoaError);
  return error as StoaError;
}

async function settled<T>(call: Promise<T>): Promise<T> {
  await vi.runAllTimersAsync();
  return call;
}

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

describe("a key", () => {
  test("goes with every command, and with no query", async () => {
    const { asked, fetch } = node(reply({}));
    const { ledger } = client(fetch);
    await ledger.createTransfer(transfer);
    await ledger.createTransfer(transfer);
    await ledger.getBalance({ account: "a" });
    const keys = asked.map(({ headers }) => headers.get("idempotency-key"));
    expect(keys[0]).toMatch(/^[0-9a-f-]{36}$/);
    expect(keys[1]).toMatch(/^[0-9a-f-]{36}$/);
    expect(keys[0]).not.toBe(keys[1]);
    expect(keys[2]).toBeNull();
  });

  test("is the same over all attempts, a node that is away among them", async () => {
    const away = new TypeError("fetch failed");
    const { asked, fetch } = node(
      away,
      refusal("unavailable", 503),
      refusal("aborted", 409),
      reply({}),
    );
    await settled(client(fetch).ledger.createTransfer(transfer));
    const keys = asked.map(({ headers }) => headers.get("idempotency-key"));
    expect(keys).toHaveLength(4);
    expect(new Set(keys).size).toBe(1);
  });

  test("may be one's own", async () => {
    const { asked, fetch } = node(reply({}));
    await client(fetch).ledger.createTransfer(transfer, withKey("order-4711"));
    expect(asked[0]?.headers.get("idempotency-key")).toBe("order-4711");
  });
});

describe("a stranger", () => {
  test("has no key, and a command is not made again whose outcome is unknown", async () => {
    const { asked, fetch } = node(refusal("unavailable", 503), reply({}));
    const { stoa, ledger } = client(fetch);
    stoa.token = undefined;
    await thrown(ledger.createTransfer(transfer));
    expect(asked.map(({ headers }) => headers.get("idempotency-key"))).toEqual([null]);
    await settled(ledger.getBalance({ account: "a" }));
  });

  test("is none who has a cookie", async () => {
    const { asked, fetch } = node(reply({}));
    const { stoa, ledger } = client(fetch, { cookie: true });
    stoa.token = undefined;
    await ledger.createTransfer(transfer);
    const [headers] = asked.map((call) => call.headers);
    expect(headers?.get("stoa-credential")).toBe("cookie");
    expect(headers?.get("idempotency-key")).not.toBeNull();
  });
});

describe("another attempt", () => {
  test.each([
    ["invalid_argument", 400],
    ["failed_precondition", 400],
    ["permission_denied", 403],
    ["internal", 500],
    ["resource_exhausted", 429],
  ])("is not made after %s", async (code, status) => {
    const { asked, fetch } = node(refusal(code, status), reply({}));
    await thrown(client(fetch).ledger.createTransfer(transfer));
    expect(asked).toHaveLength(1);
  });

  test("waits as long as the node says", async () => {
    const { asked, fetch } = node(
      refusal("resource_exhausted", 429, { "retry-after": "3" }),
      reply({}),
    );
    const call = client(fetch).ledger.createTransfer(transfer);
    await vi.advanceTimersByTimeAsync(2_900);
    expect(asked).toHaveLength(1);
    await vi.advanceTimersByTimeAsync(200);
    await call;
    expect(asked).toHaveLength(2);
  });

  test("is not waited for longer than anybody would", async () => {
    const { asked, fetch } = node(
      refusal("unavailable", 503, { "retry-after": "3600" }),
      reply({}),
    );
    const error = await thrown(client(fetch).ledger.createTransfer(transfer));
    expect([asked.length, error.retryAfterMs]).toEqual([1, 3_600_000]);
  });

  test("is not the fifth", async () => {
    const { asked, fetch } = node(refusal("unavailable", 503));
    await thrown(client(fetch).ledger.createTransfer(transfer));
    expect(asked).toHaveLength(4);
  });

  test("is not made once the caller gave up", async () => {
    const { asked, fetch } = node(refusal("unavailable", 503));
    const giveUp = new AbortController();
    const { signal } = giveUp;
    const refused = expect(client(fetch).ledger.createTransfer(transfer, { signal })).rejects;
    const canceled = refused.toMatchObject({ code: Code.Canceled });
    await vi.advanceTimersByTimeAsync(0);
    giveUp.abort();
    await vi.runAllTimersAsync();
    await canceled;
    expect(asked).toHaveLength(1);
  });
});

describe("a position", () => {
  test("that a reply carried goes with the next call", async () => {
    const { asked, fetch } = node(reply({}, { "stoa-position": "p9" }), reply({}));
    const { stoa, ledger } = client(fetch);
    await ledger.createTransfer(transfer);
    await ledger.getBalance({ account: "a" });
    const carried = asked.map(({ headers }) => headers.get("stoa-position"));
    expect(carried).toEqual([null, "p9"]);
    expect(stoa.position).toBe("p9");
  });

  test("is not forgotten for an earlier one", () => {
    expect(later("p9", undefined)).toBe("p9");
    expect(later(undefined, "p9")).toBe("p9");
    expect(later("pff", "p100")).toBe("p100");
    expect(later("p9", "pa")).toBe("pa");
    expect(later("pa", "p9")).toBe("pa");
  });
});

describe("a token", () => {
  const stale = (): Response =>
    Response.json(
      {
        code: "unauthenticated",
        message: "the token is unknown, expired or revoked",
        // google.rpc.ErrorInfo {reason: "auth.token_invalid"}
        details: [{ type: "google.rpc.ErrorInfo", value: btoa("\n\x12auth.token_invalid") }],
      },
      { status: 401 },
    );
  const onlyGood = ({ headers }: { headers: Headers }): Response =>
    headers.get("authorization") === "Bearer good" ? reply({}) : stale();

  test("that is no good any more is renewed once for all calls, and they are made again", async () => {
    const { asked, fetch } = node(onlyGood);
    const renew = vi.fn(async () => "good");
    const { stoa, ledger } = client(fetch, { token: "old", renew });
    await Promise.all([ledger.createTransfer(transfer), ledger.getBalance({ account: "a" })]);
    expect(renew).toHaveBeenCalledTimes(1);
    expect(stoa.token).toBe("good");
    const keys = asked
      .filter(({ path }) => path.endsWith("CreateTransfer"))
      .map(({ headers }) => headers.get("idempotency-key"));
    expect(keys).toHaveLength(2);
    expect(new Set(keys).size).toBe(1);
  });

  test("that is no good either is not asked for for ever", async () => {
    const { asked, fetch } = node(onlyGood);
    const renew = vi.fn(async () => "bad");
    const error = await thrown(
      client(fetch, { token: "bad", renew }).ledger.getBalance({ account: "a" }),
    );
    expect(error.reason).toBe("auth.token_invalid");
    expect([renew.mock.calls.length, asked.length]).toEqual([1, 2]);
  });

  test("of one call is left alone", async () => {
    const { asked, fetch } = node(reply({}));
    const headers = { authorization: "Bearer other" };
    await client(fetch, { token: "good" }).ledger.getBalance({ account: "a" }, { headers });
    expect(asked[0]?.headers.get("authorization")).toBe("Bearer other");
  });
});

describe("a proof of a moment ago", () => {
  const proofless = (): Response =>
    Response.json(
      {
        code: "permission_denied",
        message: "this takes a proof, of a moment ago, of who you are",
        // google.rpc.ErrorInfo {reason: "auth.step_up_required"}
        details: [{ type: "google.rpc.ErrorInfo", value: btoa("\n\x15auth.step_up_required") }],
      },
      { status: 403 },
    );

  test("is asked for once, and what wanted it is made again under its key", async () => {
    const { asked, fetch } = node(proofless(), proofless(), reply({}));
    const stepUp = vi.fn(async () => true);
    const { ledger } = client(fetch, { stepUp });
    await Promise.all([ledger.createTransfer(transfer), ledger.createTransfer(transfer)]);
    expect(stepUp).toHaveBeenCalledTimes(1);
    const keys = asked.map(({ headers }) => headers.get("idempotency-key"));
    expect(keys).toHaveLength(4);
    expect(new Set(keys.slice(0, 2))).toEqual(new Set(keys.slice(2)));
    expect(new Set(keys).size).toBe(2);
  });

  test("that is not given leaves a call refused, and so does one that is not enough", async () => {
    for (const [gives, attempts] of [
      [false, 1],
      [true, 2],
    ] as const) {
      const { asked, fetch } = node(proofless());
      const stepUp = vi.fn(async () => gives);
      const error = await thrown(client(fetch, { stepUp }).ledger.createTransfer(transfer));
      expect(error.reason).toBe("auth.step_up_required");
      expect([stepUp.mock.calls.length, asked.length]).toEqual([1, attempts]);
    }
  });
});
