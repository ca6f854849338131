import { StoaError, type Told } from "./errors.js";

/** What a connection of watches is used by: as much of `WebSocket` as that takes. */
export interface Socket {
  readonly readyState: number;
  send(text: string): void;
  close(): void;
  addEventListener(type: string, listener: (event: Event) => void): void;
}

/** What is said on a connection. */
type Said =
  | { type: "sign_in"; authorization: string }
  | ({ type: "watch" } & Watch)
  | { type: "unwatch"; id: string };

interface Watch {
  id: string;
  method: string;
  request: unknown;
  etag: string;
}

/**
 * Watches without a WebSocket, as Node 20 has none: the node says the same by server-sent events, a request
 * for each watch. It looks like a socket, so that whoever watches does not notice.
 */
export class Events extends EventTarget implements Socket {
  readyState = 0;
  private authorization: string | undefined;
  private readonly watches = new Map<string, AbortController>();

  constructor(
    private readonly url: string,
    private readonly fetch: typeof globalThis.fetch = globalThis.fetch,
  ) {
    super();
    queueMicrotask(() => {
      if (this.readyState !== 0) return;
      this.readyState = 1;
      this.dispatchEvent(new Event("open"));
    });
  }

  send(text: string): void {
    const said = JSON.parse(text) as Said;
    if (said.type === "sign_in") {
      // Whether it is any good, each watch is told by itself.
      this.authorization = said.authorization;
      this.tell({ type: "signed_in" });
    } else if (said.type === "unwatch") {
      this.watches.get(said.id)?.abort();
      this.watches.delete(said.id);
    } else {
      const { id, method, request, etag } = said;
      const watching = new AbortController();
      this.watches.set(id, watching);
      void this.follow({ id, method, request, etag }, watching.signal);
    }
  }

  close(): void {
    this.readyState = 3;
    for (const watching of this.watches.values()) watching.abort();
    this.watches.clear();
  }

  private async follow(watch: Watch, signal: AbortSignal): Promise<void> {
    const headers = new Headers({
      accept: "text/event-stream",
      "content-type": "application/json",
      ...(this.authorization === undefined ? {} : { authorization: this.authorization }),
    });
    const body = JSON.stringify({ watches: [watch] });
    try {
      // Not called as a method of this: that is not what `fetch` is.
      const { fetch } = this;
      const answer = await fetch(this.url, { method: "POST", headers, body, signal });
      if (!answer.ok || answer.body === null) {
        this.tell({ type: "error", id: watch.id, error: await refusal(answer) });
        return;
      }
      for await (const data of events(answer.body)) this.tell(JSON.parse(data) as object);
    } catch {
      // As it is with a socket: it is told that the connection is lost, and nothing else.
    }
    // What ended by itself has said so: this ends only with the connection.
    if (!signal.aborted && this.watches.has(watch.id)) this.lost();
  }

  private tell(message: object): void {
    if (this.readyState !== 1) return;
    const { type, id } = message as { type: string; id?: string };
    if (type === "error" && id !== undefined) this.watches.delete(id);
    this.dispatchEvent(new MessageEvent("message", { data: JSON.stringify(message) }));
  }

  private lost(): void {
    if (this.readyState === 3) return;
    this.close();
    this.dispatchEvent(new Event("close"));
  }
}

/** Why a watch was refused before it began. */
async function refusal(answer: Response): Promise<Told> {
  try {
    const told = (await answer.json()) as Told & { error?: Told };
    return told.error ?? told;
  } catch {
    const { rawMessage: message } = StoaError.away();
    return { code: "unavailable", reason: "", message, violations: [], next: "" };
  }
}

/** The data of server-sent events, one after another. */
async function* events(body: ReadableStream<Uint8Array>): AsyncGenerator<string> {
  const decoder = new TextDecoder();
  let text = "";
  for await (const piece of body as unknown as AsyncIterable<Uint8Array>) {
    text += decoder.decode(piece, { stream: true });
    const whole = text.split("\n\n");
    text = whole.pop() ?? "";
    for (const event of whole) {
      const data = event.split("\n").flatMap((line) => /^data: ?(.*)$/.exec(line)?.[1] ?? []);
      if (data.length > 0) yield data.join("\n");
    }
  }
}
