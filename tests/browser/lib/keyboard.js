import assert from "node:assert/strict";

/** More stops than a page of these tests has. */
const MAX_STOPS = 90;

/**
 * Hands that have a keyboard only. At each stop of the tab key they look whether a reader would see where they are: a ring
 * that stands out from what is around it and is cut off nowhere, on something that nothing covers.
 */
export class Keyboard {
  #page;

  /** @param {import("playwright-core").Page} page */
  constructor(page) {
    this.#page = page;
  }

  async press(...keys) {
    for (const key of keys) await this.#page.keyboard.press(key);
  }

  type(text) {
    return this.#page.keyboard.type(text);
  }

  /** What has the focus, by its name; "" if nothing has. */
  focused() {
    return this.#page.evaluate(nameOfFocused);
  }

  /** Waits until something of this name has the focus, and looks at it. @param {RegExp} name */
  async has(name) {
    await this.#page.waitForFunction(`(${nameOfFocused})().match(${name}) !== null`).catch(async () => {
      assert.fail(`${name} should have the focus, and ${(await this.focused()) || "nothing"} has`);
    });
    await this.look();
  }

  /** Goes on with the tab key until something of this name has the focus. @param {RegExp} name @param {{back?: boolean}} [way] */
  async to(name, { back = false } = {}) {
    const passed = [];
    for (let stops = 0; stops < MAX_STOPS; stops += 1) {
      await this.press(back ? "Shift+Tab" : "Tab");
      const focused = await this.focused();
      passed.push(focused);
      // After the last stop comes the browser's own bar, and then the first stop.
      if (focused === "") continue;
      await this.look();
      if (name.test(focused)) return passed;
    }
    return assert.fail(`${name} is never reached; there were ${JSON.stringify(passed)}`);
  }

  /** All stops from the one that has the focus to the end of the page. */
  async toTheEnd() {
    const passed = [];
    const wrong = {};
    for (let stops = 0; stops < MAX_STOPS; stops += 1) {
      await this.press("Tab");
      const focused = await this.focused();
      if (focused === "") {
        assert.deepEqual(wrong, {});
        return passed;
      }
      passed.push(focused);
      const found = await this.#page.evaluate(wrongAboutFocus);
      if (found.length > 0) wrong[focused] = found;
    }
    return assert.fail(`the page has no end: ${JSON.stringify(passed)}`);
  }

  /** Asserts that what has the focus can be seen to have it. */
  async look() {
    const wrong = await this.#page.evaluate(wrongAboutFocus);
    assert.deepEqual(wrong, [], `the focus is on ${await this.focused()}`);
  }
}

/* What follows runs in the page. */

function nameOfFocused() {
  const element = document.activeElement;
  if (!element || element === document.body || element === document.documentElement) return "";
  const labels = [...(element.labels ?? [])].map((label) => label.textContent).join(" ");
  return (element.getAttribute("aria-label") || labels || element.textContent || element.id || element.localName).trim().replace(/\s+/g, " ");
}

function wrongAboutFocus() {
  const element = document.activeElement;
  if (!element || element === document.body) return ["nothing has the focus"];
  const wrong = [];

  const rgba = (colour) => {
    const canvas = document.createElement("canvas");
    canvas.width = canvas.height = 1;
    const context = canvas.getContext("2d");
    context.fillStyle = colour;
    context.fillRect(0, 0, 1, 1);
    return [...context.getImageData(0, 0, 1, 1).data];
  };
  const luminance = (colour) => {
    const [r, g, b] = rgba(colour).map((value) => (value / 255 <= 0.04045 ? value / 255 / 12.92 : ((value / 255 + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const contrast = (one, other) => {
    const [light, dark] = [luminance(one), luminance(other)].sort((a, b) => b - a);
    return (light + 0.05) / (dark + 0.05);
  };
  const backgroundBehind = (inner) => {
    for (let one = inner; one; one = one.parentElement) {
      const { backgroundColor } = getComputedStyle(one);
      if (rgba(backgroundColor)[3] > 250) return backgroundColor;
    }
    return "white";
  };

  // Some fields show their ring on the box around them.
  const around = [element, element.closest(".theme"), element.matches("textarea") ? element.closest(".composer") : null];
  const ringed = around.filter(Boolean).find((one) => {
    const { outlineStyle, outlineWidth } = getComputedStyle(one);
    return outlineStyle !== "none" && parseFloat(outlineWidth) >= 2;
  });
  const box = (ringed ?? element).getBoundingClientRect();
  if (!ringed) wrong.push("there is no ring");
  else {
    const { outlineColor, outlineOffset, outlineWidth } = getComputedStyle(ringed);
    const inside = parseFloat(outlineOffset) < 0;
    const behind = backgroundBehind(inside ? ringed : (ringed.parentElement ?? ringed));
    if (contrast(outlineColor, behind) < 3) wrong.push(`the ring (${outlineColor}) does not stand out from ${behind}`);
    const reach = parseFloat(outlineOffset) + parseFloat(outlineWidth);
    const ring = { left: box.left - reach, right: box.right + reach, top: box.top - reach, bottom: box.bottom + reach };
    // What scrolls may be larger than its window; what only cuts off may not cut this.
    for (let one = ringed.parentElement; one && reach > 0; one = one.parentElement) {
      const style = getComputedStyle(one);
      const clips = style.overflowX !== "visible" || style.contentVisibility === "auto" || /paint|content|strict/.test(style.contain);
      if (!clips) continue;
      const clip = one.getBoundingClientRect();
      const cutAbove = !/auto|scroll/.test(style.overflowY) && (ring.top < clip.top - 0.5 || ring.bottom > clip.bottom + 0.5);
      if (ring.left < clip.left - 0.5 || ring.right > clip.right + 0.5 || cutAbove) wrong.push(`the ring is cut off by ${one.className || one.localName}`);
      if (style.position === "fixed") break;
    }
  }

  const [part] = element.getClientRects();
  if (!part) return [...wrong, "it has no place on the page"];
  // Of something larger than its window only a part is to be seen.
  const window = element.closest("#scroller, #sessions")?.getBoundingClientRect() ?? { left: 0, top: 0, right: innerWidth, bottom: innerHeight };
  const isLarge = part.height > (window.bottom - window.top) * 0.6 || part.width > window.right - window.left;
  const hits = [];
  for (const x of [0.25, 0.5, 0.75]) {
    for (const y of [0.25, 0.5, 0.75]) {
      const hit = document.elementFromPoint(part.left + part.width * x, part.top + part.height * y);
      hits.push(hit !== null && (element.contains(hit) || hit.contains(element) === false && [...(element.labels ?? [])].some((label) => label.contains(hit))));
    }
  }
  const seen = hits.filter(Boolean).length;
  if (isLarge ? seen === 0 : seen < hits.length) wrong.push(`only ${seen} of ${hits.length} of its points are to be seen`);
  if (getComputedStyle(element).opacity === "0" && !element.closest(".theme")) wrong.push("it is transparent");
  return wrong;
}
