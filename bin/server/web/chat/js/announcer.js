import { h } from "./dom.js";

/** More lines than these are taken away from the front; they have been read. */
const KEPT_LINES = 20;

/** Tells screen readers what happens, in whole sentences: a token is no news. */
export class Announcer {
  #region;

  /** @param {HTMLElement} region A live region. */
  constructor(region) {
    this.#region = region;
  }

  /** @param {string} words */
  say(words) {
    const text = words.trim();
    if (text === "") return;
    this.#region.append(h("p", {}, text));
    while (this.#region.childElementCount > KEPT_LINES) this.#region.firstElementChild?.remove();
  }
}

/** Cuts a text that grows into sentences, leaving out the marks of Markdown, and code but for its mention. */
export class Sentences {
  #rest = "";
  #inCode = false;
  #say;

  /** @param {(sentence: string) => void} say */
  constructor(say) {
    this.#say = say;
  }

  /** @param {string} piece */
  push(piece) {
    this.#rest += piece;
    let end;
    while ((end = this.#rest.search(/\n|[.!?।…](?=\s)/)) >= 0) {
      this.#sentence(this.#rest.slice(0, end + 1));
      this.#rest = this.#rest.slice(end + 1);
    }
  }

  finish() {
    this.#sentence(this.#rest);
    this.#rest = "";
  }

  #sentence(text) {
    const line = text.trim();
    if (line.startsWith("```") || line.startsWith("~~~")) {
      this.#inCode = !this.#inCode;
      if (this.#inCode) this.#say(`Code${line.length > 3 ? ` in ${line.slice(3)}` : ""}.`);
      return;
    }
    const words = line.replace(/^(#+|>|[-*+]|\d+\.)\s+/, "").replace(/[*_`|]+/g, " ").replace(/\[([^\]]*)\]\([^)]*\)/g, "$1");
    if (!this.#inCode && /[\p{L}\p{N}]/u.test(words)) this.#say(words.replace(/\s+/g, " ").trim());
  }
}
