import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";

import { LedgerService } from "../src/gen/stoa/ledger/v1/ledger_pb.js";
import { connect, type Options, type Stoa, StoaError, watch, watched } from "../src/index.js";

type Message = { type: string; id?: string } & Record<string, unknown>;

/** One end of a connection; the test is the other one. */
class Line extends EventTarget {
  static all: Line[] = [];
  readyState = 0;
  readonly said: Message[] = [];

  constructor(
    readonly url: string,
    readonly protocol: string,
  ) {
    super();
    Line.all.push(this);
  }

  send(text: string): void {
    this.said.push(JSON.parse(text) as Message);
  }

  /** The client ends it. */
  close(): void {
    this.readyState = 3;
  }

  opens(): this {
    this.readyState = 1;
    this.dispatchEvent(new Event("open"));
    return this;
  }

  breaks(): void {
    this.readyState = 3;
    this.dispatchEvent(new Event("error"));
    this.dispatchEvent(new Event("close"));
  }

  tells(message: object): void {
    this.dispatchEvent(new MessageEvent("message", { data: JSON.stringify(message) }));
  }

  balance(id: string, amount: number): void {
    const reply = { balance: { amount: String(amount), currency: "EUR" } };
    this.tells({ type: "reply", id, etag: `e${amount}`, position: `p${amount}`, reply });
  }

  refuses(code: string, reason: string, id?: string): void {
    const error = { code, reason, message: "no", violations: [], next: "ask" };
    this.tells({ type: "error", ...(id === undefined ? {} : { id }), error });
  }
}

function node(options: Partial<Options> = {}): Stoa {
  const webSocket = Line as unknown as typeof WebSocket;
  return connect({ url: "https://stoa.example/", webSocket, ...options });
}

const { getBalance } = LedgerService.method;
const balanceOf = (stoa: Stoa, account: string, signal?: AbortSignal) =>
  watch(stoa, getBalance, { account }, signal === undefined ? {} : { signal });

const soon = () => vi.advanceTimersByTimeAsync(0);
const later = () => vi.advanceTimersByTimeAsync(10_000);

/** The next state of a watch, as an amount. */
async function amount(states: ReturnType<typeof balanceOf>): Promise<bigint | undefined> {
  const { value } = await states.next();
  return value?.reply.balance?.amount;
}

function line(nth = 0): Line {
  const found = Line.all[nth];
  if (found === undefined) throw new Error(`there is no connection ${nth}`);
  return found;
}

beforeEach(() => {
  vi.useFakeTimers();
  Line.all = [];
});
afterEach(() => vi.useRealTimers());

describe("a watch", () => {
  test("gives a state after another, and carries their position", async () => {
    const stoa = node();
    const states = balanceOf(stoa, "cash");
    const first = amount(states);
    await soon();
    expect([line().url, line().protocol]).toEqual(["wss://stoa.example/live", "stoa.live.v1"]);
    line().opens();
    const method = "stoa.ledger.v1.LedgerService/GetBalance";
    const request = { account: "cash" };
    expect(line().said).toEqual([{ type: "watch", id: "1", method, request, etag: "" }]);
    line().balance("1", 5);
    expect([await first, stoa.position]).toEqual([5n, "p5"]);
  });

  test("skips states for whoever is slow, and never the last", async () => {
    const states = balanceOf(node(), "cash");
    const first = amount(states);
    await soon();
    line().opens().balance("1", 1);
    expect(await first).toBe(1n);
    for (const next of [2, 3, 4]) line().balance("1", next);
    expect(await amount(states)).toBe(4n);
  });

  test("shares its connection with others, which ends after the last one", async () => {
    const stoa = node();
    const [one, other] = [balanceOf(stoa, "a"), balanceOf(stoa, "b")];
    const both = Promise.all([amount(one), amount(other)]);
    await soon();
    line().opens();
    line().balance("2", 2);
    line().balance("1", 1);
    expect(await both).toEqual([1n, 2n]);
    await one.return();
    expect(line().said.at(-1)).toEqual({ type: "unwatch", id: "1" });
    await later();
    expect(line().readyState).toBe(1);
    await other.return();
    await later();
    expect([line().readyState, Line.all.length]).toEqual([3, 1]);
  });

  test("is ended by a signal", async () => {
    const ending = new AbortController();
    const states = balanceOf(node(), "cash", ending.signal);
    const next = states.next();
    await soon();
    line().opens();
    ending.abort();
    expect(await next).toEqual({ done: true, value: undefined });
    expect(line().said.at(-1)).toEqual({ type: "unwatch", id: "1" });
    const never = balanceOf(node(), "cash", ending.signal);
    expect(await never.next()).toEqual({ done: true, value: undefined });
    expect(Line.all).toHaveLength(1);
  });

  test("goes on over a lost connection from what was seen last", async () => {
    const states = balanceOf(node(), "cash");
    const first = amount(states);
    await soon();
    line().opens().balance("1", 1);
    await first;
    const second = amount(states);
    line().breaks();
    for (const nth of [1, 2, 3, 4, 5, 6]) {
      await later();
      line(nth).breaks();
    }
    await later();
    line(7).opens();
    expect(line(7).said).toMatchObject([{ type: "watch", id: "1", etag: "e1" }]);
    line(7).tells({ type: "unchanged", id: "1" });
    line(7).balance("1", 2);
    expect(await second).toBe(2n);
  });

  test("fails where no node ever answers, with what the query fails with, and by itself", async () => {
    const away = balanceOf(node(), "cash").next();
    const refused = expect(away).rejects.toMatchObject({ code: 14 });
    for (const nth of [0, 1, 2, 3]) {
      await later();
      line(nth).breaks();
    }
    await refused;
    await later();
    expect(Line.all).toHaveLength(4);

    const stoa = node();
    const [gone, good] = [balanceOf(stoa, "gone").next(), amount(balanceOf(stoa, "good"))];
    const told = gone.catch((error: unknown) => error);
    await soon();
    line(4).opens().refuses("not_found", "resource.not_found", "1");
    line(4).balance("2", 2);
    const error = await told;
    expect(error).toBeInstanceOf(StoaError);
    expect(error).toMatchObject({ reason: "resource.not_found", next: "ask", code: 5 });
    expect(await good).toBe(2n);
  });

  test("asks again where the node cannot serve for a while", async () => {
    const states = balanceOf(node(), "cash");
    const first = amount(states);
    await soon();
    line().opens().balance("1", 1);
    await first;
    line().refuses("unavailable", "node.stopping", "1");
    await later();
    expect(line().said.at(-1)).toMatchObject({ type: "watch", id: "1", etag: "e1" });
  });
});

