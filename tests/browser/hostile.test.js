import assert from "node:assert/strict";
import { test } from "node:test";
import { ask, ended, turn, visit } from "./lib/browser.js";
import { fixture } from "./lib/fixture.js";

/** What a model may be talked into saying. Each would set `owned`, ask somebody else, or leave the page. */
const CORPUS = {
  "a script": "<script>globalThis.owned = 1</script>ok",
  "a script across tags": "<scr<script>ipt>globalThis.owned = 1</scr</script>ipt>\n\nok",
  "an image's handler": '<img src=x onerror="globalThis.owned = 1">ok',
  "an image of elsewhere": "![x](http://elsewhere.invalid/x.png) ok",
  "a drawing's handler": '<svg onload="globalThis.owned = 1"><animate onbegin="globalThis.owned = 1" attributeName=x dur=1s></svg>ok',
  "a script in a drawing": "<svg><script>globalThis.owned = 1</script></svg>ok",
  "a formula with a link": '<math><maction actiontype="statusline" xlink:href="javascript:globalThis.owned = 1">x</maction></math>ok',
  "a foreign tree": '<math><mtext><table><mglyph><style><!--</style><img title="--&gt;&lt;img src=1 onerror=globalThis.owned=1&gt;">ok',
  "a script's link": "[press](javascript:globalThis.owned=1) ok",
  "a script's link in disguise": "[press](jAvA\tscript:globalThis.owned=1) [and](&#106;avascript:globalThis.owned=1) ok",
  "a link of data": "[press](data:text/html,<script>globalThis.owned=1</script>) ok",
  "a frame": '<iframe srcdoc="<script>parent.owned = 1</script>"></iframe>ok',
  "a form": '<form action="http://elsewhere.invalid"><button id="question">ok</button></form>ok',
  "a base": '<base href="http://elsewhere.invalid/">ok',
  "a style": "<style>@import url(http://elsewhere.invalid/x.css); body { display: none }</style>ok",
  "a refresh": '<meta http-equiv="refresh" content="0; url=http://elsewhere.invalid/">ok',
  "names that hide ours": '<a id="body"></a><form id="document"><input name="cookie"></form>ok',
  "broken Markdown": "```js\n[a](b **c `d\n| x |\n|--\n> > > ok",
  "a fence that names a script": '```"><script>globalThis.owned=1</script>\ncode\n```\nok',
  "a line of 100 kB": `${"ok ".repeat(20)}${"अ😀x".repeat(9_000)}`,
};

const it = fixture();

for (const [name, output] of Object.entries(CORPUS)) {
  test(`${name} stays text`, async () => {
    it.upstream.play(() => ({ output, pieceLength: output.length > 1000 ? 900 : 7 }));
    const page = await visit(it.browser, it.server.url);
    await ask(page, `What about ${name}?`);
    await ended(page);
    const answer = turn(page).locator(".answer-text");
    assert.match(await answer.innerText(), /ok/);
    for (const link of await answer.locator("a[href]").all()) {
      assert.match(await link.evaluate((a) => a.protocol), /^(https?|mailto):$/);
    }
    const alive = await answer.evaluate((element) =>
      [...element.querySelectorAll("*")].filter((one) =>
        one.matches("script, iframe, form, base, style, meta, object, embed, svg script, math") ||
        one.getAttributeNames().some((attribute) => attribute.startsWith("on")),
      ).map((one) => one.outerHTML),
    );
    assert.deepEqual(alive, []);
    assert.equal(await page.evaluate(() => globalThis.owned), undefined);
    assert.equal(new URL(page.url()).origin, new URL(it.server.url).origin);
    assert.deepEqual(page.wrong, []);
    await page.context().close();
  });
}
