import {
  create,
  type DescMessage,
  type DescMethod,
  type DescMethodStreaming,
  type DescMethodUnary,
  fromBinary,
  type MessageInitShape,
  type MessageShape,
  toBinary,
} from "@bufbuild/protobuf";
import {
  Code,
  ConnectError,
  type ContextValues,
  createContextValues,
  type Interceptor,
  type StreamRequest,
  type StreamResponse,
  type Transport,
  type UnaryRequest,
  type UnaryResponse,
} from "@connectrpc/connect";

import { codeOf } from "./errors.js";

/** How messages travel. */
export interface Codec {
  readonly name: "proto" | "json";
  write<D extends DescMessage>(desc: D, message: MessageShape<D>): Uint8Array<ArrayBuffer>;
  read<D extends DescMessage>(desc: D, bytes: Uint8Array): MessageShape<D>;
}

export const binary: Codec = {
  name: "proto",
  write: toBinary as Codec["write"],
  read: (desc, bytes) => fromBinary(desc, bytes),
};

interface Options {
  url: string;
  codec: Codec;
  fetch: typeof globalThis.fetch | undefined;
  intercept: Interceptor;
}

/** The Connect protocol over `fetch`, with as much of it as a client of these services uses. */
export function transport({ url, codec, fetch, intercept }: Options): Transport {
  const addressed = (method: DescMethod) => `${url}/${method.parent.typeName}/${method.name}`;

  const ask = async (
    request: { url: string; header: Headers; signal: AbortSignal },
    body: Uint8Array<ArrayBuffer>,
  ) => {
    const { header: headers, signal } = request;
    const send = fetch ?? globalThis.fetch;
    return send(request.url, { method: "POST", headers, signal, body, redirect: "error" });
  };

  const unary = async (request: UnaryRequest): Promise<UnaryResponse> => {
    const { method, message } = request;
    const { write, read } = codec;
    const answer = await ask(request, write(method.input, message));
    const bytes = new Uint8Array(await answer.arrayBuffer());
    const header = answer.headers;
    if (!answer.ok) throw refused(answer, new TextDecoder().decode(bytes));
    const reply = read(method.output, bytes);
    const { service } = request;
    return { stream: false, service, method, header, trailer: new Headers(), message: reply };
  };

  const streaming = async (request: StreamRequest): Promise<StreamResponse> => {
    const { service, method } = request;
    const { write, read } = codec;
    const answer = await ask(request, enclosed(write(method.input, await only(request.message))));
    const header = answer.headers;
    if (!answer.ok || answer.body === null) throw refused(answer, await answer.text());
    const trailer = new Headers();
    const body = answer.body;
    async function* messages() {
      for await (const [isEnd, bytes] of envelopes(body)) {
        if (!isEnd) yield read(method.output, bytes);
        else return ended(new TextDecoder().decode(bytes), header);
      }
      throw new ConnectError("the stream broke off", Code.Unavailable);
    }
    return { stream: true, service, method, header, trailer, message: messages() };
  };

  const call = intercept((request) => (request.stream ? streaming(request) : unary(request)));

  /** What is said of every call. */
  const beginning = (
    method: DescMethod,
    signal: AbortSignal | undefined,
    timeoutMs: number | undefined,
    headers: HeadersInit | undefined,
    contextValues: ContextValues | undefined,
  ) => {
    const header = new Headers(headers);
    const isStream = method.methodKind !== "unary";
    header.set(
      "content-type",
      isStream ? `application/connect+${codec.name}` : `application/${codec.name}`,
    );
    header.set("connect-protocol-version", "1");
    const ends = signal === undefined ? [] : [signal];
    if (timeoutMs !== undefined && timeoutMs > 0) {
      header.set("connect-timeout-ms", String(timeoutMs));
      ends.push(AbortSignal.timeout(timeoutMs));
    }
    return {
      service: method.parent,
      requestMethod: "POST",
      url: addressed(method),
      signal: AbortSignal.any(ends),
      header,
      contextValues: contextValues ?? createContextValues(),
    };
  };

  return {
    async unary<I extends DescMessage, O extends DescMessage>(
      method: DescMethodUnary<I, O>,
      signal: AbortSignal | undefined,
      timeoutMs: number | undefined,
      headers: HeadersInit | undefined,
      input: MessageInitShape<I>,
      contextValues?: ContextValues,
    ) {
      const common = beginning(method, signal, timeoutMs, headers, contextValues);
      const message = create(method.input, input);
      const reply = await call({ ...common, stream: false, method, message } as UnaryRequest);
      return reply as UnaryResponse<I, O>;
    },
    async stream<I extends DescMessage, O extends DescMessage>(
      method: DescMethodStreaming<I, O>,
      signal: AbortSignal | undefined,
      timeoutMs: number | undefined,
      headers: HeadersInit | undefined,
      input: AsyncIterable<MessageInitShape<I>>,
      contextValues?: ContextValues,
    ) {
      const common = beginning(method, signal, timeoutMs, headers, contextValues);
      async function* messages() {
        for await (const init of input) yield create(method.input, init);
      }
      const message = messages();
      const reply = await call({ ...common, stream: true, method, message } as StreamRequest);
      return reply as StreamResponse<I, O>;
    },
  };
}

