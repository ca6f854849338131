// Somebody signs in to an application of another site: node elsewhere.mjs <url> <code> [folder]
import assert from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";
import { mkdirSync } from "node:fs";
import { createServer } from "node:http";

import { connect, signIn } from "@stoa/sdk";
import { AuthService } from "@stoa/sdk/auth";
import { inaccessible, launch, open, overflows } from "./browser.mjs";

const [url, code, folder] = process.argv.slice(2);
const ADA = { login: "ada", password: "correct horse battery" };

const stoa = connect({ url });
await stoa.client(AuthService).setUp({
  code,
  handle: ADA.login,
  email: "ada@example.com",
  password: ADA.password,
});
await signIn(stoa, ADA);

/** The application: it sends whoever comes to the node, and shows with what they come back. */
const application = createServer((request, answer) => {
  const { pathname, searchParams } = new URL(request.url, "http://localhost");
  if (pathname === "/") {
    answer.writeHead(302, { location: asking(Object.fromEntries(searchParams)) }).end();
    return;
  }
  const name = pathname === "/favicon.ico" ? "" : `<h1>Back ${pathname}</h1>`;
  answer.writeHead(200, { "content-type": "text/html" }).end(name);
});
await new Promise((listening) => application.listen(0, "127.0.0.1", listening));
// Another site than 127.0.0.1, as far as browsers are concerned.
const home = `http://localhost:${application.address().port}`;
const { client } = await call("oidc", "OidcService", "CreateClient", {
  name: "Shop <of> others",
  redirectUris: [`${home}/signed-in`],
  postLogoutRedirectUris: [`${home}/signed-out`],
  idTokenAlgorithm: "SIGNING_ALGORITHM_ES256",
});
await call("system", "SystemService", "UpdateSetting", {
  service: "oidc",
  name: "issuer",
  value: JSON.stringify(url),
});

const browser = await launch();
const wrong = [];
try {
  const { page, context, wrong: own } = await open(browser, "light");
  // From the application to the console, to the page that asks, and back.
  await page.goto(home);
  await page.getByRole("heading", { name: "Sign in" }).waitFor();
  assert.equal(new URL(page.url()).pathname, "/sign-in");
  await enter(page);
  await page.getByRole("heading", { name: "Sign in to an application" }).waitFor();
  await page.getByText("Shop <of> others").waitFor();
  await look(page, "consent");
  await page.getByRole("button", { name: "Allow" }).click();
  await back(page, "/signed-in", "code");

  // Whoever is signed in, and has said yes, is sent back at once: from another site too.
  await page.goto(home);
  await back(page, "/signed-in", "code");
  await page.goto(`${home}/?prompt=none`);
  await back(page, "/signed-in", "code");

  // Whoever has to prove again who they are does.
  await page.goto(`${home}/?prompt=login`);
  await enter(page);
  await back(page, "/signed-in", "code");

  // A device is let in, by what it shows.
  await page.goto(`${url}/oauth2/device`);
  await page.getByLabel("Code").waitFor();
  await look(page, "device");

  // Nobody is signed out by a link of another site alone.
  const leave = new URLSearchParams({
    client_id: client.id,
    post_logout_redirect_uri: `${home}/signed-out`,
  });
  await page.goto(`${url}/oauth2/end_session?${leave}`);
  await look(page, "sign-out");
  await page.getByRole("button", { name: "Sign out" }).click();
  await back(page, "/signed-out");
  await page.goto(`${home}/?prompt=none`);
  await back(page, "/signed-in", "error");

  // What stands behind `return` is a page of the node, or none.
  await page.goto(`${url}/sign-in?return=${encodeURIComponent(`${home}/evil`)}`);
  await enter(page);
  await page.getByRole("heading", { name: "Home" }).waitFor();
  assert.equal(new URL(page.url()).origin, url);
  wrong.push(...own.filter((what) => !what.startsWith("elsewhere")));
  await context.close();
} finally {
  await browser.close();
  application.close();
}
assert.deepEqual(wrong, []);
console.log("ok");

function asking(more) {
  const challenge = createHash("sha256").update(randomBytes(32)).digest("base64url");
  const query = new URLSearchParams({
    client_id: client.id,
    redirect_uri: `${home}/signed-in`,
    response_type: "code",
    scope: "openid profile",
    code_challenge: challenge,
    code_challenge_method: "S256",
    ...more,
  });
  return `${url}/oauth2/authorize?${query}`;
}

async function call(service, name, method, request) {
  const answer = await fetch(`${url}/stoa.${service}.v1.${name}/${method}`, {
    method: "POST",
    headers: { authorization: `Bearer ${stoa.token}`, "content-type": "application/json" },
    body: JSON.stringify(request),
  });
  assert.equal(answer.status, 200, await answer.clone().text());
  return answer.json();
}

async function enter(page) {
  await page.getByLabel("Handle or e-mail address").fill(ADA.login);
  await page.getByLabel("Password").fill(ADA.password);
  await page.getByRole("button", { name: "Sign in" }).click();
}

/** That the browser is back at the application, with this parameter. */
async function back(page, path, parameter) {
  await page.getByRole("heading", { name: `Back ${path}` }).waitFor();
  const address = new URL(page.url());
  assert.equal(address.origin, home);
  if (parameter === undefined) return;
  assert.ok(address.searchParams.has(parameter), address.href);
  assert.equal(address.searchParams.get("iss"), url);
  await page.goto("about:blank");
}

async function look(page, name) {
  wrong.push(...(await inaccessible(page, "light")), ...(await overflows(page)));
  if (folder === undefined) return;
  mkdirSync(folder, { recursive: true });
  await page.screenshot({ path: `${folder}/${name}.png` });
}
