import assert from "node:assert/strict";
import { test } from "node:test";
import { PHONE, ended, turn, visit } from "./lib/browser.js";
import { fixture } from "./lib/fixture.js";
import { Keyboard } from "./lib/keyboard.js";

// Nothing in this file touches the mouse, nor gives the focus to anything by itself.
const it = fixture();
const titles = (page) => page.locator(".session-title").allInnerTexts();

async function open(options) {
  it.upstream.play((question) => ({ output: `Jawab: ${question.length}.` }));
  const page = await visit(it.browser, it.server.url, options);
  await page.locator(".sample").first().waitFor();
  return [page, new Keyboard(page)];
}

async function done(page) {
  assert.deepEqual(page.wrong, []);
  await page.context().close();
}

/** Goes to a chat's menu, and takes what is so many steps down in it. */
async function choose(keys, title, steps) {
  await keys.to(new RegExp(`^Actions for ${title}`));
  await keys.press("Enter");
  await keys.has(/^Rename/);
  for (let step = 0; step < steps; step += 1) await keys.press("ArrowDown");
  await keys.look();
  await keys.press("Enter");
}

const RENAME = 0;
const AS_MARKDOWN = 1;
const DELETE = 3;

async function someChats(page, keys, questions, composer = /^Your question/) {
  for (const [number, question] of questions.entries()) {
    if (number > 0) {
      await keys.to(/^New chat/);
      await keys.press("Enter");
    }
    await keys.has(composer);
    await keys.type(question);
    await keys.press("Enter");
    await ended(page);
  }
}

test("chats are made, opened, searched, renamed, saved, deleted and brought back", async () => {
  const [page, keys] = await open();
  await someChats(page, keys, ["First one?", "Second one?", "Third one?"]);

  await keys.to(/^First one/);
  await keys.press("Enter");
  await turn(page).locator(".question-text").getByText("First one?").waitFor();
  await keys.has(/^First one/);

  await choose(keys, "First one", RENAME);
  await keys.has(/^New title/);
  await keys.type("Pehla");
  await keys.press("Enter");
  await keys.has(/^Pehla/);
  assert.equal(await page.locator("#title").innerText(), "Pehla");
  await choose(keys, "Pehla", RENAME);
  await keys.type("Never mind");
  await keys.press("Escape");
  await keys.has(/^Pehla/);

  const download = page.waitForEvent("download");
  await choose(keys, "Pehla", AS_MARKDOWN);
  assert.equal((await download).suggestedFilename(), "Pehla.md");
  await keys.has(/^Actions for Pehla/);
  await keys.press("Enter");
  await keys.has(/^Rename/);
  await keys.press("Escape");
  await keys.has(/^Actions for Pehla/);

  await keys.to(/^Search your chats/, { back: true });
  await keys.type("second");
  assert.deepEqual(await titles(page), ["Second one?"]);
  await keys.to(/^Second one/);
  await keys.to(/^Search your chats/, { back: true });
  await keys.press("Escape");
  await page.waitForFunction(() => document.querySelectorAll(".session").length === 3);
  await keys.has(/^Search your chats/);

  await choose(keys, "Third one", DELETE);
  await keys.has(/^Undo/);
  assert.deepEqual((await titles(page)).length, 2);
  await keys.press("Enter");
  await keys.has(/^Third one/);
  assert.deepEqual((await titles(page)).length, 3);
  await turn(page).locator(".question-text").getByText("Third one?").waitFor();
  await done(page);
});

test("who takes their time over an undo has it, and is left at the chats when it is over", async () => {
  const [page, keys] = await open();
  await page.clock.install();
  await someChats(page, keys, ["Kept one?", "Slow one?"]);
  const deleted = [];
  page.on("request", (request) => {
    if (request.method() === "DELETE") deleted.push(request.url());
  });
  await choose(keys, "Slow one", DELETE);
  await keys.has(/^Undo/);
  await page.clock.fastForward(40_000);
  await keys.has(/^Undo/);
  assert.deepEqual(deleted, [], "the time is not over while the focus is there");
  const erased = page.waitForResponse((response) => response.request().method() === "DELETE" && response.ok());
  await page.clock.fastForward(20_001);
  await page.clock.fastForward(100);
  await erased;
  await keys.has(/^New chat/);
  assert.deepEqual(await titles(page), ["Kept one?"]);
  await done(page);
});

