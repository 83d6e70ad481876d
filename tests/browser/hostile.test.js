import assert from "node:assert/strict";
import { test } from "node:test";
import { ask, ended, turn, visit } from "./lib/browser.js";
import { fixture } from "./lib/fixture.js";

const it = fixture();

/** What a model might be made to say. Whatever runs calls `pwned()` or asks `/pwned` for something. */
const CORPUS = {
  "a script": "<script>pwned()</script>",
  "a script in Markdown": "**bold** <script src=/pwned></script> _more_",
  "a broken script": "<scr<script>ipt>pwned()</scr</script>ipt>",
  "event handlers": '<img src=/pwned onerror=pwned()> <body onload=pwned()> <div onmouseover="pwned()">x</div>',
  "details that toggle": "<details open ontoggle=pwned()><summary>x</summary></details>",
  "a javascript link": "[x](javascript:pwned()) [y](JaVaScRiPt:pwned()) [z](&#106;avascript:pwned())",
  "a javascript link with blanks": "[x](java\tscript:pwned()) [y](<java\nscript:pwned()>) [z]( javascript:pwned())",
  "a javascript reference": "[x][1]\n\n[1]: javascript:pwned() \"title\"",
  "an autolink": "<javascript:pwned()> <data:text/html,<script>pwned()</script>> <vbscript:x>",
  "a data link": "[x](data:text/html;base64,PHNjcmlwdD5wd25lZCgpPC9zY3JpcHQ+) [y](blob:x) [z](file:///etc/passwd)",
  "a relative link": "[x](/pwned) [y](//pwned.example/x) [z](../pwned)",
  "a picture": "![x](/pwned) ![y](https://pwned.example/p.png) ![z](javascript:pwned()) ![w](data:image/svg+xml,<svg/onload=pwned()>)",
  "an attribute that is broken out of": '[x](https://a.example/"onmouseover="pwned()) [y](https://a.example "t\\"onclick=pwned() x=\\"")',
  "a language that is broken out of": '```"><img src=/pwned onerror=pwned()>\ncode\n```',
  "code with markup": "```html\n<script>pwned()</script><img src=/pwned onerror=pwned()>\n```\n`<script>pwned()</script>`",
  "SVG": "<svg onload=pwned()><script>pwned()</script><a xlink:href=javascript:pwned()><text>x</text></a></svg>",
  "an animation": '<svg><animate onbegin="pwned()" attributeName=x dur=1s /><set attributeName=href to=javascript:pwned() /></svg>',
  "a formula's link": '<math><maction actiontype="statusline" xlink:href="javascript:pwned()">x</maction></math>',
  "MathML": "<math><mtext><table><mglyph><style><!--</style><img title=\"--&gt;&lt;img src=/pwned onerror=pwned()&gt;\">",
  "a namespace confusion": "<math><mi><svg><p><style><g title=\"</style><img src=/pwned onerror=pwned()>\">",
  "frames, objects, forms": "<iframe src=/pwned srcdoc='<script>pwned()</script>'></iframe><object data=/pwned></object><embed src=/pwned><form action=/pwned><button formaction=javascript:pwned()>x</button></form>",
  "styles": "<style>@import '/pwned';body{display:none}</style><p style='background:url(/pwned)'>x</p><link rel=stylesheet href=/pwned>",
  "a base and a refresh": "<base href=/pwned/><meta http-equiv=refresh content='0;url=/pwned'>",
  "names that shadow": "<a id=question name=body>x</a><form id=composer></form><img name=getElementById>",
  "a template and noscript": "<template><script>pwned()</script></template><noscript><p title=\"</noscript><img src=/pwned onerror=pwned()>\">",
  "a comment": "<!--><img src=/pwned onerror=pwned()>--> <![CDATA[<script>pwned()</script>]]> <?php pwned() ?>",
  "entities": "&lt;script&gt;pwned()&lt;/script&gt; &#60;img src=/pwned onerror=pwned()&#62;",
  "markup in a table": "| a | b |\n| --- | --- |\n| <script>pwned()</script> | <img src=/pwned onerror=pwned()> |",
  "markup in headings and lists": "# <img src=/pwned onerror=pwned()>\n\n- <script>pwned()</script>\n  1. [x](javascript:pwned())",
  "broken Markdown": "**bold *both** not* [a](b [c](d) ```\n> > > - 1. # x\n| a |\n|--|--|--|\n\\\\*`` ` ``` ~~~\n***\n[![]()]()",
  "deep nesting": `${"> ".repeat(80)}deep\n\n${"- ".repeat(60)}deep ${"*".repeat(300)}x${"[".repeat(400)}`,
  "bidirectional and invisible characters": "\u202Egnp.exe\u202C \u200B\u2066x\u2069 \uFEFF",
};

