/**
 * A model's Markdown as DOM that can't run anything: raw HTML is shown as the text that it is, what the renderer makes is
 * cleaned by an allow list, and the page's Content-Security-Policy stands behind both.
 */

import DOMPurify from "../../vendor/dompurify.js";
import { Lexer, Marked } from "../../vendor/marked.js";

/**
 * A paragraph longer than this is shown as it is: the time that emphasis takes to find grows with the square of the length,
 * and a model that lost its way writes a hundred thousand asterisks.
 */
const MAX_INLINE = 4000;
/** Where a link may lead. */
const SAFE_LINK = /^(https?:|mailto:)/i;

const CLEAN = {
  ALLOWED_TAGS: [
    "a", "blockquote", "br", "code", "del", "em", "h1", "h2", "h3", "h4", "h5", "h6", "hr", "li", "ol", "p", "pre", "span",
    "strong", "table", "tbody", "td", "th", "thead", "tr", "ul",
  ],
  ALLOWED_ATTR: ["align", "class", "href", "start", "title"],
  ALLOWED_URI_REGEXP: SAFE_LINK,
  ADD_URI_SAFE_ATTR: ["align", "start"],
  ALLOW_DATA_ATTR: false,
  ALLOW_ARIA_ATTR: false,
  RETURN_DOM_FRAGMENT: true,
};

const escaped = (text) =>
  text.replace(/[&<>"']/g, (found) => ({ "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#39;" })[found]);

const marked = new Marked({
  gfm: true,
  breaks: true,
  renderer: {
    html: ({ text }) => (/^<br\s*\/?>$/i.test(text.trim()) ? "<br>" : escaped(text)),
    // A picture would be fetched: from elsewhere the policy forbids it, from here it makes no sense.
    image({ href, text }) {
      return SAFE_LINK.test(href) ? `<a href="${escaped(href)}">${escaped(text || href)}</a>` : escaped(text);
    },
    link({ href, title, tokens }) {
      const words = this.parser.parseInline(tokens);
      if (!SAFE_LINK.test(href)) return words;
      return `<a href="${escaped(href)}"${title ? ` title="${escaped(title)}"` : ""}>${words}</a>`;
    },
    checkbox: ({ checked }) => (checked ? "☑ " : "☐ "),
    code({ text, lang }) {
      const language = /^[\w+#.-]{1,30}/.exec(lang ?? "")?.[0] ?? "";
      return `<pre><code${language ? ` class="language-${escaped(language)}"` : ""}>${escaped(text)}</code></pre>`;
    },
  },
});

/** The blocks of a text. @param {string} text @returns {import("marked").Token[]} */
export function blocks(text) {
  const lexer = new Lexer(marked.defaults);
  lexer.blockTokens(text, lexer.tokens);
  for (const { src, tokens } of lexer.inlineQueue) {
    if (src.length > MAX_INLINE) tokens.push({ type: "text", raw: src, text: src, escaped: false });
    else lexer.inlineTokens(src, tokens);
  }
  return lexer.tokens;
}

/**
 * Blocks as clean DOM. Code blocks get their frame: language and copy button.
 * @param {import("marked").Token[]} tokens
 * @returns {DocumentFragment}
 */
export function rendered(tokens) {
  const fragment = clean(marked.parser(tokens));
  for (const link of fragment.querySelectorAll("a")) {
    link.rel = "noopener noreferrer nofollow";
    link.target = "_blank";
  }
  for (const table of fragment.querySelectorAll("table")) {
    const frame = document.createElement("div");
    frame.className = "table-frame";
    frame.tabIndex = 0;
    frame.setAttribute("role", "region");
    frame.setAttribute("aria-label", "Table");
    table.replaceWith(frame);
    frame.append(table);
  }
  return fragment;
}

/** @param {string} html @returns {DocumentFragment} */
export function clean(html) {
  return /** @type {any} */ (DOMPurify.sanitize(html, CLEAN));
}
