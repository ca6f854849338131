// Every way to sign in, and one's own account: node sign-in.mjs <url> <code> [folder]
//
// Passkeys are of a device that Chromium plays, codes of a program that others wrote, and mail is read where
// a node without a mail server keeps it.
import assert from "node:assert/strict";
import { mkdirSync } from "node:fs";
import { readFile } from "node:fs/promises";

import { connect, signIn } from "@stoa/sdk";
import { AuthService } from "@stoa/sdk/auth";
import { NotifyService } from "@stoa/sdk/notify";
import { SystemService } from "@stoa/sdk/system";
import { UsersService } from "@stoa/sdk/users";
import { generate } from "otplib";
import { FORMS, inaccessible, launch, open, overflows } from "./browser.mjs";

const [url, code, folder] = process.argv.slice(2);
// Browsers keep passkeys for a name.
const site = url.replace("127.0.0.1", "localhost");
const ADA = { login: "ada", password: "correct horse battery" };
const BOB = "bob";
const [OLD, NEW] = ["bob@example.com", "bob@example.org"];
const FIRST = "seven zebras in Uppsala hum";
const SECOND = "nine quiet owls over Malmö";
/** How long a code is shown, in seconds. */
const STEP = 30;

const stoa = connect({ url });
const browser = await launch();
const wrong = [];
try {
  await prepare();
  const { page, context, wrong: own } = await open(browser, "light");
  const device = await authenticator(page);
  const refused = await atTheDoor(page);
  await byPassword(page);
  await byLink(page);
  const program = await stepUpAndCodes(page);
  await addPasskey(page);
  await byPasskey(page, device);
  await bySecondFactor(page, device, program);
  await keys(page);
  await devices(page, program.codes);
  await changes(page, device);
  await leave(page, device, program);
  // What was to be refused was, and nothing else went wrong.
  const meant = [
    ...refused,
    /status of 40[013]/,
    /^40[013]: .*AuthService\/(EnrolTotp|StepUp|ConfirmTotp|Redeem|CreateApiKey)$/,
  ];
  wrong.push(...own.filter((what) => !meant.some((one) => one.test(what))));
  await context.close();
} finally {
  await browser.close();
}
assert.deepEqual(wrong, []);
console.log("ok");

/** An administrator, and somebody who has no password yet. */
async function prepare() {
  const { login: handle, password } = ADA;
  await stoa.client(AuthService).setUp({ code, handle, email: "ada@example.com", password });
  await signIn(stoa, ADA);
  await stoa.client(UsersService).createUser({ handle: BOB, email: OLD });
  const settings = { passkey_origins: [site], link_url: `${site}/`, site_name: "Notes" };
  for (const [name, value] of Object.entries(settings)) {
    const setting = { service: "auth", name, value: JSON.stringify(value) };
    await stoa.client(SystemService).updateSetting(setting);
  }
}

/** A device with room for passkeys, that verifies its user and says yes. */
async function authenticator(page) {
  const session = await page.context().newCDPSession(page);
  await session.send("WebAuthn.enable");
  const options = {
    protocol: "ctap2",
    transport: "internal",
    hasResidentKey: true,
    hasUserVerification: true,
    isUserVerified: true,
    automaticPresenceSimulation: true,
  };
  const { authenticatorId } = await session.send("WebAuthn.addVirtualAuthenticator", { options });
  const of = (method, more = {}) =>
    session.send(`WebAuthn.${method}`, { authenticatorId, ...more });
  return {
    passkeys: async () => (await of("getCredentials")).credentials,
    /** Whether its user touches it as soon as it asks. */
    touch: (enabled) => of("setAutomaticPresenceSimulation", { enabled }),
  };
}