/** The one message of a stream of requests: `fetch` sends no more. */
async function only<M>(messages: AsyncIterable<M>): Promise<M> {
  const all: M[] = [];
  for await (const message of messages) all.push(message);
  const [first, ...more] = all;
  if (first === undefined || more.length > 0) {
    throw new ConnectError("`fetch` sends one message and no stream", Code.Unimplemented);
  }
  return first;
}

/** A message in an envelope: a byte of flags, its length in four bytes, and itself. */
function enclosed(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  const envelope = new Uint8Array(5 + bytes.length);
  new DataView(envelope.buffer).setUint32(1, bytes.length);
  envelope.set(bytes, 5);
  return envelope;
}

/** What comes in envelopes, and whether it is the end. */
async function* envelopes(
  body: ReadableStream<Uint8Array>,
): AsyncGenerator<[isEnd: boolean, bytes: Uint8Array]> {
  const reader = body.getReader();
  let rest = new Uint8Array(0);
  try {
    for (;;) {
      const view = new DataView(rest.buffer, rest.byteOffset, rest.length);
      const end = rest.length < 5 ? 5 : 5 + view.getUint32(1);
      if (rest.length >= 5 && rest.length >= end) {
        yield [(view.getUint8(0) & 2) !== 0, rest.subarray(5, end)];
        rest = rest.subarray(end);
        continue;
      }
      const { done, value } = await reader.read();
      if (done) return;
      const joined = new Uint8Array(rest.length + value.length);
      joined.set(rest);
      joined.set(value, rest.length);
      rest = joined;
    }
  } finally {
    // Whoever has enough lets the node go.
    await reader.cancel().catch(() => {});
  }
}

/** An error as the protocol writes it. */
interface Written {
  code?: string;
  message?: string;
  details?: { type: string; value: string; debug?: unknown }[];
}

/** What a call was refused with. */
function refused({ status, headers }: Response, text: string): ConnectError {
  try {
    return error(JSON.parse(text) as Written, headers, ofStatus(status));
  } catch {
    // Not the node's own words: somebody between it and here answered.
    return new ConnectError(`HTTP ${status}`, ofStatus(status), headers);
  }
}

/** How a stream ended. */
function ended(text: string, headers: Headers): void {
  const { error: written } = JSON.parse(text) as { error?: Written };
  if (written) throw error(written, headers, Code.Unknown);
}

function error({ code, message, details }: Written, headers: Headers, otherwise: Code) {
  const made = new ConnectError(message ?? "", codeOf(code) ?? otherwise, headers);
  made.details = (details ?? []).map(({ type, value, debug }) => ({
    type,
    value: Uint8Array.from(atob(value), (letter) => letter.charCodeAt(0)),
    debug: debug as never,
  }));
  return made;
}

/** What a status of HTTP means where nothing else is said. */
function ofStatus(status: number): Code {
  const codes: { [status: number]: Code } = {
    400: Code.Internal,
    401: Code.Unauthenticated,
    403: Code.PermissionDenied,
    404: Code.Unimplemented,
    429: Code.Unavailable,
    502: Code.Unavailable,
    503: Code.Unavailable,
    504: Code.Unavailable,
  };
  return codes[status] ?? Code.Unknown;
}
