import {
  create,
  type DescMessage,
  type DescMethodUnary,
  fromJson,
  type JsonValue,
  type MessageInitShape,
  type MessageShape,
  toJson,
} from "@bufbuild/protobuf";
import { Code } from "@connectrpc/connect";

import { later } from "./calls.js";
import { StoaError, type Told } from "./errors.js";
import { Events, type Socket } from "./sse.js";
import type { Stoa } from "./stoa.js";

/** What a query says, as of a commit. */
export interface State<O extends DescMessage> {
  reply: MessageShape<O>;
  /** What the reply is told from others by. Whoever comes back with it is not told the same again. */
  etag: string;
  /** A position of which the reply shows every commit. */
  position: string;
}

/** How a query is watched. */
export interface Watching {
  /** Ends the watch. */
  signal?: AbortSignal;
  /** The etag of what was seen last: nothing is told until there is something else. */
  etag?: string;
}

/** Attempts to reach a node that never answered, before whoever watches is told. */
const ATTEMPTS = 4;
/** The first wait before another attempt; doubled for each later one. */
const BACKOFF_MS = 100;
const BACKOFF_MAX_MS = 5_000;
/** How long a connection stays on which nothing is watched: pages come and go. */
const LINGER_MS = 1_000;
const PROTOCOL = "stoa.live.v1";

const NOBODY: Told = {
  code: "unauthenticated",
  reason: "auth.token_invalid",
  message: "the token is no good",
  violations: [],
  next: "Sign in.",
};

/**
 * Watches a query: what it says now, and again whenever a commit changes that, until the signal ends
 * it. Whoever is slow skips states, and never the last one. All watches of a {@link Stoa} share one
 * connection; one that is lost is made again, and what did not change meanwhile is not told again.
 *
 * ```ts
 * for await (const { reply } of watch(stoa, LedgerService.method.getBalance, { account: "cash" })) {
 *   console.log(reply.balance);
 * }
 * ```
 *
 * @throws StoaError where the query fails or may not be asked any more, and where no node answers.
 */
export async function* watch<I extends DescMessage, O extends DescMessage>(
  stoa: Stoa,
  method: DescMethodUnary<I, O>,
  request: MessageInitShape<I>,
  { signal, etag = "" }: Watching = {},
): AsyncGenerator<State<O>, void, undefined> {
  if (signal?.aborted) return;
  const json = toJson(method.input, create(method.input, request));
  const one = new One<O>(method, json, etag);
  const line = lineOf(stoa);
  const stop = () => one.end();
  signal?.addEventListener("abort", stop, { once: true });
  line.add(one as One<DescMessage>);
  try {
    for (let state = await one.next(); state !== undefined; state = await one.next()) {
      yield state;
    }
  } finally {
    signal?.removeEventListener("abort", stop);
    line.remove(one as One<DescMessage>);
  }
}

/** One watch, on whatever connection it is. */
class One<O extends DescMessage> {
  readonly path: string;
  /** Whether anything was heard of it. */
  isHeard = false;
  private newest: State<O> | undefined;
  private error: StoaError | undefined;
  private isOver = false;
  private wake: () => void = () => {};

  constructor(
    readonly method: DescMethodUnary<DescMessage, O>,
    readonly request: JsonValue,
    public etag: string,
  ) {
    this.path = `${method.parent.typeName}/${method.name}`;
  }

  /** The newest state that was not given yet; none at the end. */
  async next(): Promise<State<O> | undefined> {
    for (;;) {
      const state = this.newest;
      this.newest = undefined;
      if (this.isOver) return undefined;
      if (state !== undefined) return state;
      if (this.error !== undefined) throw this.error;
      await new Promise<void>((resolve) => {
        this.wake = resolve;
      });
    }
  }

  told(etag: string, position: string, json: JsonValue): void {
    const reply = fromJson(this.method.output, json, { ignoreUnknownFields: true });
    this.isHeard = true;
    this.etag = etag;
    this.newest = { reply, etag, position };
    this.wake();
  }

  fail(error: StoaError): void {
    this.error = error;
    this.wake();
  }

  end(): void {
    this.isOver = true;
    this.wake();
  }
}

const lines = new WeakMap<Stoa, Line>();

function lineOf(stoa: Stoa): Line {
  let line = lines.get(stoa);
  if (line === undefined) {
    line = new Line(stoa);
    lines.set(stoa, line);
  }
  return line;
}

/** What a node says on a connection. */
type Said =
  | { type: "signed_in" }
  | { type: "reply"; id: string; position: string; etag: string; reply: JsonValue }
  | { type: "unchanged"; id: string }
  | { type: "error"; id?: string; error: Told };

/** The connection that all watches of a caller share. */
class Line {
  private readonly watches = new Map<string, One<DescMessage>>();
  private named = 0;
  private socket: Socket | undefined;
  /** Whether watches can be asked for: somebody is signed in, where somebody is to be. */
  private isReady = false;
  /** The token that the connection was made with. */
  private token: string | undefined;
  private isRenewed = false;
  private failed = 0;
  private timer: ReturnType<typeof setTimeout> | undefined;

  constructor(private readonly stoa: Stoa) {}

  add(one: One<DescMessage>): void {
    const id = (++this.named).toString(36);
    this.watches.set(id, one);
    if (this.socket === undefined) {
      if (this.timer === undefined || this.failed === 0) this.open();
    } else if (this.token !== this.stoa.token) {
      // Somebody else calls from now on.
      this.again(0);
    } else if (this.isReady) {
      this.ask(id, one);
    }
    this.settle();
  }