/** Looks at what a page shows in every form, and keeps pictures if there is a folder for them. */
async function look(page, name) {
  for (const [form, { colorScheme, viewport }] of Object.entries(FORMS)) {
    await page.emulateMedia({ colorScheme });
    await page.setViewportSize(viewport);
    const found = [...(await inaccessible(page, form)), ...(await overflows(page))];
    wrong.push(...found.map((what) => `${name}, ${form}: ${what}`));
    if (folder === undefined) continue;
    mkdirSync(folder, { recursive: true });
    await page.screenshot({ path: `${folder}/${name}-${form}.png` });
  }
  const { colorScheme, viewport } = FORMS.light;
  await page.emulateMedia({ colorScheme });
  await page.setViewportSize(viewport);
}

/** The link in the latest of so many mails to an address. */
async function mailed(address, count) {
  const notify = stoa.client(NotifyService);
  for (;;) {
    const { mail } = await notify.listMailbox({ pageSize: 100 });
    const all = mail.filter(({ to }) => to === address);
    if (all.length >= count) return /https?:\S+/.exec(all[0].text)[0];
    await new Promise(setImmediate);
  }
}

async function idOf(handlePrefix) {
  const { users } = await stoa.client(UsersService).listUsers({ handlePrefix });
  return users[0].id;
}

function button(page, name) {
  return page.getByRole("button", { name, exact: true });
}

function heading(page, name) {
  return page.getByRole("heading", { name, exact: true });
}

/** Nobody learns at the door who has an account. */
async function atTheDoor(page) {
  await page.goto(`${site}/account`);
  await heading(page, "Sign in").waitFor();
  await look(page, "door");
  const said = [];
  for (const login of ["nobody", BOB]) {
    await page.getByLabel("Handle or e-mail address").fill(login);
    await page.getByLabel("Password").fill("not the password");
    await button(page, "Sign in").click();
    said.push(await page.getByRole("alert").textContent());
    await page.reload();
  }
  assert.equal(said[0], said[1]);
  const sent = [];
  for (const login of ["nobody", BOB]) {
    // Without a mouse.
    await page.getByLabel("Handle or e-mail address").focus();
    await page.keyboard.press("Control+a");
    await page.keyboard.type(login);
    await page.keyboard.press("Tab");
    await page.keyboard.press("Tab");
    await page.keyboard.press("Enter");
    await heading(page, "Choose another password").waitFor();
    const value = await page.getByLabel("Handle or e-mail address").inputValue();
    assert.equal(value, login);
    if (login === BOB) await look(page, "door-reset");
    await page.keyboard.press("Enter");
    await heading(page, "Look into your mail").waitFor();
    sent.push(await page.locator("main").textContent());
    if (login === BOB) await look(page, "door-sent");
    await button(page, "Back").click();
  }
  assert.equal(sent[0], sent[1]);
  return [/^401: .*\/-\/session$/];
}

/** By a link that sets a first password, and then by that. */
async function byPassword(page) {
  const link = await mailed(OLD, 1);
  await page.goto("about:blank");
  await page.goto(link);
  await heading(page, "Choose another password").waitFor();
  await page.getByLabel("Password").fill("password123");
  const meter = page.getByRole("meter", { name: "How good it is" });
  await page.getByText("guessed at once").waitFor();
  await look(page, "letter-password");
  await page.getByLabel("Password").fill(FIRST);
  await page.getByText("very hard to guess").waitFor();
  assert.equal(await meter.getAttribute("aria-valuenow"), "4");
  await button(page, "Set the password").click();
  await heading(page, "Sign in").waitFor();
  // The link is spent.
  await page.goto("about:blank");
  await page.goto(link);
  await page.getByLabel("Password").fill(FIRST);
  await button(page, "Set the password").click();
  await page.getByText("auth.link_not_good").waitFor();
  await page.goto("about:blank");
  await page.goto(site);
  await page.getByLabel("Handle or e-mail address").fill(BOB);
  await page.keyboard.press("Tab");
  await page.keyboard.type(FIRST);
  await page.keyboard.press("Enter");
  await heading(page, "Home").waitFor();
  assert.equal(await page.evaluate(() => document.cookie), "");
  await button(page, "Sign out").click();
  await heading(page, "Sign in").waitFor();
}

