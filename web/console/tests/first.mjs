// The first minute of somebody on a new node: real data by one click, and then a look around.
import assert from "node:assert/strict";

import { LedgerService } from "@stoa/sdk/ledger";

/** Loads the shop and takes the tour. `look` looks at what a page shows; `stoa` calls as who takes it. */
export async function firstMinute({ page, url, look, stoa, another }) {
  await page.goto(url);
  await page.getByRole("heading", { name: "Look around with a real shop" }).waitFor();
  // A step leads nowhere before there is something to see.
  assert.equal(await page.getByRole("link", { name: "Find the best customer" }).count(), 0);
  await page.getByRole("button", { name: "Load 1,000 purchases" }).click();
  await page.getByText(/of 1,000 purchases/).waitFor();
  await look(page, "home-loading");
  await page.getByText("1,000 purchases are here.").waitFor({ timeout: 240_000 });
  await look(page, "home-loaded");

  await page.getByRole("link", { name: "Find the best customer" }).click();
  await page.getByRole("heading", { name: "ledger / accounts" }).waitFor();
  await page
    .getByRole("columnheader", { name: "balance" })
    .and(page.locator("[aria-sort]"))
    .waitFor();
  const best = (await owed(stoa))[0];
  const row = page.locator("tbody tr").first();
  await row.getByText(dollars(best.balance)).first().waitFor();
  await look(page, "best-customer");
  await row.press("Enter");
  await page.getByRole("dialog").getByRole("link", { name: "Open page" }).click();
  await page.getByRole("heading", { name: best.code, level: 1 }).waitFor();
  await page.getByRole("img", { name: /^balance: / }).waitFor();
  const statement = page.getByRole("region", { name: "Statement" }).locator("tbody tr");
  await statement.first().getByText(dollars(best.balance)).first().waitFor();
  await page.locator("canvas").waitFor();
  await look(page, "account");

  await page.getByRole("link", { name: "Home" }).click();
  await page.getByRole("link", { name: "See one order's story" }).click();
  await page.locator("tbody tr").first().press("Enter");
  await page.getByRole("dialog").getByRole("link", { name: "Open page" }).click();
  const changed = page.getByRole("list", { name: "What changed in one commit" });
  for (const service of ["inventory", "ledger", "notify", "orders"]) {
    await changed.getByText(service, { exact: true }).first().waitFor();
  }
  await look(page, "order");

  const window = await another();
  await window.goto(`${url}/data/orders/orders`);
  await window.getByText("live", { exact: true }).waitFor();
  await page.getByRole("link", { name: "Home" }).click();
  await page.getByRole("link", { name: "Place an order" }).click();
  await page.getByRole("button", { name: "Place order" }).click();
  await page.getByRole("link", { name: /^commit p/ }).waitFor();
  await window.locator("tbody tr").first().getByText("29.98").waitFor();
  await page.goto(url);
  await page.getByRole("button", { name: "Close the tour" }).click();
  await page.getByText("Look around with a real shop").waitFor({ state: "detached" });
}

/** Every account of customers, the one that owes most first. */
async function owed(stoa) {
  const ledger = stoa.client(LedgerService);
  const all = [];
  for (let pageToken = ""; ; ) {
    const asked = { currency: "USD", pageSize: 1000, pageToken };
    const { accounts, nextPageToken } = await ledger.listAccounts(asked);
    all.push(...accounts.filter(({ ownerId }) => ownerId !== ""));
    if (nextPageToken === "") break;
    pageToken = nextPageToken;
  }
  assert.ok(all.length > 900, `${all.length} customers`);
  return all.sort((a, b) => (a.balance < b.balance ? 1 : -1));
}

function dollars(cents) {
  return (Number(cents) / 100).toLocaleString("en", { minimumFractionDigits: 2 });
}