test("a list that changes leaves the focus in it, also when another tab takes the chat away", async () => {
  const [page, keys] = await open();
  await someChats(page, keys, ["One?", "Two?", "Three?"]);
  await keys.to(/^Actions for Two/);
  await keys.press("Enter");
  const other = await visit(page.context(), it.server.url);
  const onOther = new Keyboard(other);
  await onOther.type("A fourth, elsewhere?");
  await onOther.press("Enter");
  await ended(other);
  await page.bringToFront();
  await page.locator(".session-title", { hasText: "elsewhere" }).waitFor();
  await keys.has(/^Rename/);
  await keys.press("Enter");
  await keys.has(/^New title/);
  await keys.type("Zwei");
  await keys.press("Enter");
  await keys.has(/^Zwei/);
  await other.bringToFront();
  await onOther.to(/^Actions for Zwei/);
  await onOther.press("Enter", "End", "Enter");
  await onOther.has(/^Undo/);
  await page.bringToFront();
  await page.locator(".session-title", { hasText: "Zwei" }).waitFor({ state: "detached" });
  await keys.has(/^One\?$/);
  await done(page);
});

test("the drawer of a phone keeps the focus while it is open, and gives it back", async () => {
  const [page, keys] = await open(PHONE);
  const opened = () => page.locator("body.sidebar-shown").count();
  await keys.to(/^Your question/);
  await keys.type("Phone par?");
  await keys.press("Enter");
  await ended(page);

  const openDrawer = async () => {
    await keys.to(/^Show your chats/);
    await keys.press("Enter");
    await keys.has(/^Close the list of chats/);
  };
  await openDrawer();
  const around = [...(await keys.toTheEnd()), ...(await keys.toTheEnd())];
  for (const name of around) assert.match(name, /^(Close the list|New chat|Search|Phone par|Actions for|Light|As the system|Dark|API)/);
  assert.ok(around.filter((name) => /^New chat/.test(name)).length >= 1);
  await keys.to(/^Actions for Phone/);
  await keys.press("Enter");
  await keys.has(/^Rename/);
  await keys.press("Escape");
  await keys.has(/^Actions for Phone/);
  assert.equal(await opened(), 1, "escape closes the menu alone");
  await keys.press("Escape");
  await keys.has(/^Show your chats/);
  assert.equal(await opened(), 0);

  await openDrawer();
  await keys.press("Enter");
  await keys.has(/^Show your chats/);

  await openDrawer();
  await keys.to(/^Search/);
  await keys.type("nothing");
  await keys.press("Escape");
  assert.equal(await opened(), 1, "escape empties the search first");
  await keys.press("Escape");
  await keys.has(/^Show your chats/);

  await openDrawer();
  await choose(keys, "Phone par", RENAME);
  await keys.type("Umbenannt");
  await keys.press("Enter");
  await keys.has(/^Umbenannt/);
  await choose(keys, "Umbenannt", DELETE);
  await keys.has(/^Undo/);
  await keys.press("Enter");
  await keys.has(/^Umbenannt/);
  await choose(keys, "Umbenannt", DELETE);
  await keys.has(/^Undo/);
  await keys.press("Escape");
  await keys.has(/^Show your chats/);
  await page.getByRole("button", { name: "Undo" }).waitFor();
  await keys.to(/^Undo/);
  await keys.press("Enter");
  await keys.has(/^Show your chats/);

  await openDrawer();
  await keys.to(/^Umbenannt/);
  await keys.press("Enter");
  await keys.has(/^Show your chats/);
  await turn(page).locator(".question-text").getByText("Phone par?").waitFor();
  await openDrawer();
  await keys.to(/^New chat/);
  await keys.press("Enter");
  await page.locator(".sample").first().waitFor();
  await keys.has(/^Show your chats/);
  await keys.to(/^Sir/);
  await keys.press("Enter");
  await ended(page);
  await keys.has(/^Question, and Hitesh's answer/);
  await done(page);
});

test("the theme and who answers are chosen", async () => {
  const [page, keys] = await open({ colorScheme: "light" });
  const paper = () => page.evaluate(() => getComputedStyle(document.body).backgroundColor);
  const light = await paper();
  await keys.to(/^As the system/, { back: true });
  await keys.press("ArrowLeft");
  await keys.has(/^Dark/);
  assert.notEqual(await paper(), light);
  await keys.press("ArrowLeft");
  await keys.has(/^Light/);
  assert.equal(await paper(), light);
  await keys.to(/^Who answers/);
  await keys.press("ArrowDown");
  await page.getByText("fictional character played by an AI").waitFor();
  await keys.has(/^Who answers/);
  await done(page);
});
