// Walks through every page of the console, on a node that is new: node walk.mjs <url> <code> [folder]
import assert from "node:assert/strict";
import { mkdirSync } from "node:fs";
import { createRequire } from "node:module";

import { connect, signIn as enter } from "@stoa/sdk";
import { AuthService } from "@stoa/sdk/auth";
import { AccountKind, LedgerService } from "@stoa/sdk/ledger";
import { OrdersService } from "@stoa/sdk/orders";
import { SystemService } from "@stoa/sdk/system";
import { FORMS, inaccessible, launch, open, overflows } from "./browser.mjs";
import { firstMinute } from "./first.mjs";
import { openShop } from "./shop.mjs";
import { measure, sessionOf } from "./speed.mjs";
import { tables } from "./tables.mjs";

/** The reference implementation of GraphQL, which others of our tests have as well. */
const { buildClientSchema, getIntrospectionQuery, parse, validate } = createRequire(
  new URL("../../../tools/package.json", import.meta.url),
)("graphql");

const [url, code, folder] = process.argv.slice(2);
const ADA = { login: "ada", password: "correct horse battery" };

const browser = await launch();
const wrong = [];
try {
  await setUp();
  const session = await signIn();
  const stoa = connect({ url });
  await enter(stoa, ADA);
  await inOnePage(session, (place) => firstMinute({ ...place, stoa }));
  await openShop(stoa);
  const ones = await some(stoa);
  const commit = await commitOf(stoa, "stoa.orders.v1.OrdersService/PlaceOrder");
  await Promise.all(
    Object.keys(FORMS).map((form) => everyPage(form, session, { ...ones, commit })),
  );
  await everyMethod(session, stoa);
  // One of three orders is cancelled already.
  const isRefused = (what) => /CancelOrder|status of 400/.test(what);
  await inOnePage(session, (place) => tables({ ...place, stoa }), isRefused);
  await placeAnOrder(session);
  await rowsAreLive(session, stoa);
  await zoomIn(session);
  const figures = await measure(browser, url, session);
  console.log(JSON.stringify(figures));
  await lostConnection(session, stoa);
  await expired(stoa);
} finally {
  await browser.close();
}
assert.deepEqual(wrong, []);
console.log("ok");

/** An account and an order to look at. */
async function some(stoa) {
  const { orders } = await stoa.client(OrdersService).listOrders({ pageSize: 1 });
  const { accounts } = await stoa.client(LedgerService).listAccounts({
    ownerId: orders[0].customerId,
  });
  return { account: accounts[0].id, order: orders[0].id };
}

/** Looks at what a page shows, and keeps a picture if there is a folder for it. */
async function look(page, form, name) {
  const found = [...(await inaccessible(page, form)), ...(await overflows(page))];
  wrong.push(...found.map((what) => `${name}, ${form}: ${what}`));
  if (folder === undefined) return;
  mkdirSync(folder, { recursive: true });
  await page.screenshot({ path: `${folder}/${name}-${form}.png` });
}

/** Somebody does something in one window, and perhaps looks at it in another. Some refusals are meant. */
async function inOnePage(session, act, isMeant = () => false) {
  const { page, context, wrong: own } = await open(browser, "light", session);
  await act({
    page,
    url,
    look: (page, name) => look(page, "light", name),
    another: () => context.newPage(),
  });
  wrong.push(...own.filter((what) => !isMeant(what)));
  await context.close();
}

/** The link that the node prints makes the administrator. */
async function setUp() {
  const { page, context, wrong: own } = await open(browser, "light");
  await page.goto(`${url}/#${code}`);
  await page.getByRole("heading", { name: "Create the administrator" }).waitFor();
  await look(page, "light", "set-up");
  await page.getByRole("button", { name: "Create administrator" }).click();
  await page.getByRole("alert").waitFor();
  await look(page, "light", "set-up-refused");
  own.length = 0;
  await page.getByLabel("Handle").fill(ADA.login);
  await page.getByLabel("E-mail address").fill("ada@example.com");
  await page.getByLabel("Password").fill(ADA.password);
  await page.getByRole("button", { name: "Create administrator" }).click();
  await page.getByRole("heading", { name: "Home" }).waitFor();
  assert.equal(new URL(page.url()).hash, "");
  await look(page, "light", "home-new");
  wrong.push(...own);
  await context.close();
}

