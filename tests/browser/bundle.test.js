import assert from "node:assert/strict";
import { readFile, readdir } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { gunzipSync } from "node:zlib";
import { WEB, bundle } from "./bundle.js";

test("what the binary serves is made of the sources as they are", async () => {
  for (const [name, text] of Object.entries((await bundle()).bundles)) {
    const served = gunzipSync(await readFile(join(WEB, "bundles", `${name}.gz`))).toString();
    assert.ok(served === text, `${name} is older than its sources: npm run bundle`);
  }
});

test("every source of the chat page is in a bundle", async () => {
  const { sources } = await bundle();
  const there = await readdir(join(WEB, "chat"), { recursive: true });
  // It runs before the first paint, and the dashboard has it too.
  const alone = "js/theme-early.js";
  const expected = there.filter((name) => /\.(js|css)$/.test(name) && name !== alone).map((name) => `chat/${name}`);
  assert.deepEqual(sources.sort(), [...expected, "hitesh-client.js"].sort());
});
