import type {
  DescMethod,
  DescMethodStreaming,
  DescMethodUnary,
  DescService,
} from "@bufbuild/protobuf";
import type { CallOptions, Client, Transport } from "@connectrpc/connect";

/** A method as a function, as `Client` types it. */
type Method = (input: never, options?: CallOptions) => unknown;

/** A client of a service: a function for each of its methods. */
export function clientOf<S extends DescService>(service: S, transport: Transport): Client<S> {
  const methods = service.methods.map((method): [string, Method] => {
    if (isUnary(method)) return [method.localName, unary(method, transport)];
    const replies = streaming(method as DescMethodStreaming, transport);
    // A stream of requests with one reply, as an upload is.
    const reply = async (input: never, options?: CallOptions) => {
      for await (const message of replies(input, options)) return message;
      return undefined;
    };
    return [method.localName, method.methodKind === "client_streaming" ? reply : replies];
  });
  return Object.fromEntries(methods) as Client<S>;
}

function isUnary(method: DescMethod): method is DescMethodUnary {
  return method.methodKind === "unary";
}

function unary(method: DescMethodUnary, transport: Transport): Method {
  return async (input, { signal, timeoutMs, headers, contextValues, onHeader, onTrailer } = {}) => {
    const reply = await transport.unary(method, signal, timeoutMs, headers, input, contextValues);
    onHeader?.(reply.header);
    onTrailer?.(reply.trailer);
    return reply.message;
  };
}

function streaming(method: DescMethodStreaming, transport: Transport) {
  return async function* (input: never, options: CallOptions = {}) {
    const { signal, timeoutMs, headers, contextValues, onHeader, onTrailer } = options;
    const requests = method.methodKind === "server_streaming" ? one(input) : input;
    const replies = await transport.stream(
      method,
      signal,
      timeoutMs,
      headers,
      requests,
      contextValues,
    );
    onHeader?.(replies.header);
    yield* replies.message;
    onTrailer?.(replies.trailer);
  };
}

async function* one<M>(message: M): AsyncGenerator<M> {
  yield message;
}
