// Clients of GraphQL that we did not write, on a node: node graphql.mjs TOOLS URL TOKEN
//
// What each of them heard is printed as one object of JSON.
import { createRequire } from 'node:module';
import { resolve } from 'node:path';

const [tools, url, token] = process.argv.slice(2);
const require = createRequire(resolve(tools, 'package.json'));
const { auditServer } = require('graphql-http');
const sse = require('graphql-sse');
const ws = require('graphql-ws');
const { Client, fetchExchange } = require('@urql/core');
const { assertValidSchema, buildClientSchema, getIntrospectionQuery } = require('graphql');

const headers = { authorization: `Bearer ${token}` };
const endpoint = `${url}/graphql`;
const query = '{ auth { whoAmI { subject } } }';
const follow = 'subscription { systemFollowEvents(topic: "ledger.account") { events { topic } } }';

// What conforms to GraphQL over HTTP, and what does not.
async function audited() {
  const results = await auditServer({ url: endpoint, fetchFn: fetch });
  const failed = results.filter((result) => result.status !== 'ok');
  return {
    ok: results.length - failed.length,
    failed: failed.map(({ id, name, status, reason }) => ({ id, name, status, reason })),
  };
}

// The schema, as the reference implementation reads it.
async function introspected() {
  const response = await fetch(endpoint, {
    method: 'POST',
    headers: { ...headers, 'content-type': 'application/json' },
    body: JSON.stringify({ query: getIntrospectionQuery({ specifiedByUrl: true, inputValueDeprecation: true }) }),
  });
  const { data, errors } = await response.json();
  if (errors) throw new Error(JSON.stringify(errors));
  const schema = buildClientSchema(data);
  assertValidSchema(schema);
  // Where references of one contract to another lead.
  const edges = ['OrdersOrder.transfer', 'LedgerLeg.debitAccount', 'LedgerTransfer.reversesTransfer', 'NotifyNotification.user'];
  const leads = edges.map((edge) => {
    const [type, field] = edge.split('.');
    return `${edge}: ${schema.getType(type).getFields()[field].type}`;
  });
  return { count: Object.keys(schema.getTypeMap()).length, leads };
}

async function urql() {
  const client = new Client({ url: endpoint, exchanges: [fetchExchange], fetchOptions: { headers } });
  const { data, error } = await client.query(query, {}).toPromise();
  const refused = await client
    .mutation(
      'mutation ($currency: String!) { ledgerCreateAccount(currency: $currency, kind: ACCOUNT_KIND_ASSET) { account { id } } }',
      { currency: 'euro' },
    )
    .toPromise();
  if (error) throw error;
  return { data, refused: refused.error.graphQLErrors[0].extensions };
}

// What is asked once, and the first event that a stream brings: commits are made until somebody who
// listens has heard of one.
async function followed(client, name) {
  const asked = [];
  for await (const { data } of client.iterate({ query })) asked.push(data);
  const events = client.iterate({ query: follow });
  let heard;
  const first = events.next().then(({ value }) => { heard = value; });
  for (let nth = 0; !heard; nth++) {
    const account = `mutation { ledgerCreateAccount(code: "${name}${nth}", currency: "EUR", kind: ACCOUNT_KIND_ASSET) { account { id } } }`;
    for await (const { errors } of client.iterate({ query: account })) {
      if (errors) throw new Error(JSON.stringify(errors));
    }
  }
  await first;
  await events.return();
  return { asked, topic: heard.data.systemFollowEvents.events[0].topic };
}

// The states of an account that is watched, with its owner: before and after a transfer, and once its
// owner is called something else.
async function watched(client, name) {
  const ask = async (query, variables) => {
    for await (const { data, errors } of client.iterate({ query, variables })) {
      if (errors) throw new Error(JSON.stringify(errors));
      return data;
    }
  };
  const opened = await ask(
    `mutation ($handle: String!, $email: String!) {
      usersCreateUser(handle: $handle, email: $email, displayName: "Ann") { user { id } } }`,
    { handle: name, email: `${name}@example.com` },
  );
  const { id } = opened.usersCreateUser.user;
  const account = `mutation ($code: String!, $owner: String) {
    ledgerCreateAccount(code: $code, ownerId: $owner, currency: "EUR", kind: ACCOUNT_KIND_LIABILITY) { account { id } } }`;
  await ask(account, { code: `${name}/own`, owner: id });
  await ask(account, { code: `${name}/house` });
  const states = client.iterate({
    query: 'subscription ($account: String!) { ledger { account(account: $account) { balance owner { displayName } } } }',
    variables: { account: `${name}/own` },
  });
  const next = async () => {
    const { value } = await states.next();
    if (value.errors) throw new Error(JSON.stringify(value.errors));
    const { balance, owner } = value.data.ledger.account;
    return [balance, owner.displayName];
  };
  const heard = [await next()];
  await ask(
    `mutation ($debit: String!, $credit: String!) {
      ledgerCreateTransfer(currency: "EUR", legs: [{debit: $debit, credit: $credit, amount: 7}]) { transfer { id } } }`,
    { debit: `${name}/house`, credit: `${name}/own` },
  );
  heard.push(await next());
  await ask(
    'mutation ($id: String!) { usersUpdateUser(id: $id, displayName: "Bob", updateMask: "displayName") { user { id } } }',
    { id },
  );
  heard.push(await next());
  await states.return();
  return heard;
}

const events = sse.createClient({ url: endpoint, headers });
const socket = ws.createClient({
  url: endpoint.replace('http', 'ws'),
  webSocketImpl: require('ws'),
  connectionParams: { authorization: headers.authorization },
});
const report = {
  audit: await audited(),
  schema: await introspected(),
  urql: await urql(),
  sse: { ...(await followed(events, 'sse')), states: await watched(events, 'bob') },
  ws: { ...(await followed(socket, 'ws')), states: await watched(socket, 'eve') },
};
await socket.dispose();
console.log(JSON.stringify(report));
process.exit(0);
