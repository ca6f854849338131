// A browser that complains of whatever a page does wrong.
import axe from "axe-core";
import { chromium } from "playwright-core";

const CHROMIUM = process.env.CHROMIUM ?? "/usr/bin/chromium";

/** The forms in which every page is looked at. */
export const FORMS = {
  light: { colorScheme: "light", viewport: { width: 1280, height: 800 } },
  dark: { colorScheme: "dark", viewport: { width: 1280, height: 800 } },
  narrow: { colorScheme: "light", viewport: { width: 390, height: 844 } },
};

export function launch() {
  return chromium.launch({ executablePath: CHROMIUM, args: ["--no-sandbox"] });
}

/** A page, and what went wrong on it so far. */
export async function open(browser, form, storageState) {
  const context = await browser.newContext({
    ...FORMS[form],
    reducedMotion: "reduce",
    permissions: ["clipboard-read", "clipboard-write"],
    ...(storageState === undefined ? {} : { storageState }),
  });
  await context.addInitScript({ content: axe.source });
  const page = await context.newPage();
  const wrong = [];
  page.on("console", (message) => {
    if (message.type() === "error") wrong.push(`console: ${message.text()}`);
  });
  page.on("pageerror", (error) => wrong.push(`thrown: ${error.stack}`));
  const hosts = new Set();
  page.on("request", (request) => {
    const { protocol, host } = new URL(request.url());
    if (!/^http/.test(protocol) || hosts.has(host)) return;
    hosts.add(host);
    if (hosts.size > 1) wrong.push(`elsewhere: ${request.url()}`);
  });
  page.on("response", (answer) => {
    if (answer.status() >= 400) wrong.push(`${answer.status()}: ${answer.url()}`);
  });
  return { context, page, wrong };
}

/** Whether a page is wider than its window, also for whoever reads from right to left. */
export async function overflows(page) {
  const ways = await page.evaluate(() =>
    ["ltr", "rtl", ""].map((way) => {
      document.documentElement.dir = way;
      const { scrollWidth, clientWidth } = document.documentElement;
      return scrollWidth > clientWidth ? `${scrollWidth} of ${clientWidth} px, ${way}` : "";
    }),
  );
  return ways.filter((way) => way !== "");
}

/**
 * What a page does to somebody who cannot see or point, by WCAG 2.2 AA. Forms differ in colours or in
 * places, and each is looked through for what it can do wrong.
 */
export async function inaccessible(page, form) {
  const rules = form === "narrow" ? { "color-contrast": { enabled: false } } : {};
  const all = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"];
  const options = {
    runOnly: form === "dark" ? { type: "rule", values: ["color-contrast"] } : all,
    rules,
    resultTypes: ["violations"],
  };
  const { violations } = await page.evaluate((options) => axe.run(document, options), options);
  return violations.flatMap(({ id, nodes }) =>
    nodes
      .slice(0, 3)
      .map(({ html, failureSummary }) => `${id}: ${html.slice(0, 200)} ${failureSummary}`),
  );
}
