import assert from "node:assert/strict";
import { test } from "node:test";
import { DEVANAGARI, WHOLE } from "./lib/answers.js";
import { DESKTOP, PHONE, TABLET, ask, ended, shot, turn, violations, visit } from "./lib/browser.js";
import { fixture } from "./lib/fixture.js";

// Each look wants its answer made before its eyes.
const it = fixture({ settings: "[cache]\nenabled = false\n" });
const SIZES = { desktop: DESKTOP, tablet: TABLET, phone: PHONE };

async function done(page) {
  assert.deepEqual(page.wrong, []);
  await page.context().close();
}

for (const [size, options] of Object.entries(SIZES)) {
  for (const colorScheme of ["light", "dark"]) {
    test(`axe finds nothing wrong at any moment, ${size} and ${colorScheme}`, async () => {
      const page = await visit(it.browser, it.server.url, { ...options, colorScheme });
      const look = async (moment) => {
        assert.deepEqual(await violations(page), [], moment);
        // Of the device: a phone's own idea of the window's width grows with what sticks out.
        const rights = await page.locator("main, main > *").evaluateAll((all) => all.map((one) => one.getBoundingClientRect().right));
        assert.ok(Math.max(...rights) <= options.viewport.width, `${moment}: something sticks out of the window`);
        await shot(page, `${size}-${colorScheme}-${moment}`);
      };
      await page.locator(".sample").first().waitFor();
      await look("1-empty");
      it.upstream.play(() => ({ ...WHOLE, held: true, until: "order aata hai" }));
      await ask(page, "Sir mujhe backend development kaise start karna hai?");
      await turn(page).locator(".step-text").getByText("order aata hai").waitFor();
      await look("2-thinking");
      it.upstream.release();
      await ended(page);
      await turn(page).locator(".hljs-keyword").first().waitFor();
      await look("3-answer");
      await turn(page).getByLabel("About this answer").click();
      await turn(page).locator(".step summary").first().click();
      await page.locator("#scroller").evaluate((scroller) => scroller.scrollTo(0, 0));
      await look("4-top-of-answer");
      it.upstream.play(() => ({ output: "", status: 401 }));
      await ask(page, "Refused?");
      await ended(page, "failed");
      await look("5-failure");
      if (size !== "desktop") {
        await page.locator("#sidebar-open").click();
        await page.locator("#search").waitFor();
        await look("6-chats");
      }
      await page.locator(".sessions .icon-button").first().click();
      await look("7-menu");
      await page.getByRole("menuitem", { name: "Delete" }).click();
      await page.getByRole("button", { name: "Undo" }).waitFor();
      await look("8-undo");
      await done(page);
    });
  }
}

test("Devanagari is set in lines that hold it", async () => {
  it.upstream.play(() => DEVANAGARI);
  const page = await visit(it.browser, it.server.url, PHONE);
  await ask(page, "एपीआई क्या है? सरल भाषा में समझाइए।");
  await ended(page);
  await shot(page, "phone-light-devanagari");
  assert.equal(await turn(page).locator("li").count(), 2);
  assert.deepEqual(await violations(page), []);
  await done(page);
});

test("a chosen theme is kept, and there before the first paint", async () => {
  const page = await visit(it.browser, it.server.url, { colorScheme: "light" });
  const paper = () => page.evaluate(() => getComputedStyle(document.body).backgroundColor);
  const light = await paper();
  await page.getByLabel("Dark").check({ force: true });
  const dark = await paper();
  assert.notEqual(dark, light);
  await page.reload({ waitUntil: "commit" });
  await page.locator("#question").waitFor();
  assert.equal(await paper(), dark);
  await page.getByLabel("As the system").check({ force: true });
  assert.equal(await paper(), light);
  await page.emulateMedia({ colorScheme: "dark" });
  assert.equal(await paper(), dark);
  await done(page);
});

