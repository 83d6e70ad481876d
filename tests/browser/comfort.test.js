import assert from "node:assert/strict";
import { test } from "node:test";
import { WHOLE } from "./lib/answers.js";
import { PHONE, ask, ended, shot, turn, violations, visit } from "./lib/browser.js";
import { fixture } from "./lib/fixture.js";

const it = fixture({ settings: "[cache]\nenabled = false\n" });
const HELD = { ...WHOLE, held: true, until: "## Teen" };
const SMALL = { viewport: { width: 320, height: 640 }, hasTouch: true, isMobile: true };
/** What 400 % leaves of a window of 1280 by 1024. */
const TINY = { viewport: { width: 320, height: 256 } };

async function done(page) {
  assert.deepEqual(page.wrong, []);
  await page.context().close();
}

/** Goes through all that moves on the page; `look` is called at each moment. */
async function throughAll(page, look) {
  await page.locator(".steam").first().waitFor();
  await look("idle");
  it.upstream.play(() => ({ ...HELD, until: "" }));
  await ask(page, "Moving?");
  await turn(page).locator(".waiting").waitFor();
  await look("waiting");
  it.upstream.play(() => HELD);
  it.upstream.release();
  await page.locator("#question").press("Escape");
  await page.waitForFunction(() => !["waiting", "running"].includes(document.querySelector(".turn:last-child")?.dataset.state));
  await ask(page, "Growing?");
  await turn(page).locator("strong").waitFor();
  await look("growing");
  it.upstream.release();
  await ended(page);
  await turn(page).locator(".step summary").first().click();
  await look("unfolded");
  await page.locator("#sidebar-open").click();
  await look("drawer");
  await page.locator(".sessions .icon-button").first().click();
  await look("menu");
  await page.getByRole("menuitem", { name: "Delete" }).click();
  await page.getByRole("button", { name: "Undo" }).waitFor();
  await look("toast");
}

for (const reducedMotion of ["reduce", "no-preference"]) {
  test(`motion: ${reducedMotion}`, async () => {
    const page = await visit(it.browser, it.server.url, { ...PHONE, reducedMotion });
    await page.evaluate(() => {
      globalThis.moved = new Set();
      const note = (event) => globalThis.moved.add(event.animationName ?? event.propertyName);
      for (const kind of ["transitionrun", "animationstart"]) document.addEventListener(kind, note, true);
    });
    const found = {};
    await throughAll(page, async (moment) => {
      found[moment] = await page.evaluate(() => document.getAnimations().map((one) => one.animationName ?? one.transitionProperty));
    });
    const moved = await page.evaluate(() => [...globalThis.moved]);
    const smooth = await page.evaluate(() => [...document.querySelectorAll("*")].filter((one) => getComputedStyle(one).scrollBehavior === "smooth").length);
    if (reducedMotion === "reduce") {
      assert.deepEqual(Object.entries(found).filter(([, names]) => names.length > 0), []);
      assert.deepEqual(moved, []);
      assert.equal(smooth, 0);
    } else {
      assert.ok(found.idle.includes("steam"), "a cup steams");
      assert.ok(found.waiting.includes("brew") && found.growing.includes("brew"), "an answer brews");
      assert.ok(moved.includes("transform"), "the drawer slides in");
    }
    await done(page);
  });
}

/** The controls that can be seen and whose own box, or that of their label, is too small for a finger. */
function tooSmall() {
  const wrong = [];
  for (const one of document.querySelectorAll("button, a, select, input, textarea, summary")) {
    const box = (one.closest("label:not(.visually-hidden)") ?? one).getBoundingClientRect();
    // A link in a sentence is as high as its line.
    const isInSentence = one.closest(".answer-text") !== null && one.localName === "a";
    if (!one.checkVisibility({ visibilityProperty: true }) || isInSentence || one.matches(".skip")) continue;
    if (box.width < 24 || box.height < 24) wrong.push(`${one.getAttribute("aria-label") ?? one.textContent}: ${box.width} by ${box.height}`);
  }
  return wrong;
}

test("everything that is pressed is large enough for a finger", async () => {
  const page = await visit(it.browser, it.server.url, PHONE);
  const look = async (moment) => assert.deepEqual(await page.evaluate(tooSmall), [], moment);
  await page.locator(".sample").first().waitFor();
  await look("empty");
  it.upstream.play(() => WHOLE);
  await ask(page, "Fingers?");
  await ended(page);
  await look("answer");
  await turn(page).getByLabel("Edit and ask again").click();
  await look("editor");
  await page.getByRole("button", { name: "Cancel" }).click();
  it.upstream.play(() => ({ output: "", status: 400 }));
  await ask(page, "Refused?");
  await ended(page, "failed");
  await page.locator("#scroller").evaluate((scroller) => scroller.scrollTo(0, 0));
  await page.locator("#jump").waitFor();
  await look("failure");
  await page.locator("#sidebar-open").click();
  await page.locator(".sessions .icon-button").first().click();
  await look("menu");
  await page.getByRole("menuitem", { name: "Rename" }).click();
  await look("rename");
  await page.keyboard.press("Enter");
  await page.locator(".sessions .icon-button").first().click();
  await page.getByRole("menuitem", { name: "Delete" }).click();
  await look("toast");
  await page.route("**/api/chat/stream", (route) => route.fulfill({ status: 401, json: { success: false, error: "unauthorized", message: "No." } }));
  await page.locator("#sidebar-close").click();
  await ask(page, "Key?");
  await page.locator("dialog").waitFor();
  await look("dialog");
  await done(page);
});

