import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { test } from "node:test";
import { WHOLE } from "./lib/answers.js";
import { ask, ended, turn, visit } from "./lib/browser.js";
import { fixture } from "./lib/fixture.js";

const it = fixture();

async function open(options) {
  it.upstream.play((question) => ({ output: `Jawab: ${/chai/.test(question) ? "chai" : "kuch aur"}.` }));
  return visit(it.browser, it.server.url, options);
}

async function done(page) {
  assert.deepEqual(page.wrong, []);
  await page.context().close();
}

/** Some chats, each with one question. */
async function chats(page, questions) {
  for (const question of questions) {
    await page.locator("#new-chat").click();
    await ask(page, question);
    await ended(page);
  }
}

const titles = (page) => page.locator(".session-title").allInnerTexts();
const choose = async (page, title, action) => {
  await page.getByLabel(`Actions for ${title}`).click();
  await page.getByRole("menuitem", { name: action }).click();
};
const history = async (session) =>
  (await (await fetch(`${it.server.url}/api/chat/history?session_id=${session}`)).json()).messages;
const sessionOf = (page, title) => page.locator(".session", { hasText: title }).getAttribute("data-session");

test("chats are listed by their first question, newest first, and opened again", async () => {
  const page = await open();
  await chats(page, ["First question?", "Second question?"]);
  assert.deepEqual(await titles(page), ["Second question?", "First question?"]);
  await page.locator(".session", { hasText: "First" }).click();
  await turn(page).locator(".question-text").getByText("First question?").waitFor();
  assert.equal(await page.locator("#title").innerText(), "First question?");
  assert.equal(await turn(page).locator(".answer-text").innerText(), "Jawab: kuch aur.");
  await done(page);
});

test("the search finds titles by their words", async () => {
  const page = await open();
  await chats(page, ["Docker aur VM?", "Chai kaise banti hai?", "Docker compose?"]);
  await page.locator("#search").fill("docker VM");
  assert.deepEqual(await titles(page), ["Docker aur VM?"]);
  await page.locator("#search").fill("nothing like it");
  assert.match(await page.locator("#sessions").innerText(), /No chat has these words/);
  await done(page);
});

test("a chat is renamed, and keeps its name", async () => {
  const page = await open();
  await chats(page, ["Old name?"]);
  await choose(page, "Old name?", "Rename");
  await page.locator(".rename").fill("New name");
  await page.locator(".rename").press("Enter");
  assert.equal(await page.locator("#title").innerText(), "New name");
  await page.reload();
  await page.locator(".session").waitFor();
  assert.deepEqual(await titles(page), ["New name"]);
  await done(page);
});

test("a deletion is undone", async () => {
  const page = await open();
  await chats(page, ["Undo me?"]);
  const session = await sessionOf(page, "Undo me?");
  await choose(page, "Undo me?", "Delete");
  assert.deepEqual(await titles(page), []);
  await page.getByRole("button", { name: "Undo" }).click();
  await turn(page).locator(".question-text").getByText("Undo me?").waitFor();
  assert.deepEqual(await titles(page), ["Undo me?"]);
  assert.equal((await history(session)).length, 2);
  await done(page);
});

test("a deletion that nobody undoes reaches the server", async () => {
  const page = await open();
  await page.clock.install();
  await chats(page, ["Erase me?"]);
  const session = await sessionOf(page, "Erase me?");
  await choose(page, "Erase me?", "Delete");
  assert.equal((await history(session)).length, 2, "there is still time to undo");
  const erased = page.waitForResponse((response) => response.request().method() === "DELETE" && response.ok());
  await page.clock.fastForward(6100);
  await erased;
  assert.deepEqual(await history(session), []);
  await done(page);
});

test("a deletion whose page was closed is finished by the next visit", async () => {
  const page = await open();
  await chats(page, ["Close and erase?"]);
  const session = await sessionOf(page, "Close and erase?");
  await choose(page, "Close and erase?", "Delete");
  await page.evaluate((id) => {
    const sessions = JSON.parse(localStorage.getItem("hitesh.sessions"));
    sessions[id].deletedAt -= 60_000;
    localStorage.setItem("hitesh.sessions", JSON.stringify(sessions));
  }, session);
  await Promise.all([page.waitForResponse((response) => response.request().method() === "DELETE"), page.reload()]);
  assert.deepEqual(await history(session), []);
  await done(page);
});

