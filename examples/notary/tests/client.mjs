// Connect for Node uploads a document in pieces and asks for it in a session.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";

const [url, tools, descriptors, version] = process.argv.slice(2);
const require = createRequire(`${tools}/package.json`);
const { createFileRegistry, fromBinary } = require("@bufbuild/protobuf");
const { FileDescriptorSetSchema } = require("@bufbuild/protobuf/wkt");
const { createClient, ConnectError } = require("@connectrpc/connect");
const { createConnectTransport, createGrpcTransport } = require("@connectrpc/connect-node");

const files = createFileRegistry(fromBinary(FileDescriptorSetSchema, readFileSync(descriptors)));
const service = files.getService("stoa.notary.v1.NotaryService");

const transports = {
  "connect 1.1": () => createConnectTransport({ baseUrl: url, httpVersion: "1.1" }),
  "connect 2": () => createConnectTransport({ baseUrl: url, httpVersion: "2" }),
  grpc: () => createGrpcTransport({ baseUrl: url }),
};
const client = createClient(service, transports[version]());

async function* pieces(count) {
  for (let n = 0; n < count; n++) yield { piece: new Uint8Array(60_000).fill(n) };
}
const { document } = await client.register(pieces(20));
assert.equal(document.size, 1_200_000n);

// A session: each question waits for the answer to the one before, where HTTP lets it.
const answered = [];
let next = () => {};
async function* questions() {
  for (const hash of [document.hash, "0".repeat(64), document.hash]) {
    const answer = new Promise((resolve) => { next = resolve; });
    yield { hash };
    if (version !== "connect 1.1") await answer;
  }
}
for await (const answer of client.ask(questions())) {
  answered.push(answer.document !== undefined);
  next();
}

async function* wrong() {
  yield { piece: new Uint8Array(0) };
}
const failed = await client.register(wrong()).catch((error) => ConnectError.from(error));
console.log(JSON.stringify({ hash: document.hash, answered, failed: failed.rawMessage }));
process.exit(0);
