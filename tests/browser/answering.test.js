import assert from "node:assert/strict";
import { test } from "node:test";
import { WHOLE } from "./lib/answers.js";
import { ask, ended, turn, visit } from "./lib/browser.js";
import { fixture } from "./lib/fixture.js";

const it = fixture();
const text = (page, selector) => turn(page).locator(selector).innerText();

async function open(options) {
  return visit(it.browser, it.server.url, options);
}

async function done(page) {
  assert.deepEqual(page.wrong, []);
  await page.context().close();
}

test("words appear as they are made, and the steps fold when the answer starts", async () => {
  it.upstream.play(() => ({ ...WHOLE, held: true, until: "order aata hai" }));
  const page = await open();
  await ask(page, "Growing?");
  const think = turn(page).locator(".step").nth(1);
  await think.locator(".step-text").getByText("order aata hai").waitFor();
  assert.equal(await think.evaluate((details) => details.open), true, "a step is open while it grows");
  assert.equal(await turn(page).locator(".answer-text").innerText(), "");
  it.upstream.release();
  await ended(page);
  assert.equal(await turn(page).locator(".step[open]").count(), 0);
  assert.match(await text(page, ".step-preview >> nth=0"), /^Sawaal yeh hai/);
  await done(page);
});

test("an answer grows before it is whole", async () => {
  it.upstream.play(() => ({ ...WHOLE, held: true, until: "## Teen kadam" }));
  const page = await open();
  await ask(page, "Half?");
  await turn(page).locator(".answer-text strong").getByText("woh hissa jo dikhta nahi").waitFor();
  assert.equal(await turn(page).getAttribute("data-state"), "running");
  assert.equal(await turn(page).locator("pre").count(), 0);
  it.upstream.release();
  await ended(page);
  assert.equal(await turn(page).locator("pre").count(), 1);
  await done(page);
});

