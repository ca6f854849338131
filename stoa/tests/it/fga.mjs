// A client of OpenFGA, as it comes, on a node: a model is written and read, relations are, and questions asked.

import assert from "node:assert/strict";
import { createRequire } from "node:module";

const require = createRequire(new URL("../../../tools/package.json", import.meta.url));
const { ClientWriteRequestOnDuplicateWrites, CredentialsMethod, OpenFgaClient } = require("@openfga/sdk");
const { transformer } = require("@openfga/syntax-transformer");

const [url, token] = process.argv.slice(2);
const credentials = { method: CredentialsMethod.ApiToken, config: { token } };
const nobody = new OpenFgaClient({ apiUrl: `${url}/fga` });
await assert.rejects(nobody.listStores(), (error) => error.statusCode === 401);

const plain = new OpenFgaClient({ apiUrl: `${url}/fga`, credentials });
const { id: storeId } = await plain.createStore({ name: "documents" });
assert.deepEqual((await plain.listStores()).stores.map((store) => store.id), [storeId]);
const fga = new OpenFgaClient({ apiUrl: `${url}/fga`, storeId, credentials });
assert.equal((await fga.getStore()).id, storeId);

// Types and relations are kept in the order of their names.
const text = `model
  schema 1.1
type document
  relations
    define blocked: [user]
    define editor: [user]
    define parent: [folder]
    define viewer: ([user] or editor or viewer from parent) but not blocked
type folder
  relations
    define owner: [user]
    define viewer: [user, user:*, group#member] or owner
type group
  relations
    define member: [user, group#member]
type user
`;
const model = transformer.transformDSLToJSONObject(text);
const { authorization_model_id: authorizationModelId } = await fga.writeAuthorizationModel(model);
const kept = (await fga.readAuthorizationModel({ authorizationModelId })).authorization_model;
const written = transformer.transformJSONStringToDSL(JSON.stringify(kept));
assert.equal(transformer.transformJSONStringToDSL(JSON.stringify(model)), written);
assert.equal((await fga.readLatestAuthorizationModel()).authorization_model.id, authorizationModelId);
const wrong = { ...model, type_definitions: [{ type: "a", relations: { b: { computedUserset: { relation: "c" } } } }] };
await assert.rejects(fga.writeAuthorizationModel(wrong), (error) => error.apiErrorCode === "invalid_authorization_model");

const tuple = (object, relation, user) => ({ object, relation, user });
await fga.writeTuples([
    tuple("group:staff", "member", "user:ada"),
    tuple("folder:plans", "viewer", "group:staff#member"),
    tuple("document:plan", "parent", "folder:plans"),
    tuple("document:list", "parent", "folder:plans"),
    tuple("document:list", "blocked", "user:ada"),
    tuple("document:plan", "editor", "user:bob"),
]);
const again = [tuple("document:plan", "editor", "user:bob")];
await assert.rejects(fga.writeTuples(again), (error) => error.apiErrorCode === "write_failed_due_to_invalid_input");
const onDuplicateWrites = ClientWriteRequestOnDuplicateWrites?.Ignore ?? "ignore";
await fga.writeTuples(again, { conflict: { onDuplicateWrites } });

const allowed = async (asked) => (await fga.check(asked, { authorizationModelId })).allowed;
assert.equal(await allowed(tuple("document:plan", "viewer", "user:ada")), true);
assert.equal(await allowed(tuple("document:list", "viewer", "user:ada")), false);
const contextualTuples = [tuple("document:list", "editor", "user:eve")];
assert.equal(await allowed({ ...tuple("document:list", "viewer", "user:eve"), contextualTuples }), true);
await assert.rejects(allowed(tuple("document:list", "nonsense", "user:eve")), (error) => error.apiErrorCode === "relation_not_found");

const checks = ["user:ada", "user:bob", "user:eve"].map((user) => ({ ...tuple("document:plan", "viewer", user), correlationId: user.replace(":", "-") }));
const { result } = await fga.batchCheck({ checks });
const answers = Object.fromEntries(result.map((one) => [one.correlationId, one.allowed]));
assert.deepEqual(answers, { "user-ada": true, "user-bob": true, "user-eve": false });

const listed = await fga.listObjects({ user: "user:ada", relation: "viewer", type: "document" });
assert.deepEqual(listed.objects, ["document:plan"]);
const streamed = [];
for await (const one of fga.streamedListObjects({ user: "user:ada", relation: "viewer", type: "folder" })) {
    streamed.push(one.object);
}
assert.deepEqual(streamed, ["folder:plans"]);
const object = { type: "document", id: "plan" };
const { users } = await fga.listUsers({ object, relation: "viewer", user_filters: [{ type: "user" }] });
assert.deepEqual(users.map((user) => user.object.id), ["ada", "bob"]);

const read = async (asked) => (await fga.read(asked)).tuples.map(({ key }) => `${key.object}#${key.relation}@${key.user}`);
assert.equal((await read({})).length, 6);
assert.deepEqual(await read({ object: "document:plan", relation: "editor" }), ["document:plan#editor@user:bob"]);
assert.deepEqual(await read({ object: "document:", user: "user:ada" }), ["document:list#blocked@user:ada"]);
await fga.deleteTuples([tuple("group:staff", "member", "user:ada")]);
assert.equal(await allowed(tuple("document:plan", "viewer", "user:ada")), false);
console.log("ok");
