import assert from "node:assert/strict";
import { test } from "node:test";
import { PHONE, ask, ended, shot, turn, violations, visit } from "./lib/browser.js";
import { fixture } from "./lib/fixture.js";
import { Keyboard } from "./lib/keyboard.js";
import { Server } from "./lib/server.js";

const it = fixture({ settings: "[page]\nsharing = true\n[cache]\nenabled = false\n" });
const KEYS = '[page]\nsharing = true\n[[auth.keys]]\nid = "anita"\nkey = "anitas-key-1"\n[[auth.keys]]\nid = "bilal"\nkey = "bilals-key-1"\n';
const titles = (page) => page.locator(".session-title").allInnerTexts();
const notice = (page) => page.locator("#notice");
const sessionOf = (page) => page.locator(".session").first().getAttribute("data-session");

async function open(options, url = it.server.url) {
  it.upstream.play(() => ({ output: "Yeh raha jawab." }));
  return visit(it.browser, url, options);
}

async function done(page) {
  assert.deepEqual(page.wrong, []);
  await page.context().close();
}

/** A chat of somebody's, and the link to it. */
async function shared(question = "Shared question?") {
  const page = await open();
  await ask(page, question);
  await ended(page);
  const link = `${it.server.url}/chat#session=${await sessionOf(page)}`;
  return { page, link };
}

async function choose(page, action) {
  await page.locator(".sessions .icon-button").first().click();
  await page.getByRole("menuitem", { name: action }).click();
}

/** What the page asks the server for from now on, but for its own files. */
function requests(page) {
  const all = [];
  page.on("request", (request) => {
    const { pathname, search } = new URL(request.url());
    if (!pathname.startsWith("/static/") && request.resourceType() !== "document") all.push(`${request.method()} ${pathname}${search}`);
  });
  return all;
}

for (const [size, options] of Object.entries({ desktop: {}, phone: PHONE })) {
  test(`a link is copied after it was said what it gives away, ${size}`, async () => {
    const page = await open({ ...options, permissions: ["clipboard-read", "clipboard-write"] });
    const keys = new Keyboard(page);
    await ask(page, "Link to me?");
    await ended(page);
    assert.equal(await notice(page).isVisible(), false);
    if (size === "phone") {
      await keys.to(/^Show your chats/);
      await keys.press("Enter");
    }
    await keys.to(/^Actions for Link to me/);
    await keys.press("Enter");
    await keys.has(/^Rename/);
    await keys.press("ArrowDown");
    await keys.has(/^Copy link/);
    await keys.press("Enter");
    const dialog = page.getByRole("dialog");
    assert.match(await dialog.innerText(), /Whoever has the link can read the whole chat, and what is added to it later\. They can go on with it, change it and delete it/);
    assert.doesNotMatch(await dialog.innerText(), /API key/);
    assert.deepEqual(await violations(page), []);
    await shot(page, `link-${size}`);
    await keys.has(/^Copy link/);
    await keys.press("Escape");
    await keys.has(/^Actions for Link to me/);
    assert.equal(await notice(page).isVisible(), false, "nothing was given away");
    await keys.press("Enter", "ArrowDown", "Enter", "Enter");
    await page.locator(".toast", { hasText: "Link copied" }).waitFor();
    await keys.has(/^Actions for Link to me/);
    const link = `${it.server.url}/chat#session=${await sessionOf(page)}`;
    assert.equal(await page.evaluate(() => navigator.clipboard.readText()), link);
    assert.match(await notice(page).innerText(), /^You made a link to this chat\./);
    await done(page);
  });
}

test("a link that the browser does not copy can be copied from its field", async () => {
  const { page, link } = await shared();
  await page.evaluate(() => {
    navigator.clipboard.writeText = () => Promise.reject(new Error("no"));
    document.execCommand = () => false;
  });
  await choose(page, "Copy link");
  await page.getByRole("button", { name: "Copy link" }).click();
  await page.getByText("did not let the page copy it").waitFor();
  assert.equal(await page.evaluate(() => document.activeElement.value.slice(document.activeElement.selectionStart, document.activeElement.selectionEnd)), link);
  await page.keyboard.press("Escape");
  assert.equal(await notice(page).isVisible(), false);
  await done(page);
});