describe("a token", () => {
  test("is shown before anything is watched", async () => {
    void balanceOf(node({ token: "good" }), "cash").next();
    await soon();
    line().opens();
    expect(line().said).toEqual([{ type: "sign_in", authorization: "Bearer good" }]);
    line().tells({ type: "signed_in" });
    expect(line().said.at(-1)).toMatchObject({ type: "watch" });
  });

  test("that is no good any more is renewed once, and what is watched goes on", async () => {
    const renew = vi.fn(async () => "good");
    const stoa = node({ token: "old", renew });
    const first = amount(balanceOf(stoa, "cash"));
    await soon();
    line().opens().refuses("unauthenticated", "auth.token_invalid");
    await later();
    line(1).opens();
    expect(line(1).said).toEqual([{ type: "sign_in", authorization: "Bearer good" }]);
    line(1).tells({ type: "signed_in" });
    line(1).balance("1", 1);
    expect([await first, renew.mock.calls.length]).toEqual([1n, 1]);
  });

  test("that is no good either ends the watch", async () => {
    const renew = vi.fn(async () => "bad");
    const watching = balanceOf(node({ renew }), "cash").next();
    const refused = expect(watching).rejects.toMatchObject({ reason: "auth.token_invalid" });
    await later();
    line().opens().refuses("unauthenticated", "auth.token_invalid");
    await refused;
    expect([renew.mock.calls.length, Line.all.length]).toEqual([1, 1]);
  });

  test("of somebody else is what is watched with from then on", async () => {
    const stoa = node({ token: "ada" });
    void balanceOf(stoa, "a").next();
    await soon();
    line().opens().tells({ type: "signed_in" });
    stoa.token = "eve";
    void balanceOf(stoa, "b").next();
    await later();
    line(1).opens().tells({ type: "signed_in" });
    expect(line(1).said.map(({ type }) => type)).toEqual(["sign_in", "watch", "watch"]);
    expect(line(1).said[0]).toMatchObject({ authorization: "Bearer eve" });
  });
});

describe("what a page looks at", () => {
  test("is watched while somebody looks, and kept while nobody does", async () => {
    const stoa = node();
    const store = watched(stoa, getBalance, { account: "cash" });
    expect([store.seen().reply, Line.all.length]).toEqual([undefined, 0]);
    const drawn = vi.fn();
    let leave = store.subscribe(drawn);
    await soon();
    line().opens().balance("1", 1);
    await soon();
    expect([store.seen().reply?.balance?.amount, drawn.mock.calls.length]).toEqual([1n, 1]);
    leave();
    await later();
    expect(line().readyState).toBe(3);
    expect(store.seen().reply?.balance?.amount).toBe(1n);
    leave = store.subscribe(drawn);
    await soon();
    line(1).opens();
    expect(line(1).said).toMatchObject([{ type: "watch", etag: "e1" }]);
    leave();
  });

  test("is not watched while the page is hidden", async () => {
    const page = Object.assign(new EventTarget(), { visibilityState: "hidden" });
    vi.stubGlobal("document", page);
    const leave = watched(node(), getBalance, { account: "cash" }).subscribe(() => {});
    await later();
    expect(Line.all).toHaveLength(0);
    for (const [visibility, watches] of [
      ["visible", ["watch"]],
      ["hidden", ["watch", "unwatch"]],
    ] as const) {
      page.visibilityState = visibility;
      page.dispatchEvent(new Event("visibilitychange"));
      await soon();
      if (visibility === "visible") line().opens();
      expect(line().said.map(({ type }) => type)).toEqual(watches);
    }
    leave();
    vi.unstubAllGlobals();
  });

  test("tells why it is no more, and looks again for a node that is away", async () => {
    const store = watched(node(), getBalance, { account: "gone" });
    const leave = store.subscribe(() => {});
    for (const nth of [0, 1, 2, 3]) {
      await later();
      line(nth).breaks();
    }
    await soon();
    expect(store.seen().error?.code).toBe(14);
    await later();
    line(4).opens().balance("2", 7);
    await soon();
    expect(store.seen()).toMatchObject({ reply: { balance: { amount: 7n } }, error: undefined });
    line(4).refuses("permission_denied", "auth.permission_denied", "2");
    await soon();
    expect(store.seen().error?.reason).toBe("auth.permission_denied");
    leave();
  });
});
