import { h, icon } from "./dom.js";
import { clean } from "./markdown.js";

/** Longer code stays plain: colouring it would hold up the page. */
const MAX_COLOURED = 40_000;
const COPIED_MS = 1600;

/** @type {Promise<any> | null} */
let highlighter = null;

/** Fetched when the first code block is whole. */
function load() {
  highlighter ??= import("../../vendor/highlight.js").then((module) => module.default);
  return highlighter;
}

/**
 * Gives a `pre` its frame: the language and a button that copies the code.
 * @param {HTMLPreElement} pre
 */
export function frame(pre) {
  const code = pre.querySelector("code") ?? pre;
  const language = /language-(\S+)/.exec(code.className)?.[1] ?? "";
  const button = h(
    "button",
    { type: "button", className: "copy-code", "aria-label": "Copy the code" },
    icon("copy"),
    h("span", {}, "Copy"),
  );
  button.addEventListener("click", () => copied(button, code.textContent ?? ""));
  const box = h("div", { className: "code" }, h("div", { className: "code-head" }, h("span", {}, language || "text"), button));
  pre.replaceWith(box);
  pre.tabIndex = 0;
  pre.setAttribute("role", "region");
  pre.setAttribute("aria-label", `Code${language ? ` in ${language}` : ""}`);
  box.append(pre);
}

/**
 * Colours the framed code of an element that does not change any more.
 * @param {ParentNode} element
 */
export async function colour(element) {
  for (const code of element.querySelectorAll("pre > code[class*=language-]")) {
    const language = /language-(\S+)/.exec(code.className)?.[1].toLowerCase() ?? "";
    const text = code.textContent ?? "";
    if (text.length > MAX_COLOURED) continue;
    try {
      const highlight = await load();
      if (!highlight.getLanguage(language)) continue;
      const html = highlight.highlight(text, { language, ignoreIllegals: true }).value;
      const fragment = clean(html);
      // The colours must not change the code.
      if (fragment.textContent === text) code.replaceChildren(fragment);
    } catch {
      return;
    }
  }
}

/**
 * Copies, and says so on the button for a while.
 * @param {HTMLButtonElement} button
 * @param {string} text
 */
export async function copied(button, text) {
  const done = await toClipboard(text);
  const label = button.querySelector("span");
  const before = label?.textContent ?? "";
  button.querySelector("svg")?.replaceWith(icon(done ? "check" : "close"));
  if (label) label.textContent = done ? "Copied" : "Not copied";
  button.classList.toggle("done", done);
  setTimeout(() => {
    button.querySelector("svg")?.replaceWith(icon("copy"));
    if (label) label.textContent = before;
    button.classList.remove("done");
  }, COPIED_MS);
  return done;
}

/**
 * The clipboard API is there over HTTPS and on this machine only.
 * @param {string} text
 * @param {HTMLElement} [within] What can be selected: outside of an open dialog nothing is.
 */
export async function toClipboard(text, within = document.body) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    const area = h("textarea", { value: text, className: "visually-hidden" });
    within.append(area);
    area.select();
    const done = document.execCommand("copy");
    area.remove();
    return done;
  }
}
