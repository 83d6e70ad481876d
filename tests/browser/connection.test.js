import assert from "node:assert/strict";
import { test } from "node:test";
import { WHOLE } from "./lib/answers.js";
import { ask, ended, turn, visit } from "./lib/browser.js";
import { fixture } from "./lib/fixture.js";
import { Proxy } from "./lib/proxy.js";
import { Server } from "./lib/server.js";

const it = fixture();
const HELD = { ...WHOLE, held: true, until: "## Teen kadam" };
const answerText = (page) => turn(page).locator(".answer-text");

async function done(page) {
  assert.deepEqual(page.wrong, []);
  await page.context().close();
}

async function halfway(url = it.server.url) {
  it.upstream.play(() => HELD);
  const page = await visit(it.browser, url);
  await ask(page, `Halfway ${Math.random()}?`);
  await answerText(page).locator("strong").waitFor();
  return page;
}

/** The whole answer, once and without gap. */
async function assertWhole(page) {
  await ended(page);
  assert.equal(await page.locator(".turn").count(), 1);
  assert.equal(await answerText(page).locator("h2").count(), 1);
  assert.equal(await answerText(page).locator("blockquote").count(), 1);
  assert.match(await answerText(page).innerText(), /^Haanji! Backend[^]*banao! 🚀$/);
}

test("an answer goes on after a reload in its middle", async () => {
  const page = await halfway();
  await page.reload();
  await answerText(page).locator("strong").waitFor();
  assert.equal(await turn(page).getAttribute("data-state"), "running");
  it.upstream.release();
  await assertWhole(page);
  await done(page);
});

test("an answer goes on after its last event when the connection was cut and comes back", async () => {
  const proxy = await Proxy.start(it.server.port);
  const page = await halfway(proxy.url);
  const cursors = [];
  page.on("request", (request) => {
    if (request.url().endsWith("/events")) cursors.push(request.headers()["last-event-id"]);
  });
  proxy.cut();
  await turn(page).locator(".waiting").getByText("Reconnecting").waitFor();
  it.upstream.release();
  proxy.restore();
  await assertWhole(page);
  assert.match(cursors[0], /^[0-9a-f-]{36}:\d+$/);
  assert.equal(await turn(page).locator(".waiting").isVisible(), false);
  await done(page);
  await proxy.close();
});

test("a question whose reply is lost is asked once, and answered", async () => {
  const proxy = await Proxy.start(it.server.port);
  it.upstream.play(() => WHOLE);
  const page = await visit(it.browser, proxy.url);
  await page.locator(".sample").first().waitFor();
  const asked = it.upstream.requests.length;
  proxy.cut();
  await ask(page, "Lost at first?");
  await turn(page).locator(".waiting").getByText("Reconnecting").waitFor();
  proxy.restore();
  await assertWhole(page);
  assert.equal(it.upstream.requests.length, asked + 1);
  await done(page);
  await proxy.close();
});

test("a reload before the first word asks no second time", async () => {
  it.upstream.play(() => ({ ...WHOLE, held: true, until: "" }));
  const asked = it.upstream.requests.length;
  const page = await visit(it.browser, it.server.url);
  await ask(page, "Early reload?");
  await page.reload();
  await turn(page).waitFor();
  // The reload may have been quicker than the first request: a call that is made only now is held for ever otherwise.
  it.upstream.play(() => WHOLE);
  it.upstream.release();
  await assertWhole(page);
  assert.equal(it.upstream.requests.length, asked + 1);
  await done(page);
});

test("a question that is sent again after a reload is the same request, whoever the page knows by then", async () => {
  it.upstream.play(() => ({ ...WHOLE, held: true, until: "" }));
  const page = await visit(it.browser, it.server.url);
  await page.locator(".sample").first().waitFor();
  const asked = it.upstream.requests.length;
  await Promise.all([page.waitForResponse((response) => response.url().endsWith("/stream")), ask(page, "The same request?")]);
  // As if this browser had been closed before it heard of the turn, and looked before the server had it.
  await page.evaluate(() => {
    const sessions = JSON.parse(localStorage.getItem("hitesh.sessions"));
    for (const session of Object.values(sessions)) delete session.request.turn;
    addEventListener("pagehide", () => localStorage.setItem("hitesh.sessions", JSON.stringify(sessions)));
  });
  await page.route("**/api/chat/history*", (route) => route.fulfill({ json: { success: true, messages: [], error: null } }));
  const waiting = [];
  await page.route("**/api/personas", (route) => waiting.push(route));
  const [again] = await Promise.all([page.waitForResponse((response) => response.url().endsWith("/stream")), page.reload()]);
  assert.equal(again.status(), 200);
  for (const route of waiting) route.continue();
  it.upstream.release();
  await assertWhole(page);
  assert.equal(it.upstream.requests.length, asked + 1);
  await done(page);
});

