// npm's @kafkajs/confluent-schema-registry and cloudevents, as they come: what one encodes by the registry, and an event
// that the other writes.
import { strict as assert } from "node:assert";
import { createRequire } from "node:module";

const [url, token] = process.argv.slice(2);
const require = createRequire(new URL("../../../tools/package.json", import.meta.url));
const { SchemaRegistry, SchemaType } = require("@kafkajs/confluent-schema-registry");
const { CloudEvent, HTTP } = require("cloudevents");

const authorization = `Bearer ${token}`;
const signed = () => ({
  prepareRequest: async (next) => (await next()).enhance({ headers: { authorization } }),
});
const registry = new SchemaRegistry({ host: `${url}/schema-registry`, middlewares: [signed] });
const schema = JSON.stringify({
  type: "object",
  properties: { total: { type: "integer" } },
  required: ["total"],
  additionalProperties: false,
});
const { id } = await registry.register({ type: SchemaType.JSON, schema }, { subject: "carts-value" });
const message = await registry.encode(id, { total: 7 });
assert.deepEqual([message[0], message.readInt32BE(1)], [0, id]);
assert.deepEqual(await registry.decode(message), { total: 7 });
await assert.rejects(registry.encode(id, { total: "seven" }));
assert.equal(await registry.getLatestSchemaId("carts-value"), id);
assert.equal(await registry.getRegistryId("carts-value", 1), id);
const narrow = JSON.stringify({ type: "object", required: ["none"] });
await assert.rejects(
  registry.register({ type: SchemaType.JSON, schema: narrow }, { subject: "carts-value" }),
  /REQUIRED_ATTRIBUTE_ADDED/,
);

const event = new CloudEvent({
  id: "n-1",
  source: "/web",
  type: "carts-value",
  subject: "case-2",
  data: { total: 7 },
});
const { headers, body } = HTTP.structured(event);
for (const seq of ["1", "1"]) {
  const posted = await fetch(`${url}/v1/cases/events`, {
    method: "POST",
    headers: { ...headers, authorization },
    body,
  });
  assert.deepEqual([posted.status, (await posted.json()).seq], [200, seq]);
}
console.log("ok");