test("a chat is saved as Markdown and as JSON", async () => {
  const page = await open();
  it.upstream.play(() => WHOLE);
  await chats(page, ["Save me, please?"]);
  const saved = async (form) => {
    const [download] = await Promise.all([page.waitForEvent("download"), choose(page, "Save me, please?", `Save as ${form}`)]);
    return [download.suggestedFilename(), await readFile(await download.path(), "utf8")];
  };
  const [name, markdown] = await saved("Markdown");
  assert.equal(name, "Save-me-please.md");
  assert.match(markdown, /^# Save me, please\?\n\n## You, .* UTC\n\nSave me, please\?\n\n## Hitesh, .* UTC\n\nHaanji!/);
  assert.ok(markdown.includes(WHOLE.output));
  const [, json] = await saved("JSON");
  const { title, messages } = JSON.parse(json);
  assert.deepEqual([title, messages.length, messages[1].content], ["Save me, please?", 2, WHOLE.output]);
  await done(page);
});

test("an answer goes on while another chat is looked at", async () => {
  const page = await open();
  it.upstream.play((question) => (/slow/.test(question) ? { ...WHOLE, held: true, until: "## Teen" } : { output: "Quick." }));
  await ask(page, "A slow one?");
  await turn(page).locator("strong").waitFor();
  await page.locator("#new-chat").click();
  await ask(page, "Another one?");
  await ended(page);
  assert.equal(await page.locator(".session .running").count(), 1);
  it.upstream.release();
  await page.locator(".session .running").waitFor({ state: "detached" });
  await page.locator(".session", { hasText: "slow" }).click();
  await turn(page).locator("blockquote").waitFor();
  await done(page);
});

test("two tabs on one session show the same, as it is made", async () => {
  const one = await open();
  await ask(one, "Shared?");
  await ended(one);
  const two = await visit(one.context(), it.server.url);
  await two.locator(".session", { hasText: "Shared?" }).click();
  await ended(two);
  it.upstream.play(() => ({ ...WHOLE, held: true, until: "## Teen" }));
  await ask(one, "Both see this?");
  await turn(two).locator("strong").getByText("woh hissa").waitFor();
  assert.equal(await turn(two).locator(".question-text").innerText(), "Both see this?");
  it.upstream.release();
  await Promise.all([ended(one), ended(two)]);
  const html = (page) => turn(page).locator(".answer-text").innerText();
  assert.equal(await html(one), await html(two));
  it.upstream.play(() => ({ output: "Nayi." }));
  await turn(two).getByLabel("Answer again").click();
  for (const page of [one, two]) await turn(page).locator(".answer-text").getByText("Nayi.").waitFor();
  await Promise.all([ended(one), ended(two)]);
  assert.equal(await one.locator(".turn:visible").count(), 2);
  assert.deepEqual(two.wrong, []);
  await done(one);
});

test("a chat that is deleted in one tab leaves the other", async () => {
  const one = await open();
  await ask(one, "Gone?");
  await ended(one);
  const two = await visit(one.context(), it.server.url);
  await two.locator(".session").click();
  await ended(two);
  await choose(one, "Gone?", "Delete");
  await two.locator(".sample").first().waitFor();
  assert.deepEqual(await titles(two), []);
  await done(one);
});

test("a draft outlives a reload", async () => {
  const page = await open();
  await page.locator("#question").fill("Half a thou");
  await page.reload();
  await page.locator(".sample").first().waitFor();
  assert.equal(await page.locator("#question").inputValue(), "Half a thou");
  await done(page);
});

test("a browser without storage can still ask", async () => {
  const page = await open();
  await page.addInitScript(() => {
    for (const name of ["localStorage", "sessionStorage"]) {
      Object.defineProperty(globalThis, name, { get: () => { throw new DOMException("no", "SecurityError"); } });
    }
  });
  await page.reload();
  await ask(page, "No storage?");
  await ended(page);
  await done(page);
});
