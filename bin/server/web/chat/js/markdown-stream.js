import { colour, frame } from "./code.js";
import { blocks, rendered } from "./markdown.js";

/**
 * What follows a block has to be as long as this, or hold a line break, before the block counts as closed: "2" may still
 * become the next point of a list.
 */
const CERTAINTY = 8;
/** A block that takes long to draw is drawn more rarely: this many times its own cost passes in between. */
const COST_FACTOR = 6;

/**
 * Markdown that grows. Closed blocks are drawn once; only the open one is drawn again, and of an open code block only the
 * new text is appended.
 */
export class MarkdownStream {
  #element;
  #text = "";
  /** Where the open block begins. */
  #open = 0;
  /** @type {ChildNode[]} the nodes of the open block */
  #nodes = [];
  /** @type {{text: Text, shown: string} | null} the text of an open code block */
  #code = null;
  #dirty = false;
  #notBefore = 0;

  /** @param {HTMLElement} element */
  constructor(element) {
    this.#element = element;
  }

  get text() {
    return this.#text;
  }

  /** @param {string} piece */
  push(piece) {
    // The lexer counts a line's end as one character.
    this.#text += piece.replaceAll("\r", "");
    this.#dirty = true;
  }

  reset() {
    this.#text = "";
    this.#open = 0;
    this.#nodes = [];
    this.#code = null;
    this.#dirty = false;
    this.#element.replaceChildren();
  }

  /** Draws what came, at most once a frame. @param {number} now @returns {boolean} whether something is left to draw */
  draw(now) {
    if (!this.#dirty) return false;
    if (now < this.#notBefore) return true;
    const started = performance.now();
    this.#drawTail();
    this.#dirty = false;
    const cost = performance.now() - started;
    this.#notBefore = cost > 4 ? now + cost * COST_FACTOR : 0;
    return false;
  }

  /** Draws the rest; what is drawn now is what the whole text would give at once. */
  finish() {
    this.#code = null;
    const whole = rendered(blocks(this.#text));
    framed(whole);
    const same = whole.textContent === this.#element.textContent && sameShape(whole, this.#element);
    if (!same) keepingFocus(this.#element, () => this.#element.replaceChildren(whole));
    this.#open = this.#text.length;
    this.#nodes = [];
    this.#dirty = false;
    return colour(this.#element);
  }

  #drawTail() {
    const tail = this.#text.slice(this.#open);
    const tokens = blocks(tail);
    let closed = 0;
    let after = 0;
    for (let index = tokens.length - 1; index > 0; index -= 1) {
      if (tokens[index].type === "space") continue;
      after += tokens[index].raw.length;
      if (after >= CERTAINTY || tokens[index].raw.includes("\n")) {
        closed = index;
        break;
      }
    }
    const done = tokens.slice(0, closed);
    const raw = done.map((token) => token.raw).join("");
    if (closed > 0 && tail.startsWith(raw)) {
      const fragment = rendered(done);
      framed(fragment);
      const nodes = [...fragment.childNodes];
      this.#replaceOpen(fragment);
      this.#nodes = [];
      this.#open += raw.length;
      for (const node of nodes) if (node instanceof Element && node.querySelector("pre")) colour(node);
      this.#drawOpen(tokens.slice(closed));
    } else {
      this.#drawOpen(tokens);
    }
  }

  #drawOpen(tokens) {
    const [only] = tokens;
    const isCode = only?.type === "code" && tokens.length === 1;
    if (isCode && this.#code && only.text.startsWith(this.#code.shown)) {
      this.#code.text.appendData(only.text.slice(this.#code.shown.length));
      this.#code.shown = only.text;
      return;
    }
    const fragment = rendered(tokens);
    framed(fragment);
    const nodes = [...fragment.childNodes];
    this.#replaceOpen(fragment);
    this.#nodes = nodes;
    const text = isCode ? this.#element.lastElementChild?.querySelector("code")?.firstChild : null;
    this.#code = text instanceof Text ? { text, shown: only.text } : null;
  }

  #replaceOpen(fragment) {
    keepingFocus(this.#element, () => {
      for (const node of this.#nodes) node.remove();
      this.#element.append(fragment);
    });
    this.#code = null;
  }
}

/** Draws anew, and gives the focus to what stands for the one that had it. @param {HTMLElement} element @param {() => void} draw */
function keepingFocus(element, draw) {
  const focused = element.contains(document.activeElement) ? document.activeElement : null;
  const stops = () => /** @type {HTMLElement[]} */ ([...element.querySelectorAll("a, button, [tabindex]")]);
  const at = focused ? stops().indexOf(/** @type {HTMLElement} */ (focused)) : -1;
  draw();
  if (!focused || focused.isConnected) return;
  (stops()[at] ?? /** @type {HTMLElement | null} */ (element.closest("article")))?.focus({ preventScroll: true });
}

/** Markdown that is whole. @param {HTMLElement} element @param {string} text */
export function drawWhole(element, text) {
  const fragment = rendered(blocks(text));
  framed(fragment);
  element.replaceChildren(fragment);
  if (element.querySelector("pre")) colour(element);
}

/** @param {DocumentFragment} fragment */
function framed(fragment) {
  for (const pre of fragment.querySelectorAll("pre")) frame(pre);
}

/** Whether both have the same elements, colours of code aside. */
function sameShape(one, other) {
  const shape = (root) => [...root.querySelectorAll(":not(pre *)")].map((element) => element.tagName).join();
  return shape(one) === shape(other);
}
