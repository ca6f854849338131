// openid-client, as it comes, with a browser that is no more than a cookie.
import assert from "node:assert/strict";

const [tools, issuer, now, session, shop, secret, television, robot, robotSecret] = process.argv.slice(2);
const client = await import(`${tools}/node_modules/openid-client/build/index.js`);
const BACK = "http://127.0.0.1:9/signed-in";
const LEFT = "http://127.0.0.1:9/bye";
const cookie = `stoa_session_${new URL(issuer).port}=${session}`;
// The node has a clock of its own.
const skew = Number(now) - Math.floor(Date.now() / 1000);

async function provider(id, secret) {
  const metadata = { client_secret: secret || undefined, [client.clockSkew]: skew };
  const execute = { execute: [client.allowInsecureRequests] };
  const by = secret === "" ? client.None() : undefined;
  return client.discovery(new URL(issuer), id, metadata, by, execute);
}

async function browse(address, init = {}) {
  const headers = { cookie, ...init.headers };
  return fetch(address, { redirect: "manual", ...init, headers });
}

/** Follows an address, says yes on the page that asks, and gives where it leads. */
async function allow(address) {
  let answer = await browse(address);
  if (answer.status === 200) {
    const page = (await answer.text()).replaceAll("&amp;", "&");
    const action = new URL(page.match(/action="([^"]+)"/)[1], issuer);
    const fields = [...page.matchAll(/name="([a-z_]+)" value="([^"]*)">/g)].map((field) => [field[1], field[2]]);
    const body = new URLSearchParams([...fields.filter(([name]) => name !== "decision"), ["decision", "allow"]]);
    answer = await browse(action, { method: "POST", body });
  }
  return answer;
}

async function signIn(config, parameters = {}) {
  const verifier = client.randomPKCECodeVerifier();
  const [state, nonce] = [client.randomState(), client.randomNonce()];
  const address = client.buildAuthorizationUrl(config, {
    redirect_uri: BACK,
    scope: "openid profile email offline_access",
    code_challenge: await client.calculatePKCECodeChallenge(verifier),
    code_challenge_method: "S256",
    state,
    nonce,
    ...parameters,
  });
  const answer = await allow(address);
  assert.equal(answer.status, 303);
  const back = new URL(answer.headers.get("location"));
  const expected = { pkceCodeVerifier: verifier, expectedState: state, expectedNonce: nonce, idTokenExpected: true };
  return { back, tokens: () => client.authorizationCodeGrant(config, back, expected) };
}

const config = await provider(shop, secret);
assert.ok(config.serverMetadata().supportsPKCE());
const { tokens: exchange } = await signIn(config);
const tokens = await exchange();
const { sub } = tokens.claims();
const who = await client.fetchUserInfo(config, tokens.access_token, sub);
assert.equal(who.preferred_username, "ada");
assert.ok((await client.tokenIntrospection(config, tokens.access_token)).active);
const next = await client.refreshTokenGrant(config, tokens.refresh_token);
assert.notEqual(next.refresh_token, tokens.refresh_token);
assert.equal(next.claims().sub, sub);
await client.tokenRevocation(config, next.refresh_token);
assert.equal((await client.tokenIntrospection(config, next.access_token)).active, false);
await assert.rejects(client.refreshTokenGrant(config, next.refresh_token), { error: "invalid_grant" });

const { tokens: once } = await signIn(config);
await once();
await assert.rejects(once(), { error: "invalid_grant" });

const program = await provider(robot, robotSecret);
assert.equal((await client.clientCredentialsGrant(program, { scope: "reports.read" })).scope, "reports.read");

const screen = await provider(television, "");
const begun = await client.initiateDeviceAuthorization(screen, { scope: "openid profile" });
assert.equal(begun.interval, 5);
assert.equal((await allow(begun.verification_uri_complete)).status, 200);
const polled = await client.pollDeviceAuthorizationGrant(screen, { ...begun, interval: 0.01 });
assert.equal(polled.claims().sub, sub);

const { registration_endpoint } = config.serverMetadata();
assert.ok(registration_endpoint);
const registered = await client.dynamicClientRegistration(
  new URL(issuer),
  { redirect_uris: [BACK], id_token_signed_response_alg: "ES256", [client.clockSkew]: skew },
  undefined,
  { execute: [client.allowInsecureRequests] },
);
await (await signIn(registered, { scope: "openid" })).tokens();

// One that has a key and no secret.
const pair = await crypto.subtle.generateKey({ name: "ECDSA", namedCurve: "P-256" }, true, ["sign", "verify"]);
const { kty, crv, x, y } = await crypto.subtle.exportKey("jwk", pair.publicKey);
const signs = await client.dynamicClientRegistration(
  new URL(issuer),
  {
    redirect_uris: [BACK],
    grant_types: ["authorization_code", "refresh_token"],
    id_token_signed_response_alg: "ES256",
    token_endpoint_auth_method: "private_key_jwt",
    jwks: { keys: [{ kty, crv, x, y, kid: "mine", use: "sig", alg: "ES256" }] },
    [client.clockSkew]: skew,
  },
  client.PrivateKeyJwt({ key: pair.privateKey, kid: "mine" }),
  { execute: [client.allowInsecureRequests] },
);
assert.equal(signs.clientMetadata().client_secret, undefined);
const signed = await (await signIn(signs, { scope: "openid" })).tokens();
const again = await client.refreshTokenGrant(signs, signed.refresh_token);
assert.ok((await client.tokenIntrospection(signs, again.access_token)).active);

const last = await (await signIn(config)).tokens();
const leave = client.buildEndSessionUrl(config, { id_token_hint: last.id_token, post_logout_redirect_uri: LEFT });
const left = await browse(leave);
assert.equal(left.headers.get("location").split("?")[0], LEFT);
const gone = await signIn(config, { prompt: "none" });
await assert.rejects(gone.tokens(), { error: "login_required" });
console.log("ok");
