import { BinaryReader } from "@bufbuild/protobuf/wire";

/** A field of `google.rpc`'s details that is a text, or a message of its own. */
export interface Part {
  no: number;
  bytes: Uint8Array;
}

/**
 * The fields of a message whose fields are texts and messages: all that errors need of it. The schemas of
 * `google.rpc` would be a good part of what a page loads, to read five texts.
 */
export function parts(bytes: Uint8Array): Part[] {
  const reader = new BinaryReader(bytes);
  const found: Part[] = [];
  while (reader.pos < reader.len) {
    const [no, wireType] = reader.tag();
    if (wireType === 2) found.push({ no, bytes: reader.bytes() });
    else reader.skip(wireType);
  }
  return found;
}

/** The text of a field, empty where it is not said. */
export function text(of: Part[], no: number): string {
  return new TextDecoder().decode(of.find((part) => part.no === no)?.bytes);
}

/** The messages of a field that is repeated. */
export function many(of: Part[], no: number): Part[][] {
  return of.filter((part) => part.no === no).map(({ bytes }) => parts(bytes));
}