const LONG = 100_000;
const CHUNKS = { "without a blank": "a".repeat(LONG), "of emphasis": "*a_".repeat(LONG / 3), "of brackets": "[".repeat(LONG), "of many scripts": `ok ${"अ😀x".repeat(LONG / 4)}`, "of code": `\`\`\`js\n${"x=1;".repeat(LONG / 4)}\n\`\`\`` };

async function open() {
  const page = await visit(it.browser, it.server.url);
  await page.context().exposeFunction("pwned", () => page.wrong.push("pwned() was called"));
  page.on("request", (request) => {
    if (/pwned/.test(request.url())) page.wrong.push(`fetched: ${request.url()}`);
  });
  return page;
}

/** Nothing in the answers may be anything but text, marked up. */
async function assertInert(page, name) {
  const found = await page.evaluate(() => {
    const allowed = new Set("a blockquote br button code del div em h1 h2 h3 h4 h5 h6 hr li ol p path pre span strong svg table tbody td th thead tr ul".split(" "));
    const wrong = [];
    for (const element of document.querySelectorAll(".answer-text *, .question-text *, .session-title *, .step-text *")) {
      const isOurs = element.closest(".copy-code") !== null;
      const tag = element.localName;
      if (!allowed.has(tag) || ((tag === "svg" || tag === "path" || tag === "button") && !isOurs)) wrong.push(`<${tag}>`);
      for (const { name, value } of element.attributes) {
        if (/^on|^style$|^id$|^name$|^src/.test(name)) wrong.push(`${tag} ${name}=${value}`);
        if (name === "href" && !/^(https?:|mailto:)/i.test(value)) wrong.push(`${tag} ${name}=${value}`);
      }
    }
    return wrong;
  });
  assert.deepEqual([...found, ...page.wrong], [], name);
}

test("hostile output stays inert while it grows, when it is whole, and in the history", async () => {
  const entries = Object.entries(CORPUS);
  it.upstream.play((question) => {
    const number = Number(/case (\d+)/.exec(question)?.[1] ?? 0);
    const [, output] = entries[number];
    return { analyze: output.slice(0, 300), think: output.slice(0, 300), output, pieceLength: 5 };
  });
  const page = await open();
  for (const [number, [name]] of entries.entries()) {
    await ask(page, `Say case ${number}`);
    await ended(page);
    await assertInert(page, name);
  }
  assert.equal(await page.locator(".turn").count(), entries.length);
  await page.reload();
  await ended(page);
  await assertInert(page, "the history");
  await page.locator(".answer-text a").evaluateAll((links) => links.forEach((link) => link.dispatchEvent(new Event("mouseover"))));
  await assertInert(page, "under the pointer");
  await page.context().close();
});

test("a question's markup is shown as it was typed", async () => {
  it.upstream.play(() => ({ output: "Theek." }));
  const page = await open();
  const question = '<img src=/pwned onerror=pwned()> [x](javascript:pwned())';
  await ask(page, question);
  await ended(page);
  assert.equal(await turn(page).locator(".question-text").innerText(), question);
  assert.equal(await page.locator(".session-title").innerText(), question.slice(0, 60));
  await assertInert(page, "the question");
  await page.context().close();
});

for (const [name, output] of Object.entries(CHUNKS)) {
  test(`a line of 100 kB ${name} does not hold up the page`, async () => {
    it.upstream.play(() => ({ output, pieceLength: 400 }));
    const page = await open();
    await ask(page, `A long line ${name}?`);
    await page.waitForFunction(() => !["waiting", "running"].includes(document.querySelector(".turn")?.dataset.state ?? "waiting"), null, { timeout: 20_000 });
    const started = Date.now();
    await page.locator("#question").fill("Still there?");
    assert.ok(Date.now() - started < 2000, `it took ${Date.now() - started} ms to take a word`);
    const widest = await page.locator("main > *").evaluateAll((all) => Math.max(...all.map((one) => one.getBoundingClientRect().right)));
    assert.ok(widest <= page.viewportSize().width, "the page is no wider than the window");
    assert.ok((await turn(page).locator(".answer-text").textContent()).length > LONG / 4);
    await assertInert(page, name);
    await page.context().close();
  });
}
