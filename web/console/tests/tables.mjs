// Tables by keyboard: sorted, chosen, picked, taken along.
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";

import { OrdersService } from "@stoa/sdk/orders";

export async function tables({ page, url, look, stoa }) {
  await page.goto(`${url}/data/orders/orders`);
  const rows = page.locator("tbody tr[aria-rowindex]");
  await rows.first().waitFor();

  // Arrows lead from row to row, `/` to the filter.
  await rows.first().focus();
  await page.keyboard.press("ArrowDown");
  await page.keyboard.press("ArrowDown");
  await page.keyboard.press("ArrowUp");
  const at = await page.evaluate(() => document.activeElement.getAttribute("aria-rowindex"));
  assert.equal(at, "3");
  await page.keyboard.press("/");
  const focused = await page.evaluate(() => document.activeElement.closest("label").textContent);
  assert.match(focused, /customer/);
  await page.keyboard.press("Escape");

  // What is sorted by is in the address, and a link has the same rows.
  await page.getByRole("button", { name: "total" }).click();
  await page.waitForURL(/sort=-total/);
  await page.waitForFunction(() => !document.body.textContent.includes("loading all"));
  const totals = await column(page, "total");
  const amounts = totals.map((text) => Number(text.replace(/[^\d.]/g, "")));
  assert.deepEqual(
    amounts,
    amounts.toSorted((a, b) => b - a),
  );
  await page.reload();
  await rows.first().waitFor();
  await page.waitForFunction(() => !document.body.textContent.includes("loading all"));
  assert.deepEqual(await column(page, "total"), totals);

  // Columns are chosen for good.
  await page.getByRole("button", { name: "Columns" }).click();
  await page.getByRole("checkbox", { name: "location" }).uncheck();
  await look(page, "columns");
  await page.keyboard.press("Escape");
  await page.reload();
  await rows.first().waitFor();
  assert.equal(await page.getByRole("columnheader", { name: "location" }).count(), 0);

  // A column is made wider by its edge, with keys or with a pointer, and stays so; the others stay as they were.
  const wide = async (name) =>
    (await page.locator(`th[data-column="${name}"]`).boundingBox()).width;
  const [total, state] = [await wide("total"), await wide("state")];
  const edge = page.getByRole("separator", { name: "Width of total" });
  await edge.focus();
  await page.keyboard.press("ArrowRight");
  await page.keyboard.press("ArrowRight");
  assert.equal(Math.round(await wide("total")), Math.round(total) + 32);
  assert.equal(Math.round(await wide("state")), Math.round(state));
  const { x, y } = await edge.boundingBox();
  await page.mouse.move(x + 4, y + 10);
  await page.mouse.down();
  await page.mouse.move(x - 56, y + 10, { steps: 3 });
  await page.mouse.up();
  assert.equal(Math.round(await wide("total")), Math.round(total) - 28);
  await page.reload();
  await rows.first().waitFor();
  assert.equal(Math.round(await wide("total")), Math.round(total) - 28);
  await edge.focus();
  await page.keyboard.press("Home");
  assert.equal(Math.round(await wide("total")), Math.round(total));

  // All rows are taken along, not those alone that were seen.
  const { length } = await everyOrder(stoa);
  await rows.first().focus();
  await page.keyboard.press("e");
  await page.getByRole("button", { name: "CSV" }).waitFor();
  const coming = page.waitForEvent("download");
  await page.getByRole("button", { name: "CSV" }).press("Enter");
  const text = await readFile(await (await coming).path(), "utf8");
  assert.equal(text.trimEnd().split("\r\n").length, length + 1);

  // What cannot be done to one of many is told, and is done to the others.
  await page.goto(`${url}/data/orders/orders`);
  await rows.first().waitFor();
  const some = (await everyOrder(stoa)).slice(0, 3).map(({ id }) => id);
  for (let row = 0; row < 3; row++) await rows.nth(row).press(" ");
  await page.getByText("3 picked").waitFor();
  await stoa.client(OrdersService).cancelOrder({ id: some[1] });
  await page.getByRole("button", { name: "Cancel", exact: true }).click();
  await page.getByRole("button", { name: "Cancel 3" }).click();
  await page.getByText("2 done, 1 failed").waitFor();
  await page
    .getByText(/cancelled already|was cancelled/)
    .first()
    .waitFor();
  // What is above the rows is what this is about.
  await page.setViewportSize({ width: 1280, height: 560 });
  await look(page, "picked");
  const states = (await everyOrder(stoa)).slice(0, 3).map(({ state }) => state);
  assert.deepEqual(states, [2, 2, 2]);
  await page.getByRole("button", { name: "Done" }).click();
}

async function column(page, name) {
  const titles = await page.locator("thead th").allTextContents();
  const nth = titles.findIndex((title) => title.trim() === name) + 1;
  return page.locator(`tbody tr[aria-rowindex] td:nth-child(${nth})`).allTextContents();
}

async function everyOrder(stoa) {
  const all = [];
  for (let pageToken = ""; ; ) {
    const { orders, nextPageToken } = await stoa
      .client(OrdersService)
      .listOrders({ pageSize: 1000, pageToken });
    all.push(...orders);
    if (nextPageToken === "") return all;
    pageToken = nextPageToken;
  }
}