test("a link shows the chat, lists it, says where it came from, and leaves the address", async () => {
  const { page: first, link } = await shared("What a first question?");
  const page = await open({}, link);
  await turn(page).locator(".answer-text").getByText("Yeh raha jawab.").waitFor();
  assert.equal(page.url(), `${it.server.url}/chat`);
  assert.deepEqual(await titles(page), ["What a first question?"]);
  assert.equal(await notice(page).innerText(), "This chat came by a link. Whoever has the link can read it and go on with it.");
  assert.equal(await page.evaluate(() => document.querySelector("#title").textContent), "What a first question?");
  assert.deepEqual(await violations(page), []);
  await shot(page, "link-opened");
  const asked = requests(page);
  await page.reload();
  await turn(page).locator(".answer-text").getByText("Yeh raha jawab.").waitFor();
  assert.match(await notice(page).innerText(), /^This chat came by a link\./);
  assert.ok(asked.length < 4, JSON.stringify(asked));
  await page.locator("#new-chat").click();
  assert.equal(await notice(page).isVisible(), false);
  await choose(page, "Remove from this list");
  assert.deepEqual(await titles(page), []);
  await first.reload();
  await ended(first);
  await Promise.all([done(first), done(page)]);
});

test("a link is followed in a page that is open, and one to a chat of one's own opens it", async () => {
  const { page: first, link } = await shared("From afar?");
  const page = await open();
  await ask(page, "My own?");
  await ended(page);
  const own = await sessionOf(page);
  await page.evaluate((address) => { location.href = address; }, link);
  await turn(page).locator(".question-text").getByText("From afar?").waitFor();
  assert.equal(new URL(page.url()).hash, "");
  await page.evaluate((id) => { location.hash = `#session=${id}`; }, own);
  await turn(page).locator(".question-text").getByText("My own?").waitFor();
  assert.equal(await notice(page).isVisible(), false);
  assert.deepEqual((await titles(page)).sort(), ["From afar?", "My own?"]);
  await page.evaluate(() => { location.hash = "#question"; });
  assert.equal(await notice(page).isVisible(), false);
  await Promise.all([done(first), done(page)]);
});

test("who answers in a linked chat is who answered before", async () => {
  const first = await open();
  await first.getByLabel("Who answers").selectOption({ label: "Mira Vale" });
  await ask(first, "Review?");
  await ended(first);
  const page = await open({}, `${it.server.url}/chat#session=${await sessionOf(first)}`);
  await turn(page).locator(".answerer").getByText("Mira Vale").waitFor();
  await page.waitForFunction(() => document.querySelector("#persona-choice")?.selectedOptions[0].label === "Mira Vale");
  await Promise.all([done(first), done(page)]);
});

test("a link to nothing says so, and nothing is begun under its name", async () => {
  const { page: first, link } = await shared("Soon gone?");
  const erased = new URL(link).hash.slice("#session=".length);
  await fetch(`${it.server.url}/api/chat/history?session_id=${erased}`, { method: "DELETE" });
  for (const id of ["never-there", erased, "__proto__", "constructor", "a".repeat(128)]) {
    const page = await open({}, `${it.server.url}/chat#session=${id}`);
    await notice(page).getByText("This link leads to no chat. It may have been deleted.").waitFor();
    await page.locator(".sample").first().waitFor();
    assert.deepEqual(await titles(page), []);
    const [request] = await Promise.all([page.waitForRequest(/\/stream$/), ask(page, "Then something new?")]);
    assert.notEqual(request.postDataJSON().session_id, id);
    await ended(page);
    assert.equal(await notice(page).isVisible(), false);
    assert.deepEqual(await titles(page), ["Then something new?"]);
    await done(page);
  }
  await first.context().close();
});

