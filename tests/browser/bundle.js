/**
 * The chat page's own modules as one script, and its style sheets as one: a browser asks for six things at a time, and a page of
 * forty files is late on a slow way. `npm run bundle` writes them to where the binary takes them from.
 */

import { writeFile } from "node:fs/promises";
import { relative } from "node:path";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { build } from "esbuild";

export const WEB = fileURLToPath(new URL("../../bin/server/web", import.meta.url));
/** In the order in which they apply. */
const STYLES = ["theme", "layout", "sidebar", "composer", "overlays", "conversation", "answer", "empty", "comfort"];

/** What is vendored stays a file of its own, beside the folder of the bundles. @type {import("esbuild").Plugin} */
const vendored = {
  name: "vendored",
  setup({ onResolve }) {
    onResolve({ filter: /\/vendor\// }, ({ path }) => ({ path: path.replace(/^.*\/vendor\//, "../vendor/"), external: true }));
  },
};

/** @returns {Promise<{bundles: Record<string, string>, sources: string[]}>} by their names, and the files that they were made of */
export async function bundle() {
  const common = { absWorkingDir: WEB, bundle: true, minify: true, write: false, metafile: true };
  const styles = STYLES.map((name) => `@import "./chat/${name}.css";`).join("\n");
  const [script, style] = await Promise.all([
    build({ ...common, entryPoints: ["chat/js/main.js"], format: "esm", charset: "utf8", plugins: [vendored] }),
    build({ ...common, stdin: { contents: styles, loader: "css", resolveDir: WEB, sourcefile: "chat.css" }, charset: "utf8" }),
  ]);
  const sources = [script, style].flatMap(({ metafile }) => Object.keys(metafile.inputs)).filter((path) => path !== "chat.css");
  return { bundles: { "chat.js": script.outputFiles[0].text, "chat.css": style.outputFiles[0].text }, sources };
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  for (const [name, text] of Object.entries((await bundle()).bundles)) {
    const path = `${WEB}/bundles/${name}.gz`;
    const packed = gzipSync(text, { level: 9 });
    await writeFile(path, packed);
    console.log(`${relative(process.cwd(), path)}: ${text.length} characters, ${packed.length} bytes compressed`);
  }
}