/** Signs in, after a password that was wrong. Gives what the browser keeps. */
async function signIn() {
  const { page, context, wrong: own } = await open(browser, "light");
  // The link that was used is good for nothing.
  await page.goto(`${url}/#${code}`);
  await page.getByRole("heading", { name: "Sign in" }).waitFor();
  await page.goto(`${url}/data/ledger/accounts`);
  await page.getByRole("heading", { name: "Sign in" }).waitFor();
  wrong.push(...own);
  await look(page, "light", "sign-in");
  await page.getByLabel("Handle or e-mail address").fill(ADA.login);
  await page.getByLabel("Password").fill("another password");
  await page.getByRole("button", { name: "Sign in" }).click();
  await page.getByText("auth.wrong_credentials").waitFor();
  await look(page, "light", "sign-in-refused");
  await enterAt(page);
  // The page that was asked for is the page that is shown.
  await page.getByRole("heading", { name: "ledger / accounts" }).waitFor();
  const cookies = await page.evaluate(() => document.cookie);
  assert.equal(cookies, "");
  const state = await context.storageState();
  await context.close();
  return state;
}

/** The youngest commit of a method. */
async function commitOf(stoa, method) {
  const { commits } = await stoa.client(SystemService).listCommits({ method, pageSize: 1 });
  return commits[0].position;
}

