import assert from "node:assert/strict";
import { test } from "node:test";
import { WHOLE } from "./lib/answers.js";
import { PHONE, ask, ended, turn, visit } from "./lib/browser.js";
import { fixture } from "./lib/fixture.js";
import { Keyboard } from "./lib/keyboard.js";

// Nothing in this file touches the mouse, nor gives the focus to anything by itself.
const it = fixture({ settings: "[cache]\nenabled = false\n" });
const HELD = { ...WHOLE, held: true, until: "## Teen" };

async function open(options) {
  it.upstream.play(() => WHOLE);
  const page = await visit(it.browser, it.server.url, options);
  await page.locator(".sample").first().waitFor();
  return [page, new Keyboard(page)];
}

async function done(page) {
  assert.deepEqual(page.wrong, []);
  await page.context().close();
}

/** Asks as somebody at the keyboard does, with the focus in the question. */
async function askByKeys(page, keys, question) {
  await keys.has(/^Your question/);
  await keys.type(question);
  await keys.press("Enter");
  await ended(page);
}

for (const colorScheme of ["light", "dark"]) {
  for (const [size, options] of Object.entries({ desktop: {}, phone: PHONE })) {
    test(`every stop of the tab key is seen, ${size} and ${colorScheme}`, async () => {
      const [page, keys] = await open({ ...options, colorScheme });
      await keys.to(/^Skip to the question/, { back: size === "desktop" });
      const first = await keys.toTheEnd();
      assert.ok(first.some((name) => /Sir|kaise|kya/i.test(name)), JSON.stringify(first));
      await keys.to(/^Your question/);
      await keys.type("Har jagah dikhe?");
      await keys.press("Enter");
      await ended(page);
      await turn(page).locator(".hljs-keyword").first().waitFor();
      await keys.type("Aur ek?");
      await keys.press("Enter");
      await ended(page);
      await keys.to(/^About this answer/, { back: true });
      await keys.press("Enter");
      await keys.to(/^Skip to the question/);
      const stops = await keys.toTheEnd();
      for (const name of ["Edit and ask again", "Copy the code", "Code in python", "Table", "FastAPI", "A good answer", "Who answers", "Send"]) {
        assert.ok(stops.includes(name), `${name} in ${JSON.stringify(stops)}`);
      }
      await done(page);
    });
  }
}