test("everything can be done with the keyboard alone", async () => {
  it.upstream.play(() => ({ output: "Theek." }));
  const page = await visit(it.browser, it.server.url);
  const press = (key) => page.keyboard.press(key);
  const focused = () => page.evaluate(() => document.activeElement?.getAttribute("aria-label") ?? document.activeElement?.textContent ?? "");
  const tabTo = async (label) => {
    for (let presses = 0; presses < 60; presses += 1) {
      if (label.test(await focused())) return;
      await press("Tab");
    }
    assert.fail(`${label} is never reached; the last was ${await focused()}`);
  };
  await page.keyboard.type("By keyboard?");
  await press("Enter");
  await ended(page);
  await page.locator(".skip").focus();
  assert.equal(await page.locator(".skip").evaluate((link) => link.getBoundingClientRect().top >= 0), true);
  await press("Enter");
  assert.equal(await page.evaluate(() => document.activeElement.id), "question");
  await page.locator(".skip").focus();
  await tabTo(/^Actions for By keyboard/);
  await press("Enter");
  assert.equal(await focused(), "Rename");
  await press("ArrowDown");
  await press("ArrowUp");
  await press("Enter");
  await page.keyboard.type("Renamed by keys");
  await press("Enter");
  assert.equal(await page.locator("#title").innerText(), "Renamed by keys");
  await page.locator(".skip").focus();
  await tabTo(/^Edit and ask again/);
  await tabTo(/^Analyze/);
  await press("Enter");
  assert.equal(await turn(page).locator(".step").first().evaluate((step) => step.open), true);
  await tabTo(/^A good answer/);
  await press("Space");
  assert.equal(await turn(page).getByLabel("A good answer", { exact: true }).getAttribute("aria-pressed"), "true");
  await page.locator("#scroller").focus();
  await press("/");
  assert.equal(await page.evaluate(() => document.activeElement.id), "question");
  await done(page);
});

test("the list of chats on a phone takes the focus, and gives it back", async () => {
  const page = await visit(it.browser, it.server.url, PHONE);
  assert.equal(await page.locator("#search").isVisible(), false);
  await page.locator("#sidebar-open").click();
  await page.locator("#search").waitFor();
  assert.equal(await page.evaluate(() => document.activeElement.id), "sidebar-close");
  await page.keyboard.press("Escape");
  assert.equal(await page.evaluate(() => document.activeElement.id), "sidebar-open");
  assert.equal(await page.locator("#sidebar").evaluate((sidebar) => sidebar.inert), true);
  await done(page);
});

test("screen readers are told whole sentences", async () => {
  it.upstream.play(() => ({ ...WHOLE, pieceLength: 3 }));
  const page = await visit(it.browser, it.server.url);
  await page.evaluate(() => {
    globalThis.said = [];
    const watch = (records) => records.forEach(({ addedNodes }) => addedNodes.forEach((node) => globalThis.said.push(node.textContent)));
    new MutationObserver(watch).observe(document.querySelector("#announcements"), { childList: true });
  });
  await ask(page, "Aloud?");
  await ended(page);
  const said = await page.evaluate(() => globalThis.said);
  for (const sentence of ["Haanji!", "Teen kadam", "Ek database jodo.", "Code in python.", "The answer is complete."]) {
    assert.ok(said.includes(sentence), `${sentence} in ${JSON.stringify(said)}`);
  }
  assert.ok(said.length < 25, `${said.length} announcements are too many`);
  assert.equal(await page.locator(".scroller [aria-live]").count(), 0, "the growing text itself is no news");
  await done(page);
});

test("nothing moves for those who want it still", async () => {
  const page = await visit(it.browser, it.server.url, { reducedMotion: "reduce" });
  await page.locator(".steam").first().waitFor();
  assert.equal(await page.evaluate(() => document.getAnimations().length), 0);
  await done(page);
  const other = await visit(it.browser, it.server.url, { reducedMotion: "no-preference" });
  await other.locator(".steam").first().waitFor();
  assert.ok((await other.evaluate(() => document.getAnimations().length)) > 0);
  await done(other);
});

test("the page sets no cookie and its policy lets no inline script run", async () => {
  const page = await visit(it.browser, it.server.url);
  assert.deepEqual(await page.context().cookies(), []);
  const ran = await page.evaluate(async () => {
    const script = document.createElement("script");
    script.textContent = "globalThis.ran = true";
    document.body.append(script);
    return [globalThis.ran ?? false, await fetch("https://elsewhere.example/").catch(() => "refused")];
  });
  assert.deepEqual(ran, [false, "refused"]);
  await page.context().close();
});