/** What can't be told from what it lies on: icons, words, and the edges of what is pressed. */
function unseen() {
  const wrong = [];
  const isClear = (colour) => /, 0\)$|transparent/.test(colour);
  const behind = (element) => {
    for (let one = element; one; one = one.parentElement) {
      const { backgroundColor } = getComputedStyle(one);
      if (!isClear(backgroundColor)) return backgroundColor;
    }
    return getComputedStyle(document.documentElement).backgroundColor;
  };
  const name = (one) => one.getAttribute("aria-label") ?? one.textContent.trim().slice(0, 30);
  for (const one of document.querySelectorAll("button, select, input:not([type=radio]), .bubble, .toast, .problem, .composer, summary, .themes")) {
    if (!one.checkVisibility({ visibilityProperty: true, opacityProperty: true }) || one.matches(".menu *")) continue;
    const style = getComputedStyle(one);
    if (style.color === behind(one)) wrong.push(`the words of ${name(one)}`);
    const icon = one.querySelector(":scope > .icon");
    if (icon && getComputedStyle(icon).stroke === behind(icon)) wrong.push(`the icon of ${name(one)}`);
    const outside = behind(one.parentElement);
    const hasEdge = parseFloat(style.borderTopWidth) > 0 && style.borderTopStyle !== "none" && style.borderTopColor !== outside;
    if (!hasEdge && behind(one) === outside) wrong.push(`the edge of ${name(one)}`);
  }
  return wrong;
}

for (const colorScheme of ["light", "dark"]) {
  for (const [size, options] of Object.entries({ desktop: {}, phone: PHONE })) {
    test(`colours of the reader's own leave nothing unseen, ${size} and ${colorScheme}`, async () => {
      const page = await visit(it.browser, it.server.url, { ...options, colorScheme, forcedColors: "active" });
      const look = async (moment) => {
        assert.deepEqual(await page.evaluate(unseen), [], moment);
        // Axe reads the page's own colours of some words, which nobody sees here.
        assert.deepEqual((await violations(page)).filter((one) => !one.startsWith("color-contrast")), [], moment);
        await shot(page, `forced-${size}-${colorScheme}-${moment}`);
      };
      await page.locator(".sample").first().waitFor();
      await look("1-empty");
      it.upstream.play(() => HELD);
      await ask(page, "Which colours?");
      await turn(page).locator("strong").waitFor();
      await look("2-growing");
      it.upstream.release();
      await ended(page);
      await turn(page).getByLabel("A good answer", { exact: true }).click();
      const looks = (locator) => locator.evaluate((one) => {
        const { backgroundColor, color } = getComputedStyle(one);
        return `${color} on ${backgroundColor}`;
      });
      assert.notEqual(await looks(turn(page).locator("[aria-pressed=true]")), await looks(turn(page).locator("[aria-pressed=false]")));
      await look("3-answer");
      it.upstream.play(() => ({ output: "", status: 400 }));
      await page.locator("#question").fill("Refused?");
      await page.locator("#question").press("Enter");
      await ended(page, "failed");
      await look("4-failure");
      if (size === "phone") await page.locator("#sidebar-open").click();
      await page.locator("#new-chat").click();
      it.upstream.play(() => HELD);
      await ask(page, "Another?");
      await turn(page).locator("strong").waitFor();
      if (size === "phone") await page.locator("#sidebar-open").click();
      const dot = page.locator(".running");
      assert.notEqual(await dot.evaluate((one) => getComputedStyle(one).backgroundColor), await dot.evaluate((one) => getComputedStyle(one.closest(".session")).backgroundColor));
      assert.notEqual(await looks(page.locator("[aria-current]")), await looks(page.locator(".session:not([aria-current])")));
      assert.notEqual(await looks(page.locator(".theme:has(:checked)")), await looks(page.locator(".theme:not(:has(:checked))").first()));
      await look("5-chats");
      await page.locator(".sessions .icon-button").first().click();
      const items = page.getByRole("menuitem");
      assert.notEqual(await looks(items.first()), await looks(items.nth(1)), "the place in the menu is seen");
      await look("6-menu");
      it.upstream.release();
      await done(page);
    });
  }
}

