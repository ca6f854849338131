import type { DescService } from "@bufbuild/protobuf";
import type { Client, Transport } from "@connectrpc/connect";

import { calls, type Memory, shared } from "./calls.js";
import { clientOf } from "./client.js";
import { binary, type Codec, transport } from "./transport.js";

/** How a node is reached, and as whom. */
export interface Options {
  /** Where the node is: `https://stoa.example`. */
  url: string;
  /** A session's or a key's token. */
  token?: string;
  /**
   * Gives a token: asked before the first call, where there is none, and once again by a call that
   * the node refuses because the token is no good any more. Calls that wait for it share one answer.
   */
  renew?: () => Promise<string>;
  /**
   * Has whoever calls prove again who they are, where a method asks for a proof of a moment ago: asked once by
   * each call that the node refuses for that. Calls that wait for it share one answer. After `true` a call is
   * made again, under the same key; after `false` it is refused.
   */
  stepUp?: () => Promise<boolean>;
  /**
   * Call with the session that the browser keeps in a cookie which no script can read: for pages that
   * the node itself serves.
   */
  cookie?: boolean;
  /** The tenant to ask without a token; a token names its own. */
  tenant?: string;
  /** How often a call is made at the most, the first attempt included; 4 if absent. */
  attempts?: number;
  /** What to fetch with, where it is not `globalThis.fetch`. */
  fetch?: typeof globalThis.fetch;
  /**
   * What to watch queries by, where it is not `globalThis.WebSocket`. Where there is neither, as in Node 20,
   * they are watched by server-sent events.
   */
  webSocket?: typeof globalThis.WebSocket;
  /** How messages travel: in binary, or by `json` of `@stoa/sdk/json`. */
  codec?: Codec;
}

/** A node, as one caller sees it. */
export interface Stoa {
  /** A client for one service. It costs nothing to make one twice. */
  client<S extends DescService>(service: S): Client<S>;
  /** What calls travel by: for libraries that bring clients of their own. */
  readonly transport: Transport;
  /** Where the node is. */
  readonly url: string;
  /** As {@link Options.fetch}. */
  readonly fetch: typeof globalThis.fetch | undefined;
  /** As {@link Options.webSocket}. */
  readonly webSocket: typeof globalThis.WebSocket | undefined;
  /** As {@link Options.renew}; calls and watches that wait for a token share one answer. */
  readonly renew: (() => Promise<string>) | undefined;
  /** The token that calls are made with; assign another one to call as somebody else. */
  token: string | undefined;
  /**
   * The latest position that a reply carried. Reads are answered as of then or later. Hand it to
   * whoever is to see what was written here.
   */
  position: string | undefined;
}

/** Makes clients for a node. Nothing is sent yet. */
export function connect(options: Options): Stoa {
  const memory: Memory = { token: options.token, position: undefined };
  const url = options.url.replace(/\/+$/, "");
  const renew = shared(options.renew);
  const travelling = transport({
    url,
    codec: options.codec ?? binary,
    fetch: options.fetch,
    intercept: calls(memory, { ...options, stepUp: shared(options.stepUp) }, renew),
  });
  return Object.assign(memory, {
    transport: travelling,
    url,
    fetch: options.fetch,
    webSocket: options.webSocket,
    renew,
    client: <S extends DescService>(service: S) => clientOf(service, travelling),
  });
}
