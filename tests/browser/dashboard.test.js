import assert from "node:assert/strict";
import { after, test } from "node:test";
import { DESKTOP, PHONE, shot, violations, visit } from "./lib/browser.js";
import { fixture } from "./lib/fixture.js";
import { Proxy } from "./lib/proxy.js";
import { Server } from "./lib/server.js";

const PRICES = `
[[providers]]
name = "openai"
kind = "openai"
base_url = "BASE"
api_key = "test-key"
model = "gpt-4o-mini"
prices = { prompt = 0.15, completion = 0.6 }
`;
const it = fixture({ script: (question) => (question.includes("Refuse") ? { output: "", status: 401 } : { output: "Haanji! Chai ke saath seekho. ".repeat(20) }) });
const others = [];
after(() => Promise.all(others.map((server) => server.close())));

async function serve(settings) {
  const server = await Server.start(it.upstream, { settings: settings.replace("BASE", it.upstream.baseUrl) });
  others.push(server);
  return server;
}

/** @param {string} url */
async function send(url, content, more = {}) {
  return fetch(`${url}/api/chat/send`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ content, ...more }),
  });
}

/** Eight who ask for `seconds`: some questions again and again, some new ones, a few that fail. */
async function load(url, seconds) {
  const until = Date.now() + seconds * 1000;
  await Promise.all(Array.from({ length: 8 }, async (_, who) => {
    for (let n = 0; Date.now() < until; n += 1) {
      await send(url, n % 4 === 0 ? "Docker kya hai?" : `Sawaal ${who} ${n}?`, { session_id: `s${who}` });
      await new Promise((go) => setTimeout(go, 60));
    }
  }));
  await send(url, "Refuse?");
}

const tile = (page, name) => page.locator(".tile", { hasText: name }).locator("dd");

async function done(page) {
  assert.deepEqual(page.wrong, []);
  await page.context().close();
}

test("under load every figure is shown, in both themes, on a desktop and on a phone, and axe finds nothing", async () => {
  const server = await serve(PRICES);
  await load(server.url, 16);
  for (const [size, options] of Object.entries({ desktop: DESKTOP, phone: PHONE })) {
    for (const colorScheme of ["light", "dark"]) {
      const page = await visit(it.browser, `${server.url}/dashboard`, { ...options, colorScheme, until: ".tile" });
      assert.equal(await page.locator("#connection").textContent(), "Live");
      const stats = (await (await fetch(`${server.url}/api/chat/performance`)).json()).performance_stats;
      const shown = Number((await tile(page, "Turns since the start").textContent()).replace(/,/g, ""));
      assert.equal(shown, stats.total_requests);
      assert.equal(await page.locator(".chart canvas").count(), 10);
      for (const chart of await page.locator(".plot").all()) {
        const words = await chart.getAttribute("aria-label");
        assert.match(words, /: .+ last, at most .+\./, "each chart has something to show, and says it");
      }
      const row = page.locator("#providers tbody tr");
      assert.match(await row.textContent(), /openai.*gpt-4o-mini.*ready.*closed/);
      assert.notEqual(await tile(page, "Cost").textContent(), "0.00");
      assert.deepEqual(await violations(page), [], `${size} ${colorScheme}`);
      const wide = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
      assert.ok(wide <= 0, `${size}: ${wide} pixels stick out`);
      await shot(page, `dashboard-${size}-${colorScheme}`);
      await page.screenshot({ path: new URL(`screenshots/dashboard-whole-${size}-${colorScheme}.png`, import.meta.url).pathname, fullPage: true });
      await done(page);
    }
  }
});

test("figures come by themselves, without a shift, and the values at a moment are shown", async () => {
  const page = await visit(it.browser, `${it.server.url}/dashboard`, { until: ".tile" });
  await page.evaluate(() => {
    globalThis.shift = 0;
    new PerformanceObserver((list) => {
      for (const entry of list.getEntries()) globalThis.shift += entry.value;
    }).observe({ type: "layout-shift", buffered: false });
  });
  const before = await tile(page, "Turns since the start").textContent();
  await send(it.server.url, "Naya sawaal?");
  await page.waitForFunction((old) => document.querySelectorAll(".tile dd")[1].textContent !== old, before, { timeout: 15_000 });
  // A hundredth of what is called good: nothing that anybody sees.
  assert.ok((await page.evaluate(() => globalThis.shift)) < 0.001);
  const plot = page.locator(".plot").first();
  const box = await plot.boundingBox();
  await page.mouse.move(box.x + box.width - 40, box.y + 80);
  await page.waitForFunction(() => /\d/.test(document.querySelector(".chart .when").textContent));
  await done(page);
});

test("with an admin key the page asks for it, keeps it for the tab, and says when it is wrong", async () => {
  const server = await serve('[auth]\nadmin_key = "the-operators-own-key"\n');
  const page = await visit(it.browser, `${server.url}/dashboard`, { until: "#key" });
  assert.equal(await page.locator("#board").isVisible(), false);
  assert.deepEqual(await violations(page), []);
  await shot(page, "dashboard-key");
  const field = page.getByLabel("Admin key");
  assert.equal(await field.evaluate((one) => one === document.activeElement), true);
  await field.fill("a-guess");
  await field.press("Enter");
  await page.getByText("That key was not accepted.").waitFor();
  await field.fill("the-operators-own-key");
  await field.press("Enter");
  await page.locator(".tile").first().waitFor();
  await page.reload();
  await page.locator(".tile").first().waitFor();
  const kept = await page.evaluate(() => [JSON.stringify(localStorage), document.cookie, location.href]);
  assert.ok(kept.every((place) => !place.includes("operators")), "it is in this tab's own storage only");
  const stranger = await fetch(`${server.url}/api/dashboard`);
  assert.equal(stranger.status, 403);
  await done(page);
});

test("a server that goes away is said to be away, what is shown stays, and it goes on when it is back", async () => {
  const proxy = await Proxy.start(it.server.port);
  const page = await visit(it.browser, `${proxy.url}/dashboard`, { until: ".tile" });
  const turns = await tile(page, "Turns since the start").textContent();
  proxy.cut();
  await page.getByText(/^No connection; what you see is of .+ Trying again\.$/).waitFor({ timeout: 20_000 });
  assert.equal(await tile(page, "Turns since the start").textContent(), turns);
  await shot(page, "dashboard-away");
  proxy.restore();
  await page.getByText("Live", { exact: true }).waitFor({ timeout: 20_000 });
  await done(page);
  await proxy.close();
});

test("for other machines it is closed while there is no admin key", async () => {
  for (const path of ["/dashboard", "/api/dashboard", "/metrics"]) {
    const forwarded = await fetch(`${it.server.url}${path}`, { headers: { "x-forwarded-for": "192.0.2.7" } });
    assert.equal(forwarded.status, 403, path);
  }
});