/** By a link alone; the next one says that the address is theirs. */
async function byLink(page) {
  await page.getByLabel("Handle or e-mail address").fill(BOB);
  await button(page, "Get a link by mail").click();
  await heading(page, "Sign in by a link").waitFor();
  await button(page, "Send the link").click();
  await heading(page, "Look into your mail").waitFor();
  const link = await mailed(OLD, 2);
  await page.goto("about:blank");
  await page.goto(link);
  await page.getByText("This link signs in, once.").waitFor();
  await look(page, "letter-sign-in");
  await button(page, "Sign in").click();
  await heading(page, "Home").waitFor();
  // Whoever opened a link has the address; another one is not known to be theirs.
  await stoa.client(UsersService).updateUser({
    id: await idOf(BOB),
    email: NEW,
    updateMask: { paths: ["email"] },
  });
  await page.getByRole("link", { name: "Your account" }).click();
  await heading(page, "Your account").waitFor();
  await button(page, "Verify").click();
  await page.getByText("A link is on its way.").waitFor();
  const other = await page.context().newPage();
  await other.goto(await mailed(NEW, 1));
  await button(other, "It is mine").click();
  await heading(other, "Home").waitFor();
  await other.close();
  await page.reload();
  await page.getByText("verified", { exact: true }).waitFor();
  await look(page, "account");
}

/** A session by a link proves nothing: to set codes up takes the password, and goes on under the same key. */
async function stepUpAndCodes(page) {
  const keys = [];
  page.on("request", (request) => {
    if (request.url().endsWith("/EnrolTotp")) keys.push(request.headers()["idempotency-key"]);
  });
  await button(page, "Set up").click();
  const dialog = page.getByRole("dialog");
  await dialog.getByLabel("Password").waitFor();
  // Whoever does not want to has done nothing.
  await page.keyboard.press("Escape");
  await dialog.waitFor({ state: "detached" });
  await page.getByText("It was not done: you did not prove who you are.").waitFor();
  keys.length = 0;
  await button(page, "Set up").click();
  await dialog.getByLabel("Password").fill("not the password");
  await button(page, "Go on").click();
  await page.getByText("auth.wrong_credentials").waitFor();
  await look(page, "step-up");
  await dialog.getByLabel("Password").fill(FIRST);
  await page.keyboard.press("Enter");
  await heading(page, "Set up codes").waitFor();
  assert.equal(keys.length, 2);
  assert.equal(new Set(keys).size, 1);
  const secret = (await dialog.locator("code").first().textContent()).replaceAll(" ", "");
  await dialog.getByRole("img", { name: "QR code of the secret" }).waitFor();
  await look(page, "totp");
  /** The code of so many steps from now. A code is good once, and the next one a step early. */
  const program = (ahead = 0) =>
    generate({ secret, epoch: Math.floor(Date.now() / 1000) + ahead * STEP });
  await dialog.getByLabel("Code", { exact: true }).fill("000000");
  await button(page, "Turn codes on").click();
  await page.getByText("auth.wrong_code").waitFor();
  await dialog.getByLabel("Code", { exact: true }).fill(await program());
  await button(page, "Turn codes on").click();
  await heading(page, "Recovery codes").waitFor();
  const list = page.getByRole("list", { name: "Recovery codes" });
  const codes = await list.getByRole("listitem").allTextContents();
  assert.equal(new Set(codes).size, 10);
  await look(page, "recovery-codes");
  // They are what is printed, and nothing else.
  await page.emulateMedia({ media: "print" });
  assert.ok(await list.isVisible());
  assert.ok(!(await page.locator("#root").isVisible()));
  assert.ok(!(await button(page, "Print").isVisible()));
  await page.emulateMedia({ media: "screen" });
  await button(page, "I have them").click();
  await page.getByText("10 left").waitFor();
  return { code: program, codes };
}