test("a link that can't be looked up now is tried again, and nothing is begun under its name", async () => {
  const { page: first, link } = await shared("Later?");
  const context = await it.browser.newContext({ reducedMotion: "reduce" });
  await context.route("**/api/chat/history*", (route) => route.abort());
  const page = await visit(context, link);
  await page.getByRole("button", { name: "Try again" }).waitFor();
  await page.locator("#question").fill("Too early?");
  await page.locator("#question").press("Enter");
  assert.equal(await page.locator(".turn").count(), 0);
  await page.reload();
  await page.locator(".sample").first().waitFor();
  assert.deepEqual(await titles(page), []);
  const [request] = await Promise.all([page.waitForRequest(/\/stream$/), ask(page, "New?")]);
  assert.ok(!link.endsWith(request.postDataJSON().session_id));
  await ended(page);
  await context.unroute("**/api/chat/history*");
  await page.evaluate((address) => { location.href = address; }, link);
  await turn(page).locator(".question-text").getByText("Later?").waitFor();
  await Promise.all([done(first), done(page)]);
});

test("what is no session's name is inert, and asked for nowhere", async () => {
  const names = [
    "", "%", "%3Cscript%3Epwned()%3C/script%3E", "<img src=/pwned onerror=pwned()>", "javascript:pwned()//", "a b", "a%00b", "a%0Ab", "../../etc/passwd",
    "चाय", "%E0%A4%9A", "\u202Eabc", "a".repeat(10_240), "a".repeat(129), "x&session_id=y", "x?before=1", "x#session=y", '"onload="pwned()',
  ];
  for (const name of names) {
    const context = await it.browser.newContext({ reducedMotion: "reduce" });
    const page = await context.newPage();
    const asked = requests(page);
    const wrong = [];
    await page.exposeFunction("pwned", () => wrong.push("pwned() was called"));
    page.on("pageerror", (error) => wrong.push(error.message));
    await page.goto(`${it.server.url}/chat#session=${name}`);
    await page.locator("#notice").getByText("This link to a chat is damaged. Ask for it again.").waitFor();
    await page.locator(".sample").first().waitFor();
    assert.deepEqual([wrong, asked], [[], ["GET /api/personas"]], name.slice(0, 60));
    assert.equal(page.url(), `${it.server.url}/chat`);
    assert.equal(await page.locator(".session").count(), 0);
    await context.close();
  }
});

test("a server that allows no links makes none and follows none", async (t) => {
  const { page: first, link } = await shared();
  const server = await Server.start(it.upstream);
  t.after(() => server.close());
  for (const options of [{}, PHONE]) {
    const context = await it.browser.newContext({ ...options, reducedMotion: "reduce" });
    const page = await context.newPage();
    const asked = requests(page);
    await page.goto(`${server.url}/chat#session=${new URL(link).hash.slice("#session=".length)}`);
    await page.locator("#notice").getByText("This server follows no links to chats: whoever runs it does not allow them.").waitFor();
    await page.locator(".sample").first().waitFor();
    assert.deepEqual(asked, ["GET /api/personas"]);
    assert.equal(page.url(), `${server.url}/chat`);
    await ask(page, "No links?");
    await ended(page);
    assert.equal(await page.locator("#notice").isVisible(), false);
    if (options === PHONE) await page.locator("#sidebar-open").click();
    await page.locator(".sessions .icon-button").first().click();
    assert.deepEqual(await page.getByRole("menuitem").allInnerTexts(), ["Rename", "Save as Markdown", "Save as JSON", "Delete"]);
    await context.close();
  }
  await done(first);
});

test("where there are API keys a link is of use with the same one only, and that is said", async (t) => {
  const server = await Server.start(it.upstream, { settings: KEYS });
  t.after(() => server.close());
  it.upstream.play(() => ({ output: "Theek." }));
  const unlock = async (page, key) => {
    await page.locator("#api-key").fill(key);
    await page.getByRole("button", { name: "Use this key" }).click();
  };
  const first = await visit(it.browser, server.url);
  await ask(first, "Whose?");
  await unlock(first, "anitas-key-1");
  await ended(first);
  await choose(first, "Copy link");
  assert.match(await first.getByRole("dialog").innerText(), /Whoever has the link, and the same API key as you, can read the whole chat/);
  await first.getByRole("button", { name: "Cancel" }).click();
  const link = `${server.url}/chat#session=${await sessionOf(first)}`;
  const other = await visit(it.browser, link);
  await unlock(other, "bilals-key-1");
  await notice(other).getByText("This link leads to no chat that you can see. It may have been deleted, or belong to another API key than yours.").waitFor();
  assert.deepEqual(await titles(other), []);
  const same = await visit(it.browser, link);
  await unlock(same, "anitas-key-1");
  await turn(same).locator(".question-text").getByText("Whose?").waitFor();
  await Promise.all([first, other, same].map(done));
});