  remove(one: One<DescMessage>): void {
    for (const [id, known] of this.watches) {
      if (known !== one) continue;
      this.watches.delete(id);
      if (this.isReady) this.say({ type: "unwatch", id });
    }
    this.settle();
  }

  /** Lets go of a connection on which nothing is watched any more. */
  private settle(): void {
    if (this.watches.size > 0) return;
    this.after(LINGER_MS, () => {
      if (this.watches.size === 0) this.close();
    });
  }

  private open(): void {
    clearTimeout(this.timer);
    this.timer = undefined;
    this.token = this.stoa.token;
    if (this.token === undefined && this.stoa.renew !== undefined) {
      this.renew(StoaError.told(NOBODY));
      return;
    }
    const socket = this.connection();
    this.socket = socket;
    socket.addEventListener("open", () => {
      if (this.socket !== socket) return;
      if (this.token === undefined) this.begin();
      else this.say({ type: "sign_in", authorization: `Bearer ${this.token}` });
    });
    socket.addEventListener("message", (event) => {
      const { data } = event as MessageEvent;
      if (this.socket === socket) this.hear(JSON.parse(String(data)) as Said);
    });
    socket.addEventListener("close", () => {
      if (this.socket === socket) this.lost();
    });
    // An error is followed by the end of the connection.
    socket.addEventListener("error", () => {});
  }

  /** A WebSocket; where there is none, server-sent events that look like one. */
  private connection(): Socket {
    const url = `${this.stoa.url}/live`;
    const Socket = this.stoa.webSocket ?? globalThis.WebSocket;
    if (Socket === undefined) return new Events(url, this.stoa.fetch);
    return new Socket(url.replace(/^http/, "ws"), PROTOCOL);
  }

  /** Asks for everything that is watched. */
  private begin(): void {
    this.isReady = true;
    for (const [id, one] of this.watches) this.ask(id, one);
  }

  private ask(id: string, one: One<DescMessage>): void {
    const { path, request, etag } = one;
    this.say({ type: "watch", id, method: path, request, etag });
  }

  private say(message: object): void {
    if (this.socket?.readyState === 1) this.socket.send(JSON.stringify(message));
  }

  private hear(said: Said): void {
    if (said.type === "signed_in") {
      this.begin();
    } else if (said.type === "error") {
      const error = StoaError.told(said.error);
      if (said.id === undefined) this.refused(error);
      else this.ended(said.id, error);
    } else {
      this.failed = 0;
      this.isRenewed = false;
      const one = this.watches.get(said.id);
      if (one === undefined) return;
      one.isHeard = true;
      if (said.type === "unchanged") return;
      this.stoa.position = later(this.stoa.position, said.position);
      one.told(said.etag, said.position, said.reply);
    }
  }

  /** What was said was not taken: that somebody signs in, or anything else. */
  private refused(error: StoaError): void {
    if (!this.isReady && error.reason === "auth.token_invalid") this.renew(error);
    else if (isPassing(error)) this.lost();
    else this.failAll(error);
  }

  /** A watch has ended. */
  private ended(id: string, error: StoaError): void {
    const one = this.watches.get(id);
    if (one === undefined) return;
    if (isPassing(error) && one.isHeard) {
      this.failed += 1;
      const wait = this.wait();
      const socket = this.socket;
      setTimeout(() => {
        if (this.socket === socket && this.watches.get(id) === one) this.ask(id, one);
      }, wait);
    } else if (error.reason === "auth.token_invalid" && this.stoa.renew !== undefined) {
      this.renew(error);
    } else {
      this.watches.delete(id);
      one.fail(error);
    }
  }

  /** Goes on with another token, where there is a way to get one. */
  private renew(error: StoaError): void {
    const { renew } = this.stoa;
    const { token } = this;
    this.drop();
    if (renew === undefined || this.isRenewed) {
      this.failAll(error);
      return;
    }
    this.isRenewed = true;
    // A call may have brought another one meanwhile.
    const coming = this.stoa.token === token ? renew() : Promise.resolve(this.stoa.token);
    coming.then(
      (token) => {
        this.stoa.token = token;
        if (this.watches.size > 0 && this.socket === undefined) this.open();
      },
      (thrown: unknown) => this.failAll(StoaError.from(thrown)),
    );
  }

  private lost(): void {
    this.drop();
    this.failed += 1;
    if (this.failed >= ATTEMPTS) {
      const error = StoaError.away();
      for (const [id, one] of this.watches) {
        if (one.isHeard) continue;
        this.watches.delete(id);
        one.fail(error);
      }
    }
    if (this.watches.size > 0) this.again(this.wait());
    else this.failed = 0;
  }

  private wait(): number {
    const wait = Math.min(BACKOFF_MS * 2 ** (this.failed - 1), BACKOFF_MAX_MS);
    return wait * (0.5 + Math.random() / 2);
  }

  private again(wait: number): void {
    this.drop();
    this.after(wait, () => this.open());
  }

  private after(ms: number, what: () => void): void {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => {
      this.timer = undefined;
      what();
    }, ms);
  }

  private failAll(error: StoaError): void {
    this.close();
    for (const one of this.watches.values()) one.fail(error);
    this.watches.clear();
  }

  private close(): void {
    clearTimeout(this.timer);
    this.timer = undefined;
    this.failed = 0;
    this.drop();
  }

  private drop(): void {
    const { socket } = this;
    this.socket = undefined;
    this.isReady = false;
    socket?.close();
  }
}

/** Whether the same may come to something else in a while. */
function isPassing({ code }: StoaError): boolean {
  return code === Code.Unavailable || code === Code.ResourceExhausted || code === Code.Aborted;
}
