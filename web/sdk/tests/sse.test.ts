import { afterEach, beforeEach, expect, test, vi } from "vitest";

import { LedgerService } from "../src/gen/stoa/ledger/v1/ledger_pb.js";
import { connect, watch } from "../src/index.js";

const { getBalance } = LedgerService.method;

/** One request for a watch; the test is the node that answers it. */
class Asked {
  static all: Asked[] = [];
  readonly headers: Headers;
  readonly watch: { id: string; method: string; request: unknown; etag: string };
  isGone = false;
  answer!: (response: Response) => void;
  private stream!: ReadableStreamDefaultController<Uint8Array>;

  constructor(
    readonly url: string,
    { headers, body, signal }: RequestInit,
  ) {
    this.headers = new Headers(headers);
    this.watch = (JSON.parse(String(body)) as { watches: [Asked["watch"]] }).watches[0];
    signal?.addEventListener("abort", () => {
      this.isGone = true;
    });
    Asked.all.push(this);
  }

  opens(): this {
    const body = new ReadableStream<Uint8Array>({
      start: (stream) => {
        this.stream = stream;
      },
    });
    this.answer(new Response(body));
    return this;
  }

  says(text: string): this {
    this.stream.enqueue(new TextEncoder().encode(text));
    return this;
  }

  balance(amount: number): this {
    const reply = { balance: { amount: String(amount), currency: "EUR" } };
    const said = { type: "reply", id: this.watch.id, etag: `e${amount}`, position: "p1", reply };
    return this.says(`data: ${JSON.stringify(said)}\n\n`);
  }

  breaks(): void {
    this.stream.error(new TypeError("terminated"));
  }
}

const asks: typeof fetch = (url, init) =>
  new Promise((resolve) => {
    new Asked(String(url), init ?? {}).answer = resolve;
  });

/** The nth request, once it is made. */
const nth = (place: number) => vi.waitFor(() => Asked.all[place] ?? expect.unreachable());

beforeEach(() => {
  Asked.all = [];
  vi.stubGlobal("WebSocket", undefined);
});
afterEach(() => void vi.unstubAllGlobals());

const node = () => connect({ url: "https://stoa.test", token: "stoa_s_x", fetch: asks });

test("without a WebSocket a query is watched by server-sent events", async () => {
  const states = watch(node(), getBalance, { account: "a" });
  const first = states.next();
  const asked = (await nth(0)).opens();
  expect(asked.url).toBe("https://stoa.test/live");
  expect(asked.headers.get("authorization")).toBe("Bearer stoa_s_x");
  expect(asked.watch.method).toBe("stoa.ledger.v1.LedgerService/GetBalance");
  asked.says(":\n\n").balance(5);
  expect((await first).value?.reply.balance?.amount).toBe(5n);
  // Halves of an event are one event.
  const whole = JSON.stringify({ type: "unchanged", id: asked.watch.id });
  asked
    .says(`data: ${whole.slice(0, 9)}`)
    .says(`${whole.slice(9)}\n\n`)
    .balance(6);
  expect((await states.next()).value?.reply.balance?.amount).toBe(6n);
  await states.return();
  await vi.waitFor(() => expect(asked.isGone).toBe(true));
});

test("a connection that is lost is made again, from what was seen", async () => {
  const states = watch(node(), getBalance, { account: "a" });
  const first = states.next();
  (await nth(0)).opens().balance(5);
  await first;
  const second = states.next();
  Asked.all[0]?.breaks();
  const again = await nth(1);
  expect(again.watch.etag).toBe("e5");
  again.opens().balance(7);
  expect((await second).value?.reply.balance?.amount).toBe(7n);
  await states.return();
});

test("what may not be watched is refused, and the others go on", async () => {
  const stoa = node();
  const good = watch(stoa, getBalance, { account: "a" });
  const bad = watch(stoa, getBalance, { account: "b" });
  const [first, refused] = [good.next(), bad.next()];
  const no = { code: "not_found", reason: "resource.not_found", message: "no", violations: [] };
  (await nth(0)).opens().balance(1);
  (await nth(1)).answer(Response.json({ ...no, next: "" }, { status: 404 }));
  await expect(refused).rejects.toMatchObject({ reason: "resource.not_found" });
  expect((await first).value?.reply.balance?.amount).toBe(1n);
  expect(Asked.all[0]?.isGone).toBe(false);
  await good.return();
});
