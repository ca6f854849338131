// Jobs that are dead, and what one does about them: node dead.mjs <url> <code> [folder]
//
// The node sends its mail to a server that refuses the first 24, and takes what comes after.
import assert from "node:assert/strict";

import { connect, signIn } from "@stoa/sdk";
import { AuthService } from "@stoa/sdk/auth";
import { SystemService } from "@stoa/sdk/system";
import { inaccessible, launch, open } from "./browser.mjs";
import { ORDERS, openShop } from "./shop.mjs";
import { sessionOf } from "./speed.mjs";

const [url, code, folder] = process.argv.slice(2);
const ADA = { login: "ada", password: "correct horse battery" };

const stoa = connect({ url });
const { login: handle, password } = ADA;
await stoa.client(AuthService).setUp({ code, handle, email: "ada@example.com", password });
await signIn(stoa, ADA);
const system = stoa.client(SystemService);
const jobs = async (state) => (await system.listJobs({ state, pageSize: 100 })).jobs;
await openShop(stoa);
while ((await jobs("dead")).length < ORDERS) await new Promise(setImmediate);

const browser = await launch();
try {
  const { page, wrong } = await open(browser, "light", await sessionOf(browser, url, ADA));
  const rows = page.locator("tbody tr[aria-rowindex]");
  const button = (name) => page.getByRole("button", { name, exact: true });
  await page.goto(url);
  await page.getByRole("link", { name: `${ORDERS} dead jobs` }).click();
  await page.getByText(`${ORDERS} jobs`, { exact: true }).waitFor();
  wrong.push(...(await inaccessible(page, "light")));
  if (folder !== undefined) await page.screenshot({ path: `${folder}/dead-light.png` });

  // What is lost for good is asked about first.
  await rows.nth(0).getByRole("checkbox").check();
  await button("Drop 1 job").click();
  await page.getByText("They will not run any more.").waitFor();
  await button("Keep").click();
  assert.equal((await jobs("dead")).length, ORDERS);
  await button("Drop 1 job").click();
  await button("Drop 1 job").click();
  await page.getByText("1 of 1 done", { exact: true }).waitFor();
  await page.getByText(`${ORDERS - 1} jobs`, { exact: true }).waitFor();

  // What cannot be done to one of many is told, and done to the others; what failed stays picked.
  const [, gone] = await jobs("dead");
  for (const row of [0, 1]) await rows.nth(row).getByRole("checkbox").check();
  await system.dropJob({ id: gone.id });
  await button("Retry 2 jobs").click();
  await page.getByText("1 of 2 done, 1 failed", { exact: true }).waitFor();
  await page.getByText(/^system\.job_not_dead|^resource\.not_found/).waitFor();
  if (folder !== undefined) await page.screenshot({ path: `${folder}/dead-failed-light.png` });
  const told = wrong.splice(0).filter((what) => !/RetryJob|status of 4/.test(what));
  assert.deepEqual(told, []);

  // All at once.
  await page.reload();
  await page.getByText(`${ORDERS - 3} jobs`, { exact: true }).waitFor();
  await page.getByRole("checkbox", { name: "Pick all" }).check();
  await button(`Retry ${ORDERS - 3} jobs`).click();
  await page.getByText(`${ORDERS - 3} of ${ORDERS - 3} done`, { exact: true }).waitFor();
  await page.getByText("No job is dead.").waitFor();
  const isSent = ({ method }) => method.endsWith("/DeliverEmail");
  while ((await jobs("done")).filter(isSent).length < ORDERS - 2) {
    assert.equal((await jobs("dead")).length, 0);
    await new Promise(setImmediate);
  }
  await page.getByRole("link", { name: "Home" }).click();
  await page.getByText("Nothing needs you.").waitFor();
  assert.deepEqual(wrong, []);
} finally {
  await browser.close();
}
console.log("ok");