test("a question that is asked before the page knows who there is goes to the one who was picked before", async () => {
  it.upstream.play(() => ({ output: "Read the tests first." }));
  const page = await visit(it.browser, it.server.url);
  await page.getByLabel("Who answers").selectOption({ label: "Mira Vale" });
  const waiting = [];
  await page.route("**/api/personas", (route) => waiting.push(route));
  await page.reload();
  await ask(page, "Early, for Mira?");
  await ended(page);
  assert.match(JSON.stringify(it.upstream.requests.at(-1).messages), /Mira Vale/);
  for (const route of waiting) route.continue();
  await turn(page).locator(".answerer", { hasText: "Mira Vale" }).waitFor();
  await done(page);
});

test("a question to somebody who is not there any more can be asked of another one", async () => {
  it.upstream.play(() => WHOLE);
  const page = await visit(it.browser, it.server.url);
  await page.evaluate(() => localStorage.setItem("hitesh.preferences", JSON.stringify({ persona: "nobody" })));
  const waiting = [];
  await page.route("**/api/personas", (route) => waiting.push(route));
  await page.reload();
  await ask(page, "Anybody there?");
  await ended(page, "failed");
  for (const route of waiting) route.continue();
  await page.locator("#disclosure").getByText("AI").waitFor();
  await turn(page).getByRole("button", { name: "Try again" }).click();
  await assertWhole(page);
  await done(page);
});

test("an answer that is made again goes on after a reload, in its place", async () => {
  it.upstream.play(() => ({ output: "The old answer." }));
  const page = await visit(it.browser, it.server.url);
  await ask(page, "Again and reload?");
  await ended(page);
  it.upstream.play(() => HELD);
  await turn(page).getByLabel("Answer again").click();
  await answerText(page).locator("strong").waitFor();
  await page.reload();
  await answerText(page).locator("strong").waitFor();
  it.upstream.release();
  await ended(page);
  await page.waitForFunction(() => document.querySelectorAll(".turn").length === 1);
  await assertWhole(page);
  await done(page);
});

test("a crash of the server ends the answer honestly, with a way to ask again", async () => {
  const server = await Server.start(it.upstream);
  const page = await halfway(server.url);
  await server.kill();
  await turn(page).locator(".waiting").getByText("Reconnecting").waitFor();
  it.upstream.release();
  it.upstream.play(() => WHOLE);
  const again = await server.restarted();
  await turn(page).locator(".problem").waitFor();
  assert.match(await turn(page).locator(".problem p").innerText(), /\w.*\.$/);
  await turn(page).getByRole("button", { name: "Try again" }).click();
  await page.waitForFunction(() => document.querySelectorAll(".turn").length === 1 && document.querySelector("blockquote"));
  await assertWhole(page);
  await done(page);
  await again.close();
});

test("events that a crash took are forgotten, and come again", async () => {
  it.upstream.play(() => WHOLE);
  const page = await visit(it.browser, it.server.url);
  // What a crash loses depends on its moment, so the server's words for it are played here.
  await page.addInitScript(() => {
    const { fetch } = globalThis;
    const id = "0190a0f0-0000-7000-8000-000000000001";
    const frame = (n, event, data) => `${n === null ? "" : `id: ${id}:${n}\n`}${event ? `event: ${event}\n` : ""}data: ${JSON.stringify(data)}\n\n`;
    const begun = frame(0, "turn", { turn_id: id, session_id: "s", persona: "hitesh", provider: "openai", model: "m", source: "model" });
    const reply = (text) => new Response(text, { headers: { "content-type": "text/event-stream" } });
    globalThis.fetch = (input, init) => {
      const url = String(input);
      if (url.endsWith("/api/chat/stream")) {
        return Promise.resolve(reply(begun + frame(2, "delta", { step: "output", delta: "Kept. " }) + frame(3, "delta", { step: "output", delta: "Taken by the crash." })));
      }
      if (url.endsWith("/events")) {
        globalThis.cursor = init.headers["last-event-id"];
        return Promise.resolve(reply(
          frame(null, "resync", { turn_id: id, kept: 2, reason: "crashed" }) + begun + frame(2, "delta", { step: "output", delta: "Kept. " }) +
            frame(1048579, "", { step: "error", error: "incomplete", content: "The answer broke off before it was whole.", is_complete: true })));
      }
      return fetch(input, init);
    };
  });
  await page.reload();
  await ask(page, "Resync?");
  await ended(page, "incomplete");
  assert.equal(await answerText(page).innerText(), "Kept.");
  assert.match(await page.evaluate(() => globalThis.cursor), /:3$/);
  await done(page);
});