test("what was drawn piece by piece is what a whole drawing gives", async () => {
  const page = await open();
  for (const pieceLength of [1, 3, 17]) {
    it.upstream.play(() => ({ ...WHOLE, pieceLength }));
    await ask(page, `Pieces of ${pieceLength}?`);
    await ended(page);
  }
  const drawn = await page.locator(".answer-text").evaluateAll((all) => all.map((one) => one.innerHTML.replaceAll(/<span class="hljs[^>]*>|<\/span>/g, "")));
  assert.equal(new Set(drawn).size, 1);
  await done(page);
});

test("markdown has its headings, lists, tables, safe links, quotes and code", async () => {
  it.upstream.play(() => WHOLE);
  const page = await open();
  await ask(page, "Markdown?");
  await ended(page);
  const answer = turn(page).locator(".answer-text");
  assert.equal(await answer.locator("h2").innerText(), "Teen kadam");
  assert.equal(await answer.locator("ol > li").count(), 3);
  assert.equal(await answer.locator("td").count(), 6);
  assert.equal(await answer.locator("th").nth(2).getAttribute("align"), "right");
  assert.equal(await answer.locator("blockquote").innerText(), "Padhne se zyada banane se seekhoge.");
  const link = answer.locator("a");
  assert.equal(await link.getAttribute("href"), "https://fastapi.tiangolo.com");
  assert.equal(await link.getAttribute("rel"), "noopener noreferrer nofollow");
  assert.equal(await answer.locator(".code-head span").first().innerText(), "python");
  await answer.locator(".hljs-keyword").first().waitFor();
  await done(page);
});

test("code and answers are copied as they are", async () => {
  it.upstream.play(() => WHOLE);
  const page = await open({ permissions: ["clipboard-read", "clipboard-write"] });
  await ask(page, "Copy?");
  await ended(page);
  const clipboard = () => page.evaluate(() => navigator.clipboard.readText());
  await turn(page).locator(".copy-code").click();
  await turn(page).locator(".copy-code.done").waitFor();
  assert.match(await clipboard(), /^from fastapi import FastAPI\n\napp = FastAPI\(\)[^]*cups \* 2\}\n?$/);
  await turn(page).getByLabel("Copy the answer").click();
  await turn(page).locator(".actions .done").waitFor();
  assert.equal(await clipboard(), WHOLE.output);
  await done(page);
});

test("a step that the reader unfolds stays unfolded, also in later answers", async () => {
  it.upstream.play(() => WHOLE);
  const page = await open();
  await ask(page, "Fold one?");
  await ended(page);
  await turn(page).locator(".step summary").nth(1).click();
  await ask(page, "Fold two?");
  await ended(page);
  const isOpen = () => turn(page).locator(".step").evaluateAll((steps) => steps.map((step) => step.open));
  assert.deepEqual(await isOpen(), [false, true]);
  await turn(page).locator(".step summary").nth(1).click();
  await ask(page, "Fold three?");
  await ended(page);
  assert.deepEqual(await isOpen(), [false, false]);
  await done(page);
});

test("enter sends and shift with enter makes a line", async () => {
  it.upstream.play(() => ({ output: "Theek." }));
  const page = await open();
  const question = page.locator("#question");
  await question.fill("one");
  await question.press("Shift+Enter");
  await question.pressSequentially("two");
  assert.equal(await question.inputValue(), "one\ntwo");
  await question.press("Enter");
  await ended(page);
  assert.equal(await text(page, ".question-text"), "one\ntwo");
  assert.equal(await question.inputValue(), "");
  await done(page);
});

test("a counter is shown near the limit, and nothing longer is sent", async () => {
  const page = await open();
  const question = page.locator("#question");
  const counter = page.locator("#counter");
  assert.equal(await page.locator("#send").isDisabled(), true, "nothing to send yet");
  await question.fill("a".repeat(1500));
  assert.equal(await counter.innerText(), "");
  await question.fill("चाय ".repeat(500).trim());
  assert.equal(await counter.innerText(), "1999 of 2000");
  await question.fill("☕🫖".repeat(1001));
  assert.equal(await counter.innerText(), "2 too many");
  assert.equal(await page.locator("#send").isDisabled(), true);
  await question.press("Enter");
  assert.equal(await page.locator(".turn").count(), 0);
  await question.fill("🫖".repeat(2000));
  assert.equal(await page.locator("#send").isDisabled(), false);
  await done(page);
});

test("stop ends the answer and keeps what came", async () => {
  it.upstream.play(() => ({ ...WHOLE, held: true, until: "## Teen kadam" }));
  const page = await open();
  await ask(page, "Stop?");
  await turn(page).locator("strong").waitFor();
  await page.getByRole("button", { name: "Stop", exact: true }).click();
  await ended(page, "stopped");
  assert.match(await text(page, ".answer-text"), /^Haanji!/);
  assert.match(await text(page, ".problem"), /^You stopped this answer\./);
  await page.getByRole("button", { name: "Send", exact: true }).waitFor();
  it.upstream.release();
  await done(page);
});

test("escape stops too, also before the first word", async () => {
  it.upstream.play(() => ({ ...WHOLE, held: true, until: "" }));
  const page = await open();
  await ask(page, "Escape?");
  await page.locator("#question").press("Escape");
  await ended(page, "stopped");
  it.upstream.release();
  await done(page);
});

test("an answer again takes the place of the old one", async () => {
  it.upstream.play((_, number) => ({ output: `Answer number ${number}.` }));
  const page = await open();
  await ask(page, "Again?");
  await ended(page);
  const before = await text(page, ".answer-text");
  await turn(page).getByLabel("Answer again").click();
  await page.waitForFunction((old) => {
    const shown = [...document.querySelectorAll(".turn:not([hidden])")];
    return shown.length === 1 && shown[0].dataset.state === "completed" && shown[0].querySelector(".answer-text").innerText !== old;
  }, before);
  await page.reload();
  await ended(page);
  assert.equal(await page.locator(".turn").count(), 1);
  assert.notEqual(await text(page, ".answer-text"), before);
  await done(page);
});

test("an answer that can't be made again leaves the old one, and says why", async () => {
  it.upstream.play(() => ({ output: "The good old one." }));
  const page = await open();
  await ask(page, "Keep?");
  await ended(page);
  it.upstream.play(() => ({ output: "", status: 400 }));
  await turn(page).getByLabel("Answer again").click();
  await turn(page).locator(".problem").getByText("refused this request").waitFor();
  assert.equal(await page.locator(".turn:visible").count(), 1);
  assert.equal(await text(page, ".answer-text"), "The good old one.");
  await done(page);
});

test("an edited question takes the place of the old one, and what followed goes", async () => {
  it.upstream.play((question) => ({ output: `About: ${/edited/.test(question) ? "the edited one" : "the first one"}` }));
  const page = await open();
  await ask(page, "Plain one?");
  await ended(page);
  await ask(page, "Plain two?");
  await ended(page);
  await page.locator(".turn").first().hover();
  await page.locator(".turn").first().getByLabel("Edit and ask again").click();
  const area = page.locator(".editor textarea");
  assert.equal(await area.inputValue(), "Plain one?");
  await area.fill("An edited one?");
  await area.press("Enter");
  await page.locator(".turn:visible .answer-text").getByText("the edited one").waitFor();
  await ended(page);
  assert.equal(await page.locator(".turn").count(), 1);
  await page.reload();
  await ended(page);
  assert.deepEqual(await page.locator(".question-text").allTextContents(), ["An edited one?"]);
  await done(page);
});

test("the up arrow edits the last question, and escape leaves it as it was", async () => {
  it.upstream.play(() => ({ output: "Theek." }));
  const page = await open();
  await ask(page, "Arrow?");
  await ended(page);
  await page.locator("#question").press("ArrowUp");
  await page.locator(".editor textarea").press("Escape");
  assert.equal(await text(page, ".question-text"), "Arrow?");
  await done(page);
});

test("a rating is kept, shown again, and taken back", async () => {
  it.upstream.play(() => ({ output: "Rate me." }));
  const page = await open();
  await ask(page, "Rate?");
  await ended(page);
  const up = () => turn(page).getByLabel("A good answer", { exact: true });
  const rated = (rating) => page.waitForResponse((response) => response.url().endsWith("/feedback") && response.request().postDataJSON().rating === rating && response.ok());
  await Promise.all([rated("up"), up().click()]);
  assert.equal(await up().getAttribute("aria-pressed"), "true");
  await page.reload();
  await ended(page);
  assert.equal(await up().getAttribute("aria-pressed"), "true");
  await Promise.all([rated(null), up().click()]);
  assert.equal(await up().getAttribute("aria-pressed"), "false");
  await done(page);
});

test("the small i tells source, provider, model, first word and tokens", async () => {
  it.upstream.play(() => WHOLE);
  const page = await open();
  await ask(page, "Info, please?");
  await ended(page);
  const info = async () => {
    await turn(page).getByLabel("About this answer").click();
    return (await turn(page).locator(".info").innerText()).replaceAll("\n", " ");
  };
  assert.match(await info(), /Answered by Hitesh Source live from the model Provider openai Model gpt-4o-mini First word after \d+.* Tokens 1000 in, 90 out/);
  await page.getByRole("button", { name: "New chat" }).click();
  await ask(page, "Info, please?");
  await ended(page);
  assert.match(await info(), /kept from an earlier answer/);
  await done(page);
});

test("the empty page has questions to begin with, and the disclosure is there once", async () => {
  it.upstream.play(() => ({ output: "Chalo shuru karte hain." }));
  const page = await open();
  const sample = page.locator(".sample").first();
  const question = await sample.innerText();
  assert.equal(await page.getByText("This is an AI simulation").count(), 1);
  await sample.click();
  await ended(page);
  assert.equal(await text(page, ".question-text"), question);
  assert.equal(await page.locator(".sample").count(), 0);
  assert.equal(await page.getByText("This is an AI simulation").count(), 1);
  await done(page);
});

test("whoever is picked answers, under their own names for the steps", async () => {
  it.upstream.play(() => ({ output: "Read the tests first." }));
  const page = await open();
  await page.getByLabel("Who answers").selectOption({ label: "Mira Vale" });
  await page.getByText("fictional character played by an AI").waitFor();
  await ask(page, "A pull request of 900 lines?");
  await ended(page);
  assert.equal(await text(page, ".answerer"), "Mira Vale");
  assert.deepEqual(await turn(page).locator(".step-name").allInnerTexts(), ["Reading", "Weighing"]);
  assert.match(JSON.stringify(it.upstream.requests.at(-1).messages), /Mira Vale/);
  await done(page);
});

test("a provider that fails at first is asked again without a word from the reader", async () => {
  let failures = 1;
  it.upstream.play(() => (failures-- > 0 ? { output: "", status: 500 } : { output: "Ab theek hai." }));
  const page = await open();
  await ask(page, "Retry?");
  await ended(page);
  assert.equal(await text(page, ".answer-text"), "Ab theek hai.");
  await done(page);
});