async function everyPage(form, session, ones) {
  const { page, context, wrong: own } = await open(browser, form, session);
  const show = async (name, path, ready) => {
    own.length = 0;
    if (new URL(page.url()).origin !== url) await page.goto(url + path);
    else
      await page.evaluate((path) => {
        history.pushState(null, "", path);
        dispatchEvent(new PopStateEvent("popstate"));
      }, path);
    await ready();
    await look(page, form, name);
    wrong.push(...own.map((what) => `${name}, ${form}: ${what}`));
  };
  const heading = (name) => () =>
    page.getByRole("heading", { name, exact: true }).first().waitFor();
  const rows = async () => void (await page.locator("tbody tr").first().waitFor());
  await show("home", "/", async () => {
    await heading("Home")();
    await page.getByText("following").waitFor();
  });
  await show("explore", "/explore", heading("Explore"));
  await show("method", "/explore/ledger/CreateTransfer", heading("CreateTransfer"));
  await show("data", "/data", heading("Data"));
  for (const list of [
    "ledger/accounts",
    "ledger/transfers",
    "ledger/trial-balance",
    "orders/orders",
    "catalog/products",
    "inventory/stock",
  ]) {
    await show(list.replace("/", "-"), `/data/${list}`, rows);
  }
  await show("inbox", "/data/notify/notifications", () => page.getByText(/unread/).waitFor());
  await show("mailbox", "/data/notify/mail", () =>
    page.getByRole("list", { name: "Mail" }).waitFor(),
  );
  await show("parts", "/-/parts", heading("Parts"));
  const { account, order, commit } = ones;
  await show("account", `/data/ledger/accounts/${account}`, async () => {
    await page.locator("canvas").waitFor();
    await rows();
  });
  await show("order", `/data/orders/orders/${order}`, heading("Its story"));
  await show("empty", "/data/auth/api-keys", () => page.getByText("No api keys yet").waitFor());
  await show("operate-load", "/operate/load?last=15m", async () => {
    await page.getByRole("img", { name: /^Latency: p50 [\d.]+ [mµ]?s/ }).waitFor();
    await page.getByRole("button", { name: "p99" }).click();
    await page.getByRole("link", { name: /PlaceOrder/ }).waitFor();
    await page.getByRole("navigation", { name: "Span" }).scrollIntoViewIfNeeded();
  });
  await show("operate-logs", "/operate/logs", rows);
  for (const part of ["commits", "subscriptions", "timers", "settings", "tenants", "mail"]) {
    await show(`operate-${part}`, `/operate/${part}`, heading("Operate"));
  }
  await show("operate-node", "/operate/node", rows);
  await show("operate-jobs", "/operate/jobs", rows);
  await show("operate-jobs-dead", "/operate/jobs?filter=%7B%22state%22%3A%22dead%22%7D", () =>
    page.getByText("No job is dead.").waitFor(),
  );
  await show("operate-parked", "/operate/parked", () =>
    page.getByText("Nothing is parked.").waitFor(),
  );
  await show("commit", `/operate/commits/${commit}`, async () => {
    await page.getByRole("list", { name: "How it went" }).waitFor();
    await page.getByText("Made durable").waitFor();
    await page
      .getByRole("button", { name: /statement/ })
      .first()
      .click();
    // What it said, and what it touched as it is now.
    await page.getByText("orders.order", { exact: false }).first().waitFor();
    await page.getByText(/^orders\.order\//).click();
    await page.getByText("no commit has touched it since").waitFor();
  });
  for (const part of [
    "users",
    "roles",
    "role-grants",
    "sessions",
    "api-keys",
    "service-accounts",
  ]) {
    await show(`people-${part}`, `/people/${part}`, heading("People"));
  }
  await show("row", "/data/orders/orders", rows);
  await page.locator("tbody tr").nth(1).press("Enter");
  await page.getByRole("dialog").waitFor();
  await look(page, form, "row");
  await page.keyboard.press("Escape");
  await page.getByRole("dialog").waitFor({ state: "detached" });
  await page.keyboard.press("Control+k");
  await page.getByRole("combobox", { name: "Search or jump to" }).fill("order");
  await look(page, form, "search");
  await page.keyboard.press("Escape");
  await context.close();
}

/** The form of every method of every service, and the same in GraphQL, as others read it. */
async function everyMethod(session, stoa) {
  const schema = await schemaOf(stoa);
  const { page, context, wrong: own } = await open(browser, "light", session);
  await page.goto(`${url}/explore`);
  const links = page.getByRole("navigation", { name: "Methods" }).getByRole("link");
  await links.first().waitFor();
  // All that the node has, but for what takes HTTP as it comes.
  const { services } = await stoa.client(SystemService).listServices({});
  const methods = services.flatMap(({ methods }) => methods.map(({ name }) => name));
  const raw = [
    "UploadBlob",
    "ReadBlob",
    "ServeVault",
    "ServeFga",
    "ServeOauth",
    "ServeScim",
    "ServeAcme",
    "ServeCrl",
    "ServeRegistry",
  ];
  const forms = methods.filter((name) => !raw.includes(name));
  const count = await links.count();
  assert.equal(count, forms.length);
  for (let place = 0; place < count; place++) {
    const link = links.nth(place);
    const name = (await link.textContent()).slice(1);
    await link.click();
    await page.getByRole("heading", { name, exact: true, level: 1 }).waitFor();
    if (place === 0) await page.getByRole("tab", { name: "GraphQL" }).click();
    const said = await page.getByRole("tabpanel").locator("pre").textContent();
    const errors = validate(schema, parse(said));
    const isRequest = ({ message }) => /is required, but it was not provided/.test(message);
    wrong.push(...errors.filter((error) => !isRequest(error)).map((error) => `${name}: ${error}`));
  }
  wrong.push(...own);
  await context.close();
}

async function schemaOf({ token }) {
  const headers = { authorization: `Bearer ${token}`, "content-type": "application/json" };
  const body = JSON.stringify({ query: getIntrospectionQuery() });
  const answer = await fetch(`${url}/graphql`, { method: "POST", headers, body });
  return buildClientSchema((await answer.json()).data);
}

/** An order is placed in one window, and seen in another as it happens. */
async function placeAnOrder(session) {
  const watching = await open(browser, "light", session);
  await watching.page.goto(`${url}/operate/events`);
  await watching.page.getByText("following").waitFor();
  const { page, context, wrong: own } = await open(browser, "light", session);
  await page.goto(`${url}/explore/orders/PlaceOrder`);
  await page.getByRole("button", { name: "Add line" }).click();
  await page.getByLabel("sku", { exact: true }).fill("cup");
  await page.getByLabel("quantity", { exact: true }).fill("2");
  await page.getByLabel("currency", { exact: true }).first().fill("EUR");
  await page.getByRole("button", { name: "Place order" }).click();
  await page.getByRole("link", { name: /^commit p/ }).waitFor();
  await look(page, "light", "order-placed");
  await watching.page.getByText("orders.order").first().waitFor();
  await look(watching.page, "light", "events");
  await page.getByRole("link", { name: /^commit p/ }).click();
  await page.getByRole("heading", { name: /^Commit p/ }).waitFor();
  await page.getByText("orders_order").first().waitFor();
  await look(page, "light", "commit");
  const touched = page.getByText(/^orders\.order\//);
  await touched.click();
  await page.getByText("no commit has touched it since").waitFor();
  await touched.scrollIntoViewIfNeeded();
  await page.getByRole("heading", { name: "What it wrote" }).evaluate((it) => it.scrollIntoView());
  await look(page, "light", "touched");
  wrong.push(...own, ...watching.wrong);

  // What the contract does not allow is said at its field.
  await page.goto(`${url}/explore/ledger/CreateAccount`);
  await page.getByLabel("currency", { exact: true }).fill("euro");
  await page.getByRole("button", { name: "Create account" }).click();
  await page.getByText("request.invalid").waitFor();
  assert.equal(
    await page.getByLabel("currency", { exact: true }).getAttribute("aria-invalid"),
    "true",
  );
  await look(page, "light", "refused");
  await watching.context.close();
  await context.close();
}

/** What others do is seen where it is looked at, without asking again. */
async function rowsAreLive(session, stoa) {
  const ledger = stoa.client(LedgerService);
  const lists = await open(browser, "light", session);
  const euros = encodeURIComponent(JSON.stringify({ currency: "EUR" }));
  await lists.page.goto(`${url}/data/ledger/accounts?filter=${euros}`);
  await lists.page.getByText("live", { exact: true }).waitFor();
  const { account } = await ledger.createAccount({
    code: "till",
    currency: "EUR",
    kind: AccountKind.ASSET,
  });
  const row = lists.page.locator("tbody tr", { hasText: "till" });
  await row.waitFor();
  const { page, context, wrong: own } = await open(browser, "light", session);
  await page.goto(`${url}/data/ledger/accounts?open=${account.id}`);
  const detail = page.getByRole("dialog");
  await detail.getByText("till").waitFor();
  const transfer = { currency: "EUR", legs: [{ debit: "till", credit: "bank", amount: 4711n }] };
  await ledger.createTransfer(transfer);
  await detail.getByText("47.11").first().waitFor();
  await row.getByText("47.11").first().waitFor();
  await look(lists.page, "light", "live");
  wrong.push(...own, ...lists.wrong);
  await context.close();
  await lists.context.close();
}

/** Who drags over a chart sees that part in all of them, and so does whoever is sent the address. */
async function zoomIn(session) {
  const { page, context, wrong: own } = await open(browser, "light", session);
  await page.goto(`${url}/operate/load`);
  const chart = page.getByRole("img", { name: /^Calls: / });
  await chart.waitFor();
  const { x, y, width, height } = await chart.boundingBox();
  await page.mouse.move(x + width * 0.5, y + height / 2);
  await page.mouse.down();
  await page.mouse.move(x + width * 0.9, y + height / 2, { steps: 4 });
  await page.mouse.up();
  await page.getByRole("button", { name: "Back to now" }).waitFor();
  assert.match(page.url(), /from=\d+&to=\d+/);
  // A method that is chosen is the one that the charts are of.
  await page.goto(`${url}/operate/load`);
  await page.locator("tbody tr").nth(1).press("Enter");
  await page.getByRole("button", { name: /×$/ }).waitFor();
  assert.match(page.url(), /method=stoa/);
  wrong.push(...own);
  await context.close();
}

/** Without a connection a page says so, and goes on once there is one. */
async function lostConnection(session, stoa) {
  const { page, context } = await open(browser, "light", session);
  await page.goto(`${url}/data/ledger/accounts`);
  await page.locator("tbody tr").first().waitFor();
  const transfers = page.getByRole("link", { name: "transfers" });
  await context.setOffline(true);
  await transfers.click();
  await page.getByRole("button", { name: "Try again" }).waitFor();
  await page.getByText("not reached").waitFor();
  await look(page, "light", "lost");
  await context.setOffline(false);
  await page.getByRole("button", { name: "Try again" }).click();
  await page.locator("tbody tr").first().waitFor();
  await page.getByText("ready", { exact: true }).waitFor();
  // And it is told of what happens, as before.
  await page.getByText("live", { exact: true }).waitFor();
  const description = "after the connection came back";
  const legs = [{ debit: "till", credit: "bank", amount: 1n }];
  await stoa.client(LedgerService).createTransfer({ currency: "EUR", description, legs });
  await page.getByText(description).waitFor();
  await context.close();
}

/** Whose session has ended signs in again where they are. */
async function expired(stoa) {
  const { page, context } = await open(browser, "light", await sessionOf(browser, url, ADA));
  await page.goto(`${url}/people/sessions`);
  await page.locator("tbody tr").first().waitFor();
  const auth = stoa.client(AuthService);
  const { sessions } = await auth.listSessions({});
  const own = sessions.filter(({ label }) => label === "console");
  assert.ok(own.length > 0);
  for (const { id } of own) await auth.revokeSession({ id });
  await page.getByRole("link", { name: "Roles" }).click();
  await enterAt(page);
  // Whoever signs in is where they wanted to be.
  await page.getByText("bookkeeper").waitFor();
  assert.match(page.url(), /people\/roles$/);
  await context.close();
}

async function enterAt(page) {
  await page.getByRole("heading", { name: "Sign in" }).waitFor();
  await page.getByLabel("Handle or e-mail address").fill(ADA.login);
  await page.getByLabel("Password").fill(ADA.password);
  await page.getByRole("button", { name: "Sign in" }).click();
}
