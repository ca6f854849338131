// npm's oidc-provider, as it comes, and a browser that goes there and comes back. What it prints: its issuer;
// then, told the address to which people are sent back, the session that each sign-in ends in.
import { createServer } from "node:http";
import { createInterface } from "node:readline";

const [tools] = process.argv.slice(2);
const { Provider, errors } = await import(`${tools}/node_modules/oidc-provider/lib/index.js`);
// What it remarks is no answer.
console.info = console.error;
const say = (text) => process.stdout.write(`${text}\n`);
const told = createInterface({ input: process.stdin })[Symbol.asyncIterator]();
const next = async () => (await told.next()).value;

let answer;
const server = createServer((request, response) => answer(request, response));
await new Promise((done) => server.listen(0, "127.0.0.1", done));
const issuer = `http://127.0.0.1:${server.address().port}`;
say(issuer);
say(Math.floor(Date.now() / 1000));

const [redirect, start] = (await next()).split(" ");
const { generateKeyPairSync } = await import("node:crypto");
const key = (kid, type, options) => ({
  ...generateKeyPairSync(type, options).privateKey.export({ format: "jwk" }),
  kid,
  use: "sig",
});
const rsa = (kid) => ({ ...key(kid, "rsa", { modulusLength: 2048 }), alg: "RS256" });

function serve(jwks, algorithm, method) {
  const provider = new Provider(issuer, {
    jwks: { keys: jwks },
    clients: [
      {
        client_id: "stoa",
        client_secret: "a secret + of 32 letters & more!",
        redirect_uris: [redirect],
        id_token_signed_response_alg: algorithm,
        token_endpoint_auth_method: method,
      },
    ],
    clientAuthMethods: [method],
    pkce: { required: () => true },
    claims: { openid: ["sub"], email: ["email", "email_verified"], profile: ["name", "preferred_username"] },
    cookies: { keys: ["a key of tests"] },
    findAccount: (_, id) => ({
      accountId: id,
      claims: () => ({
        sub: id,
        email: `${id}@accounts.example`,
        email_verified: true,
        name: `Somebody ${id}`,
        preferred_username: id,
      }),
    }),
  });
  provider.on("server_error", (_, error) => console.error(error));
  answer = provider.callback();
}

/** A browser: cookies by origin, forms filled in, addresses followed until Stoa's page goes on by itself. */
async function browse(address, login) {
  const kept = new Map();
  let [url, init] = [new URL(address), {}];
  for (let hop = 0; hop < 20; hop++) {
    const cookies = kept.get(url.origin) ?? new Map();
    kept.set(url.origin, cookies);
    const cookie = [...cookies].map(([name, value]) => `${name}=${value}`).join("; ");
    const reply = await fetch(url, { ...init, redirect: "manual", headers: { cookie, accept: "text/html" } });
    for (const line of reply.headers.getSetCookie()) {
      const [, name, value] = /^([^=]+)=([^;]*)/.exec(line);
      if (value === "") cookies.delete(name);
      else cookies.set(name, value);
    }
    const location = reply.headers.get("location");
    const page = await reply.text();
    if (location !== null) {
      [url, init] = [new URL(location, url), {}];
      continue;
    }
    const form = /<form[^>]* action="([^"]+)"/.exec(page);
    if (form === null || url.origin !== issuer) {
      const session = [...cookies].find(([name]) => name.startsWith("stoa_session"));
      return session?.[1] ?? `${reply.status} ${page}`;
    }
    const prompt = /name="prompt" value="([^"]+)"/.exec(page)?.[1];
    const body = new URLSearchParams(prompt === "login" ? { prompt, login, password: "any" } : { prompt });
    [url, init] = [new URL(form[1], url), { method: "POST", body }];
  }
  return "it never ends";
}

const ec = key("of-ec", "ec", { namedCurve: "P-256" });
for (const [jwks, algorithm, method, login] of [
  [[rsa("one")], "RS256", "client_secret_basic", "ada"],
  [[rsa("two")], "RS256", "client_secret_basic", "ada"],
  [[ec, rsa("two")], "ES256", "client_secret_basic", "bob"],
]) {
  serve(jwks, algorithm, method);
  say(await browse(start, login));
  await next();
}
server.close();
process.exit(0);
