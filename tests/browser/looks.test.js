import assert from "node:assert/strict";
import { test } from "node:test";
import { DEVANAGARI, WHOLE } from "./lib/answers.js";
import { DESKTOP, PHONE, TABLET, ask, ended, shot, violations, visit } from "./lib/browser.js";
import { fixture } from "./lib/fixture.js";

const it = fixture({ script: (question) => (question.includes("हिन्दी") ? DEVANAGARI : WHOLE) });

const SIZES = { desktop: DESKTOP, tablet: TABLET, phone: PHONE };

for (const [size, device] of Object.entries(SIZES)) {
  for (const colorScheme of ["light", "dark"]) {
    test(`on a ${size} in ${colorScheme} everybody can read it, and nothing sticks out`, async () => {
      const page = await visit(it.browser, it.server.url, { ...device, colorScheme });
      assert.deepEqual(await violations(page), [], "the empty page");
      await shot(page, `${size}-${colorScheme}-empty`);
      await ask(page, "Sir mujhe backend development kaise start karna hai?");
      await ended(page);
      await ask(page, "हिन्दी में बताइए");
      await ended(page);
      await page.locator("pre code .hljs-keyword").first().waitFor();
      assert.deepEqual(await violations(page), [], "with answers");
      await shot(page, `${size}-${colorScheme}-answers`);
      // Of the device: a phone's own idea of the window's width grows with what sticks out.
      const widest = () => Math.max(...[...document.querySelectorAll("main, main > *")].map((one) => one.getBoundingClientRect().right));
      const overflow = (await page.evaluate(widest)) - device.viewport.width;
      assert.ok(overflow <= 0, `${overflow} pixels are to the right of the window`);
      assert.deepEqual(page.wrong, []);
      await page.context().close();
    });
  }
}
