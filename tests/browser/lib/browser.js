import { mkdirSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { chromium } from "playwright-core";

const here = new URL("..", import.meta.url).pathname;
/** Where screenshots are left. */
export const SHOTS = join(here, "screenshots");
const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

export const DESKTOP = { viewport: { width: 1280, height: 860 } };
export const TABLET = { viewport: { width: 820, height: 1100 }, hasTouch: true };
export const PHONE = { viewport: { width: 390, height: 844 }, hasTouch: true, isMobile: true, deviceScaleFactor: 2 };

/** Debian's Chromium. Each context that it opens has a profile of its own. */
export async function launch() {
  mkdirSync(SHOTS, { recursive: true });
  return chromium.launch({
    executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
    args: [
      "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
      "--disable-component-update", "--disable-sync",
    ],
  });
}

/**
 * A page that has everything that goes wrong in it written down: errors of scripts, refusals by its policy, requests to
 * elsewhere, cookies.
 * @param {import("playwright-core").Browser | import("playwright-core").BrowserContext} where
 * @param {string} url
 * @param {object} [options] Of the context, if `where` is a browser; and `until`, what has to be there.
 */
export async function visit(where, url, { until = "#question", ...options } = {}) {
  const context = "newContext" in where ? await where.newContext({ ...DESKTOP, reducedMotion: "reduce", ...options }) : where;
  const page = await context.newPage();
  page.setDefaultTimeout(10_000);
  page.wrong = [];
  page.on("pageerror", (error) => page.wrong.push(`error: ${error.message}`));
  page.on("console", (message) => {
    const text = message.text();
    const isRefusal = /Content Security Policy/i.test(text);
    if (isRefusal || (message.type() === "error" && !/Failed to load resource/.test(text))) page.wrong.push(text);
  });
  page.on("request", (request) => {
    const { protocol, origin } = new URL(request.url());
    if (protocol.startsWith("http") && origin !== new URL(url).origin) page.wrong.push(`elsewhere: ${request.url()}`);
  });
  page.on("dialog", (dialog) => {
    page.wrong.push(`dialog: ${dialog.message()}`);
    dialog.dismiss();
  });
  await page.goto(url);
  await page.locator(until).first().waitFor();
  return page;
}

/** Asks, and waits until the question is on the page. */
export async function ask(page, question) {
  await page.locator("#question").fill(question);
  await page.locator("#question").press("Enter");
  await turn(page).locator(".question-text", { hasText: question.slice(0, 40) }).waitFor();
}

/** The newest turn that is shown. */
export function turn(page) {
  return page.locator(".turn:not([hidden])").last();
}

/** Waits until the newest turn has ended so. */
export async function ended(page, state = "completed") {
  await page.locator(`.turn:not([hidden])[data-state="${state}"]`).last().waitFor();
  await page.waitForFunction((wanted) => [...document.querySelectorAll(".turn:not([hidden])")].at(-1)?.dataset.state === wanted, state);
}

/** What axe finds wrong, in short. WCAG 2.2 AA and its best practices. */
export async function violations(page) {
  // Transitions of colours would be measured halfway.
  await page.evaluate(() => Promise.all(document.getAnimations().map((animation) => animation.finished.catch(() => {}))));
  await page.evaluate(axe);
  return page.evaluate(async () => {
    const result = await globalThis.axe.run(document, {
      runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"],
    });
    return result.violations.flatMap(({ id, nodes }) => nodes.map((node) => `${id}: ${node.target.join(" ")} ${node.failureSummary}`));
  });
}

/** Leaves a picture for people. */
export function shot(page, name) {
  return page.screenshot({ path: join(SHOTS, `${name}.png`) });
}