test("a wait is told in words", async () => {
  const page = await visit(it.browser, it.server.url);
  await page.addInitScript(() => {
    const { fetch } = globalThis;
    globalThis.fetch = (input, init) => {
      if (!String(input).endsWith("/api/chat/stream")) return fetch(input, init);
      const body = new ReadableStream({
        start(controller) {
          const encoder = new TextEncoder();
          globalThis.send = (event, data) => controller.enqueue(encoder.encode(`event: ${event}\ndata: ${JSON.stringify(data)}\n\n`));
        },
      });
      return Promise.resolve(new Response(body, { headers: { "content-type": "text/event-stream" } }));
    };
  });
  await page.reload();
  await ask(page, "Waiting?");
  const waiting = turn(page).locator(".waiting");
  const says = (words) => waiting.getByText(words, { exact: true }).waitFor();
  const send = (event, data) => page.evaluate(([name, body]) => globalThis.send(name, body), [event, data]);
  await send("turn", { turn_id: "0190a0f0-0000-7000-8000-000000000001", session_id: "s", persona: "hitesh", provider: "local", model: "m", source: "model" });
  await send("status", { state: "loading" });
  await says("The local model is warming up…");
  await send("status", { state: "queued", position: 2 });
  await says("The local model is warming up, place 2 in the queue…");
  await send("status", { state: "working" });
  await says("Brewing an answer…");
  await send("status", { state: "retrying", provider: "openai" });
  await says("Trying again with openai…");
  await send("status", { state: "reasoning" });
  await says("Thinking it through…");
  const announced = await page.locator("#announcements p").allInnerTexts();
  assert.ok(announced.includes("The local model is warming up, place 2 in the queue"), announced.join());
  await done(page);
});

test("a failure is a sentence with a button, and the button works", async () => {
  it.upstream.play(() => ({ output: "", status: 401 }));
  const page = await visit(it.browser, it.server.url);
  await ask(page, "Refused?");
  await ended(page, "failed");
  assert.match(await turn(page).locator(".problem p").innerText(), /^The language model refused the server's credentials\./);
  it.upstream.play(() => WHOLE);
  await turn(page).getByRole("button", { name: "Try again" }).click();
  await page.waitForFunction(() => document.querySelector(".turn:last-child blockquote"));
  await assertWhole(page);
  await done(page);
});

test("an answer that broke off stays, with a sentence and a button", async () => {
  it.upstream.play(() => ({ ...WHOLE, cut: true }));
  const page = await visit(it.browser, it.server.url);
  await ask(page, "Cut?");
  await ended(page, "incomplete");
  assert.match(await answerText(page).innerText(), /^Haanji!/);
  assert.match(await turn(page).locator(".problem p").innerText(), /broke off/);
  await page.reload();
  await ended(page, "incomplete");
  assert.match(await turn(page).locator(".problem p").innerText(), /broke off/);
  await done(page);
});

test("a server that wants a key is given one, once, and only this tab keeps it", async () => {
  const settings = '[[auth.keys]]\nid = "web"\nkey = "a-key-for-the-web"\n';
  const server = await Server.start(it.upstream, { settings });
  it.upstream.play(() => WHOLE);
  const page = await visit(it.browser, server.url);
  await ask(page, "Locked?");
  const dialog = page.getByRole("dialog", { name: "This server wants an API key" });
  await dialog.getByLabel("API key").fill("not-the-key");
  await dialog.getByRole("button", { name: "Use this key" }).click();
  const second = page.getByRole("dialog", { name: "That key was not accepted" });
  await second.getByLabel("API key").fill("a-key-for-the-web");
  await second.getByRole("button", { name: "Use this key" }).click();
  await assertWhole(page);
  await ask(page, "Still unlocked?");
  await ended(page);
  await page.reload();
  await ended(page);
  assert.equal(await page.locator("dialog").count(), 0);
  assert.equal(await page.evaluate(() => localStorage.getItem("hitesh.key")), null);
  const other = await visit(page.context(), server.url);
  await other.locator(".session").click();
  await other.getByRole("dialog").getByRole("button", { name: "Not now" }).click();
  await other.getByText("This server wants an API key.").waitFor();
  await done(page);
  await server.close();
});
