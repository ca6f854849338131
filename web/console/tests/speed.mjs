// How fast pages are there, and how smoothly they move: node speed.mjs <url> <login> <password>
//
// The figures are printed. What is counted in bytes decides; what is measured in time is bounded
// generously, for a machine that is busy with something else.
import assert from "node:assert/strict";
import { pathToFileURL } from "node:url";

import { launch, open } from "./browser.mjs";

/** The shell as it travels, packed by gzip, in bytes. */
const SHELL_MAX = 250_000;
const PAINT_MAX_MS = 10_000;
const STEP_MAX_MS = 3_000;
/** A frame that takes so long is seen; where all do on the processor, it is no scrolling. */
const LONG_MS = 100;

export async function measure(browser, url, session) {
  const { page, context, wrong } = await open(browser, "light", session);
  await page.goto(`${url}/people/users`);
  await page.locator("tbody tr").first().waitFor();
  const { paint, loaded } = await page.evaluate(() => ({
    paint: performance.getEntriesByName("first-contentful-paint")[0].startTime,
    loaded: performance.getEntriesByType("resource").map(({ name }) => name),
  }));
  const parts = loaded.filter((name) => /\.(js|css)$/.test(name)).map(packed);
  const shell = (await Promise.all(parts)).reduce((sum, bytes) => sum + bytes, 0);
  const steps = [];
  for (const [link, heading] of [
    ["Explore", "Explore"],
    ["Data", "Data"],
    ["accounts", "ledger / accounts"],
    ["Home", "Home"],
    ["People", "People"],
  ]) {
    steps.push(await step(page, link, heading));
  }
  const scroll = await scrolled(page);
  assert.deepEqual(wrong, []);
  await context.close();
  const figures = { paint: Math.round(paint), shell, navigation: Math.max(...steps), ...scroll };
  assert.ok(shell > 0 && shell <= SHELL_MAX, JSON.stringify(figures));
  assert.ok(paint <= PAINT_MAX_MS, JSON.stringify(figures));
  assert.ok(figures.navigation <= STEP_MAX_MS, JSON.stringify(figures));
  assert.ok(figures.processor <= LONG_MS, JSON.stringify(figures));
  return figures;
}

/** What travels of a file to whoever takes nothing better than gzip, in bytes. */
async function packed(url) {
  const answer = await fetch(url, { headers: { "accept-encoding": "gzip" } });
  assert.equal(answer.headers.get("content-encoding"), "gzip", url);
  return Number(answer.headers.get("content-length"));
}

/** Milliseconds from a click to the page that it leads to. */
function step(page, link, heading) {
  return page.evaluate(
    ([link, heading]) =>
      new Promise((resolve) => {
        const found = [...document.querySelectorAll("nav a")].find(
          ({ textContent }) => textContent.trim() === link,
        );
        const start = performance.now();
        found.click();
        const wait = () => {
          const is = document.querySelector("h1")?.textContent === heading;
          if (is) resolve(Math.round(performance.now() - start));
          else requestAnimationFrame(wait);
        };
        wait();
      }),
    [link, heading],
  );
}

/**
 * Scrolls from the first user to the last: how many there are, how often the time between two frames was
 * long, the longest, and what a frame takes of the processor, whoever else uses it.
 */
async function scrolled(page) {
  const table = page.getByRole("region", { name: "users" });
  await page.goto(page.url().replace(/\/people.*/, "/data/users/users?sort=handle"));
  await table.waitFor();
  await page.waitForFunction(() => !/loading all|and more/.test(document.body.textContent));
  const session = await page.context().newCDPSession(page);
  await session.send("Performance.enable", { timeDomain: "threadTicks" });
  const spent = async () => {
    const { metrics } = await session.send("Performance.getMetrics");
    return metrics.find(({ name }) => name === "TaskDuration").value * 1000;
  };
  const before = await spent();
  const { rows, gaps } = await table.evaluate(
    (table) =>
      new Promise((resolve) => {
        const gaps = [];
        let last = performance.now();
        const rows = Number(table.querySelector("table").getAttribute("aria-rowcount")) - 1;
        const move = (now) => {
          gaps.push(now - last);
          last = now;
          const isEnd = table.scrollTop + table.clientHeight >= table.scrollHeight - 1;
          if (isEnd || gaps.length > 1_200) return resolve({ rows, gaps: gaps.slice(1) });
          table.scrollTop += Math.max(400, table.scrollHeight / 600);
          requestAnimationFrame(move);
        };
        requestAnimationFrame(move);
      }),
  );
  return {
    rows,
    frames: gaps.length,
    long: gaps.filter((gap) => gap > LONG_MS).length,
    longest: Math.round(Math.max(...gaps)),
    processor: Math.round(((await spent()) - before) / gaps.length),
  };
}

/** A session as a browser keeps it, for whoever signs in. */
export async function sessionOf(browser, url, { login, password }) {
  const { page, context } = await open(browser, "light");
  await page.goto(url);
  await page.getByLabel("Handle or e-mail address").fill(login);
  await page.getByLabel("Password").fill(password);
  await page.getByRole("button", { name: "Sign in" }).click();
  await page.getByRole("heading", { name: "Home" }).waitFor();
  const state = await context.storageState();
  await context.close();
  return state;
}

if (import.meta.url === pathToFileURL(process.argv[1]).href) {
  const [url, login, password] = process.argv.slice(2);
  const browser = await launch();
  const session = await sessionOf(browser, url, { login, password });
  console.log(JSON.stringify(await measure(browser, url, session)));
  await browser.close();
}