test("an answer is asked for, stopped, made again, copied, rated and looked into", async () => {
  const [page, keys] = await open({ permissions: ["clipboard-read", "clipboard-write"] });
  const clipboard = () => page.evaluate(() => navigator.clipboard.readText());
  it.upstream.play(() => HELD);
  await keys.has(/^Your question/);
  await keys.type("Backend kaise?");
  await keys.to(/^Send$/);
  await keys.press("Enter");
  await turn(page).locator("strong").waitFor();
  await keys.has(/^Stop$/);
  await keys.press("Enter");
  await ended(page, "stopped");
  await keys.has(/^Send$/);
  it.upstream.release();

  it.upstream.play(() => HELD);
  await keys.to(/^Answer again/, { back: true });
  await keys.press("Enter");
  await turn(page).locator("strong").waitFor();
  await keys.has(/^Question, and Hitesh's answer/);
  await keys.press("Escape");
  await ended(page, "stopped");
  await keys.has(/^Question, and Hitesh's answer/);
  it.upstream.release();

  it.upstream.play(() => WHOLE);
  await keys.to(/^Try again|^Answer again/);
  await keys.press("Enter");
  await ended(page);
  await keys.has(/^Question, and Hitesh's answer/);
  assert.equal(await page.locator(".turn:visible").count(), 1);

  await keys.to(/^Copy the code/);
  await keys.press("Enter");
  await turn(page).locator(".copy-code.done").waitFor();
  assert.match(await clipboard(), /^from fastapi/);
  await keys.has(/^Copy the code/);
  await keys.to(/^Copy the answer/);
  await keys.press("Space");
  await turn(page).locator(".actions .done").waitFor();
  assert.equal(await clipboard(), WHOLE.output);
  await keys.has(/^Copy the answer/);
  await keys.to(/^A good answer/);
  await keys.press("Space");
  await keys.has(/^A good answer/);
  assert.equal(await turn(page).getByLabel("A good answer", { exact: true }).getAttribute("aria-pressed"), "true");
  await keys.to(/^About this answer/);
  for (const isShown of [true, false]) {
    await keys.press("Enter");
    assert.equal(await turn(page).locator(".info").isVisible(), isShown);
    await keys.has(/^About this answer/);
  }
  for (const step of [/^Think/, /^Analyze/]) {
    await keys.to(step, { back: true });
    const isOpen = () => page.evaluate(() => document.activeElement.parentElement.open);
    for (const wanted of [true, false]) {
      await keys.press("Enter");
      assert.equal(await isOpen(), wanted);
      await keys.has(step);
    }
  }
  await done(page);
});

test("a question is edited and asked again, and one to begin with is asked", async () => {
  const [page, keys] = await open();
  await keys.to(/^Sir/, { back: true });
  await keys.press("Enter");
  await ended(page);
  await keys.has(/^Your question/);
  await keys.to(/^Edit and ask again/, { back: true });
  await keys.press("Enter");
  await keys.has(/^Your question/);
  await keys.press("Escape");
  await keys.has(/^Edit and ask again/);
  await keys.press("Enter");
  await keys.to(/^Cancel/);
  await keys.press("Enter");
  await keys.has(/^Edit and ask again/);
  await keys.press("Enter", "Control+a");
  await keys.type("Edited by keys?");
  await keys.to(/^Ask again/);
  await keys.press("Enter");
  await ended(page);
  await keys.has(/^Question, and Hitesh's answer/);
  assert.equal(await turn(page).locator(".question-text").innerText(), "Edited by keys?");
  await keys.press("/");
  await keys.has(/^Your question/);
  await done(page);
});

test("a failure leaves the focus where it is tried again, and then on the answer", async () => {
  const [page, keys] = await open();
  it.upstream.play(() => ({ output: "", status: 400 }));
  await keys.type("Refused?");
  await keys.press("Enter");
  await ended(page, "failed");
  await keys.to(/^Try again/, { back: true });
  await keys.press("Enter");
  await ended(page, "failed");
  await keys.has(/^Question, and Hitesh's answer/);
  it.upstream.play(() => WHOLE);
  await keys.to(/^Try again/);
  await keys.press("Enter");
  await ended(page);
  await keys.has(/^Question, and Hitesh's answer/);
  await done(page);
});

test("the focus stays on a link of an answer that grows", async () => {
  const [page, keys] = await open();
  it.upstream.play(() => ({ output: "Dekho [yahan](https://example.com) aur phir **aage** badho.", held: true, until: "aur phir" }));
  await keys.type("A link?");
  await keys.press("Enter");
  await turn(page).locator(".answer-text a").waitFor();
  await keys.to(/^yahan/, { back: true });
  it.upstream.release();
  await ended(page);
  await turn(page).locator("strong").waitFor();
  await keys.has(/^yahan/);
  await done(page);
});

test("the API key is asked for in a dialog that gives the focus back", async () => {
  const [page, keys] = await open();
  let refused = 1;
  await page.route("**/api/chat/stream", (route) => {
    if (refused-- <= 0) return route.continue();
    return route.fulfill({ status: 401, json: { success: false, error: "unauthorized", message: "A key is needed." } });
  });
  await keys.type("Locked?");
  await keys.press("Enter");
  await keys.has(/^API key/);
  await keys.press("Escape");
  await keys.has(/^Your question/);
  await keys.to(/^Try again/, { back: true });
  await keys.press("Enter");
  await keys.has(/^API key/);
  assert.deepEqual((await keys.toTheEnd()).map((name) => name.replace(/ \(.*/, "")), ["Remember it on this device", "Not now", "Use this key"]);
  await keys.to(/^API key/);
  await keys.type("some-key-of-mine");
  await keys.press("Enter");
  await ended(page);
  await keys.has(/^Question, and Hitesh's answer/);
  await done(page);
});