async function addPasskey(page) {
  await button(page, "Add a passkey").click();
  await page.getByRole("dialog").getByLabel("Name").fill("laptop");
  await look(page, "passkey-name");
  await page.keyboard.press("Enter");
  await page.getByText("laptop").waitFor();
  await page.getByRole("dialog").waitFor({ state: "detached" });
  await look(page, "account-full");
}

/** Discovered by the device, without a name; and beside the names that a browser knows. */
async function byPasskey(page, device) {
  assert.equal((await device.passkeys()).length, 1);
  await button(page, "Sign out").click();
  await heading(page, "Sign in").waitFor();
  await button(page, "Use a passkey").click();
  await heading(page, "Home").waitFor();
  await button(page, "Sign out").click();
  await heading(page, "Sign in").waitFor();
  await page.getByLabel("Handle or e-mail address").focus();
  await heading(page, "Home").waitFor();
  await button(page, "Sign out").click();
  await heading(page, "Sign in").waitFor();
}

/** Behind a password: by a passkey, by a code, by a recovery code; each of the latter once. */
async function bySecondFactor(page, device, { code, codes }) {
  const password = async () => {
    await device.touch(false);
    await page.getByLabel("Handle or e-mail address").fill(BOB);
    await page.getByLabel("Password").fill(FIRST);
    await button(page, "Sign in").click();
    await heading(page, "One more step").waitFor();
    await device.touch(true);
  };
  const out = async () => {
    await heading(page, "Home").waitFor();
    await button(page, "Sign out").click();
    await heading(page, "Sign in").waitFor();
  };
  await password();
  await look(page, "second-factor");
  await button(page, "Use a passkey").click();
  await out();
  await password();
  const next = await code(1);
  await page.getByLabel("Code", { exact: true }).fill(next);
  await page.keyboard.press("Enter");
  await out();
  // Whoever comes from elsewhere brings a ticket.
  const auth = connect({ url }).client(AuthService);
  const { ticket } = (await auth.signIn({ login: BOB, password: FIRST })).secondFactor;
  await page.goto("about:blank");
  await page.goto(`${site}/account#ticket=${ticket}`);
  await heading(page, "One more step").waitFor();
  await page.getByLabel("Code", { exact: true }).fill(next);
  await page.keyboard.press("Enter");
  await page.getByText("auth.wrong_code").waitFor();
  await page.getByLabel("Code", { exact: true }).fill(codes[0]);
  await page.keyboard.press("Enter");
  await heading(page, "Your account").waitFor();
  assert.equal(page.url(), `${site}/account`);
}

/** A key is shown once, calls, and is revoked. */
async function keys(page) {
  await page.goto(`${site}/account/keys`);
  await button(page, "Create key").click();
  const dialog = page.getByRole("dialog");
  await dialog.getByLabel("Name").fill("nightly");
  // What is wrong is said where it was asked.
  const may = dialog.getByLabel("What it may");
  await may.fill("auth..who_am_i");
  await dialog.getByRole("button", { name: "Create key" }).click();
  await page.getByText("request.invalid").waitFor();
  assert.equal(await may.getAttribute("aria-invalid"), "true");
  await may.fill("auth.who_am_i");
  await look(page, "key");
  await dialog.getByRole("button", { name: "Create key" }).click();
  await heading(page, "The key").waitFor();
  const token = await dialog.locator("code").textContent();
  await look(page, "key-made");
  await button(page, "I have it").click();
  const program = connect({ url, token }).client(AuthService);
  const { userId } = await program.whoAmI({});
  assert.match(userId, /^usr_/);
  await page.getByText("nightly").waitFor();
  assert.ok(!(await page.content()).includes(token));
  await look(page, "keys");
  await page.getByRole("button", { name: /^Revoke/ }).click();
  await dialog.getByRole("button", { name: "Revoke" }).click();
  await page.getByText("No key yet.").waitFor();
  await assert.rejects(program.whoAmI({}), ({ reason }) => reason === "auth.token_invalid");
}