test("two people on one chat see each other's turns when they look again", async () => {
  const { page: anita, link } = await shared("Anita's first?");
  await anita.context().grantPermissions(["clipboard-read", "clipboard-write"]);
  await choose(anita, "Copy link");
  await anita.getByRole("button", { name: "Copy link" }).click();
  const bilal = await open({}, link);
  await ended(bilal);
  // What is out of view is not laid out, and has no inner text.
  const questions = (page) => page.locator(".turn:visible .question-text").allTextContents();
  const looksAgain = (page) => page.evaluate(() => document.dispatchEvent(new Event("visibilitychange")));

  await ask(bilal, "Bilal's question?");
  await ended(bilal);
  const first = await anita.locator(".turn").first().elementHandle();
  await looksAgain(anita);
  await turn(anita).locator(".question-text").getByText("Bilal's question?").waitFor();
  assert.deepEqual(await questions(anita), ["Anita's first?", "Bilal's question?"]);
  assert.ok(await first.evaluate((one) => one.isConnected), "what was there is left as it is");

  it.upstream.play(() => ({ output: "Pehla hissa, doosra hissa.", held: true, until: "Pehla" }));
  await ask(anita, "Growing for both?");
  await turn(anita).locator(".answer-text").getByText("Pehla").waitFor();
  await looksAgain(bilal);
  await turn(bilal).locator(".answer-text").getByText("Pehla").waitFor();
  it.upstream.release();
  await Promise.all([ended(anita), ended(bilal)]);
  assert.equal(await turn(bilal).locator(".answer-text").innerText(), "Pehla hissa, doosra hissa.");

  it.upstream.play(() => ({ output: "Doosra jawab." }));
  await anita.locator(".turn").first().getByLabel("Answer again").click();
  await anita.locator(".turn:visible .answer-text").first().getByText("Doosra jawab.").waitFor();
  await anita.waitForFunction(() => document.querySelectorAll('.turn:not([hidden])[data-state="completed"]').length === 3);
  await looksAgain(bilal);
  await bilal.locator(".turn:visible .answer-text").first().getByText("Doosra jawab.").waitFor();
  assert.deepEqual(await questions(bilal), ["Anita's first?", "Bilal's question?", "Growing for both?"]);

  await anita.clock.install();
  await choose(anita, "Delete");
  const erased = anita.waitForResponse((response) => response.request().method() === "DELETE" && response.ok());
  await anita.clock.fastForward(6100);
  await erased;
  await looksAgain(bilal);
  await notice(bilal).getByText("Somebody who has the link deleted this chat.").waitFor();
  assert.deepEqual(await titles(bilal), []);
  await Promise.all([done(anita), done(bilal)]);
});

test("a question that is sent before the chat is here comes after what was said before", async () => {
  const page = await open();
  await ask(page, "Said before?");
  await ended(page);
  const waiting = [];
  await page.route("**/api/chat/history*", (route) => waiting.push(route));
  await Promise.all([page.waitForRequest(/\/history/), page.reload()]);
  const asked = requests(page);
  await page.locator("#question").fill("Asked early?");
  await page.locator("#question").press("Enter");
  for (const route of waiting) route.continue();
  await turn(page).locator(".question-text").getByText("Asked early?").waitFor();
  await ended(page);
  assert.deepEqual(await page.locator(".question-text").allTextContents(), ["Said before?", "Asked early?"]);
  assert.equal(asked.filter((one) => one === "POST /api/chat/stream").length, 1);
  await done(page);
});