for (const colorScheme of ["light", "dark"]) {
  test(`more contrast is given to those who ask for it, ${colorScheme}`, async () => {
    it.upstream.play(() => WHOLE);
    const page = await visit(it.browser, it.server.url, { colorScheme });
    await ask(page, "Contrast?");
    await ended(page);
    const soft = () => page.locator("#disclosure").evaluate((one) => getComputedStyle(one).color);
    const before = await soft();
    await page.emulateMedia({ contrast: "more" });
    assert.notEqual(await soft(), before);
    assert.equal(await soft(), await page.evaluate(() => getComputedStyle(document.body).color));
    assert.deepEqual(await violations(page), []);
    await shot(page, `contrast-${colorScheme}`);
    await done(page);
  });
}

/** What sticks out of the window to the side, but for what scrolls by itself, and words that are cut off. */
function cutOff() {
  const wrong = [];
  if (document.documentElement.scrollWidth > innerWidth) wrong.push(`the page is ${document.documentElement.scrollWidth} wide`);
  for (const scroller of document.querySelectorAll("body, .scroller, .sidebar, .dialog, .toast")) {
    if (scroller.scrollWidth > scroller.clientWidth + 1 && scroller.checkVisibility()) wrong.push(`${scroller.className || scroller.localName} scrolls sideways`);
  }
  for (const one of document.querySelectorAll("main *, aside *, dialog *")) {
    if (!one.checkVisibility({ visibilityProperty: true }) || one.closest(".code pre, .table-frame, .visually-hidden, svg")) continue;
    const box = one.getBoundingClientRect();
    if (box.width > 0 && (box.right > innerWidth + 0.5 || box.left < -0.5)) wrong.push(`${one.className || one.localName} ends at ${box.right}`);
    const isCut = one.clientWidth > 0 && getComputedStyle(one).overflowX === "hidden" && one.scrollWidth > one.clientWidth + 1;
    // A title of one line has its dots, and its tooltip.
    if (isCut && getComputedStyle(one).textOverflow !== "ellipsis") wrong.push(`${one.className || one.localName} is cut off`);
  }
  return wrong;
}

for (const [name, options] of Object.entries({ "400 %": TINY, "200 %": { viewport: { width: 640, height: 430 } }, "a small phone": SMALL })) {
  test(`nothing is cut off or scrolls sideways at ${name}`, async () => {
    const page = await visit(it.browser, it.server.url, options);
    const look = async (moment) => {
      assert.deepEqual(await page.evaluate(cutOff), [], moment);
      await shot(page, `zoom-${name.replace(/\W+/g, "-")}-${moment}`);
    };
    // Whatever is there can be brought into view, and seen there.
    const reach = async (locator) => {
      await locator.scrollIntoViewIfNeeded();
      await locator.click({ trial: true });
    };
    await page.locator(".sample").last().waitFor();
    await look("1-empty");
    await reach(page.locator(".sample").last());
    await reach(page.locator("#question"));
    it.upstream.play(() => WHOLE);
    await ask(page, "Kitna bada? ".repeat(12));
    await ended(page);
    await look("2-answer");
    await reach(turn(page).locator(".copy-code"));
    await turn(page).getByLabel("About this answer").click();
    await reach(turn(page).locator(".info"));
    await look("3-info");
    await reach(page.locator("#disclosure"));
    it.upstream.play(() => ({ output: "", status: 401 }));
    await ask(page, "Refused?");
    await ended(page, "failed");
    await reach(turn(page).getByRole("button", { name: "Try again" }));
    await look("4-failure");
    await reach(page.locator("#sidebar-open"));
    await page.locator("#sidebar-open").click();
    await reach(page.locator("#search"));
    await reach(page.locator(".theme").last());
    await look("5-chats");
    await page.locator(".sessions .icon-button").first().click();
    await reach(page.getByRole("menuitem", { name: "Delete" }));
    await page.getByRole("menuitem", { name: "Delete" }).click();
    await reach(page.getByRole("button", { name: "Undo" }));
    await look("6-undo");
    await done(page);
  });
}

test("a page with questions to begin with is read from its top, and a chat from its end", async () => {
  const page = await visit(it.browser, it.server.url, SMALL);
  await page.locator(".sample").last().waitFor();
  const scroller = page.locator("#scroller");
  const [top, left] = await scroller.evaluate((one) => [one.scrollTop, one.scrollHeight - one.clientHeight]);
  assert.ok(left > 50, "there is more than fits");
  assert.equal(top, 0);
  it.upstream.play(() => WHOLE);
  await ask(page, "Then the end?");
  await ended(page);
  assert.ok((await scroller.evaluate((one) => one.scrollHeight - one.scrollTop - one.clientHeight)) < 50);
  await page.reload();
  await ended(page);
  await page.waitForFunction(() => {
    const one = document.querySelector("#scroller");
    return one.scrollTop > 0 && one.scrollHeight - one.scrollTop - one.clientHeight < 50;
  });
  await done(page);
});
