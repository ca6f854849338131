// The TypeScript SDK, as a program has it: against a node, from its set-up code on.
import assert from "node:assert/strict";

import { connect, StoaError, signIn, signingIn, signOut, watch, withKey } from "@stoa/sdk";
import { AuthService } from "@stoa/sdk/auth";
import { json } from "@stoa/sdk/json";
import { AccountKind, LedgerService } from "@stoa/sdk/ledger";
import { SystemService } from "@stoa/sdk/system";

const [url, code, without] = process.argv.slice(2);
if (without) delete globalThis.WebSocket;
const ada = { login: "ada", password: "correct horse battery" };

const stoa = connect({ url });
const auth = stoa.client(AuthService);
const ledger = stoa.client(LedgerService);
assert.equal((await auth.getSetup({})).open, true);
await auth.setUp({ code, handle: ada.login, email: "ada@example.com", password: ada.password });
await assert.rejects(auth.whoAmI({}), { reason: "auth.required" });
const session = await signIn(stoa, { ...ada, label: "a test" });
assert.equal(session.label, "a test");

// Errors say which field, and what to do.
const wrong = await ledger.createAccount({ currency: "euro" }).catch((error) => error);
assert.ok(wrong instanceof StoaError);
assert.equal(wrong.reason, "request.invalid");
assert.deepEqual(
  wrong.violations.map(({ path, rule }) => [path, rule]),
  [
    ["currency", "string.pattern"],
    ["kind", "enum.not_in"],
  ],
);
assert.notEqual(wrong.next, "");

// Whoever wrote reads what they wrote, by way of another client that was told the position.
const open = (code, kind) => ledger.createAccount({ code, currency: "EUR", kind });
await open("cash", AccountKind.ASSET);
await open("wallets/ada", AccountKind.LIABILITY);
const transfer = {
  currency: "EUR",
  legs: [{ debit: "cash", credit: "wallets/ada", amount: 1250n }],
};
await ledger.createTransfer(transfer);
assert.match(stoa.position, /^p[0-9a-f]+$/);
const other = connect({ url, codec: json, renew: signingIn({ url }, ada) });
other.position = stoa.position;
const { balance } = await other.client(LedgerService).getBalance({ account: "wallets/ada" });
assert.deepEqual([balance.amount, balance.currency], [1250n, "EUR"]);

// A command whose reply is lost on its way happens once: its next attempt is told the same.
let lost = 0;
const lossy = connect({
  url,
  token: stoa.token,
  fetch: async (...call) => {
    const reply = await fetch(...call);
    if (lost++ > 0) return reply;
    await reply.body.cancel();
    throw new TypeError("the connection was lost");
  },
});
await lossy.client(LedgerService).createTransfer(transfer);
assert.equal(lost, 2);
const after = await ledger.getBalance({ account: "wallets/ada" });
assert.equal(after.balance.amount, 2500n);

// So does one that two programs send under one key.
const once = withKey("order-4711");
const [first, second] = await Promise.all(
  [stoa, other].map((caller) => caller.client(LedgerService).createTransfer(transfer, once)),
);
assert.equal(first.transfer.id, second.transfer.id);
const changed = { ...transfer, description: "another one" };
await assert.rejects(ledger.createTransfer(changed, once), { reason: "idempotency.key_reused" });

// A session that somebody ended is opened again where the program can.
const { sessions } = await auth.listSessions({});
const others = sessions.filter(({ current }) => !current);
for (const { id } of others) await auth.revokeSession({ id });
assert.ok((await other.client(AuthService).whoAmI({})).userId.startsWith("usr_"));

// A stream is an iterator.
const following = new AbortController();
const events = stoa
  .client(SystemService)
  .followEvents({ position: "p0" }, { signal: following.signal });
const topics = [];
for await (const { events: some } of events) {
  topics.push(...some.map(({ topic }) => topic));
  if (topics.includes("ledger.transfer")) break;
}
following.abort();

// A query is watched: its states are an iterator, and what was seen is not told again. (A balance says as of
// when it is, and so is another one whenever it is looked at.)
const { getAccount } = LedgerService.method;
const states = watch(stoa, getAccount, { account: "wallets/ada" });
const { value: now } = await states.next();
assert.equal(now.reply.account.balance, 3750n);
await ledger.createTransfer(transfer);
const { value: then } = await states.next();
assert.equal(then.reply.account.balance, 5000n);
const { etag } = then;
const again = watch(stoa, getAccount, { account: "wallets/ada" }, { etag });
const waiting = again.next();
await ledger.createTransfer(transfer);
assert.equal((await waiting).value.reply.account.balance, 6250n);
await again.return();
const nothing = watch(stoa, getAccount, { account: "nothing" });
await assert.rejects(nothing.next(), { reason: "resource.not_found" });

await signOut(stoa);
await assert.rejects(
  (async () => {
    for await (const _ of states);
  })(),
  { reason: "auth.token_invalid" },
);
await assert.rejects(auth.whoAmI({}), { reason: "auth.required" });
console.log("ok");