/** One session is ended from another, and then all others. */
async function devices(page, codes) {
  const others = [];
  for (const [place, label] of ["laptop", "telephone", "tablet"].entries()) {
    const auth = connect({ url }).client(AuthService);
    const { secondFactor } = await auth.signIn({ login: BOB, password: FIRST });
    const { ticket } = secondFactor;
    const proof = { case: "recoveryCode", value: codes[place + 1] };
    const { token } = await auth.verifySecondFactor({ ticket, label, proof });
    others.push(connect({ url, token }).client(AuthService));
  }
  const are = async () => (await Promise.all(others.map(isGood))).filter((is) => is).length;
  await page.goto(`${site}/account/devices`);
  await button(page, "End the session telephone").waitFor();
  await look(page, "devices");
  assert.equal(await are(), 3);
  await button(page, "End the session telephone").click();
  await button(page, "End the session telephone").waitFor({ state: "detached" });
  assert.deepEqual(await Promise.all(others.map(isGood)), [true, false, true]);
  await button(page, "End all others").click();
  await button(page, "End the session laptop").waitFor({ state: "detached" });
  assert.equal(await are(), 0);
}

function isGood(auth) {
  return auth.whoAmI({}).then(
    () => true,
    ({ reason }) => {
      assert.equal(reason, "auth.token_invalid");
      return false;
    },
  );
}

/** Another password, and a passkey less. */
async function changes(page, device) {
  await page.goto(`${site}/account`);
  await button(page, "Change").click();
  const dialog = page.getByRole("dialog");
  await dialog.getByLabel("Current password").fill(FIRST);
  await dialog.getByLabel("New password").fill(SECOND);
  await dialog.getByText("very hard to guess").waitFor();
  await look(page, "password");
  await button(page, "Change the password").click();
  await page.getByText("It is changed.").waitFor();
  await page.getByRole("button", { name: "Remove: Remove the passkey laptop?" }).click();
  await look(page, "passkey-remove");
  await dialog.getByRole("button", { name: "Remove", exact: true }).click();
  await page.getByText("No passkey yet.").waitFor();
  await button(page, "Sign out").click();
  await heading(page, "Sign in").waitFor();
  await device.touch(true);
  await button(page, "Use a passkey").click();
  await page.getByText("auth.passkey_refused").waitFor();
}

/** What is kept about somebody goes with them, and then is gone. */
async function leave(page, device, { codes }) {
  await device.touch(false);
  await page.getByLabel("Handle or e-mail address").fill(BOB);
  await page.getByLabel("Password").fill(SECOND);
  await button(page, "Sign in").click();
  await page.getByLabel("Code", { exact: true }).fill(codes[4]);
  await page.keyboard.press("Enter");
  await heading(page, "Home").waitFor();
  await page.goto(`${site}/account/data`);
  const coming = page.waitForEvent("download");
  await button(page, "Export").click();
  const all = JSON.parse(await readFile(await (await coming).path(), "utf8"));
  assert.equal(all.users_user[0].email, NEW);
  await page.getByText(/rows taken along/).waitFor();
  await look(page, "data");
  await button(page, "Delete the account").click();
  const last = button(page, "Delete it for good");
  assert.ok(await last.isDisabled());
  await page.getByLabel("Your handle").fill("ada");
  assert.ok(await last.isDisabled());
  await page.getByLabel("Your handle").fill(BOB);
  await look(page, "delete");
  await last.click();
  await heading(page, "Sign in").waitFor();
  const { users } = await stoa.client(UsersService).listUsers({});
  assert.deepEqual(
    users.map(({ handle }) => handle),
    ["ada"],
  );
}
