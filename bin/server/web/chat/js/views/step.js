import { h, icon } from "../dom.js";
import { chooseFold, fold } from "../preferences.js";

/**
 * A quiet line above the answer that unfolds: open while its step grows, folded when the answer starts, unless the reader
 * has chosen otherwise before.
 */
export class StepLine {
  #step;
  #name = h("span", { className: "step-name" });
  #preview = h("span", { className: "step-preview", "aria-hidden": "true" });
  #text = document.createTextNode("");
  #fresh = "";
  #growing = false;
  #ask;
  /** Whether the text is still to be asked for. */
  #isUnknown = false;

  /** @param {"analyze" | "think"} step @param {() => void} ask Fetches the text of a turn of the past. */
  constructor(step, ask) {
    this.#step = step;
    this.#ask = ask;
    const summary = h("summary", {}, icon("fold"), this.#name, this.#preview);
    const body = h("p", { className: "step-text", dir: "auto" });
    body.append(this.#text);
    this.element = h("details", { className: "step", hidden: true }, summary, body);
    summary.addEventListener("click", () => this.#chosen(!this.element.open));
    this.element.addEventListener("toggle", () => {
      if (this.element.open && this.#isUnknown) this.#ask();
    });
  }

  /** @param {string} name */
  name(name) {
    if (this.#name.textContent !== name) this.#name.textContent = name;
  }

  /** @param {string} piece */
  push(piece) {
    if (!this.#growing) {
      this.#growing = true;
      this.element.hidden = false;
      this.element.classList.add("growing");
      this.element.open = fold(this.#step) !== "closed";
    }
    this.#fresh += piece;
  }

  draw() {
    if (this.#fresh === "") return;
    this.#text.appendData(this.#fresh);
    this.#fresh = "";
  }

  /** @param {string} content */
  finish(content) {
    this.#growing = false;
    this.#isUnknown = false;
    this.#fresh = "";
    this.element.classList.remove("growing");
    this.element.hidden = content === "";
    if (this.#text.data !== content) this.#text.data = content;
    this.#preview.textContent = content.replace(/\s+/g, " ").slice(0, 160);
  }

  answerBegan() {
    if (this.element.hidden) return;
    this.element.classList.remove("growing");
    this.element.open = fold(this.#step) === "open";
  }

  reset() {
    this.#growing = false;
    this.#fresh = "";
    this.#text.data = "";
    this.element.hidden = true;
  }

  /** Of a turn whose steps are not here; they are fetched when somebody looks. */
  past() {
    this.#isUnknown = true;
    this.element.hidden = false;
    this.#text.data = "…";
    this.#preview.textContent = "";
  }

  /** The reader's own hand is remembered; to take a choice back is to have none. */
  #chosen(isOpen) {
    const before = fold(this.#step);
    if (isOpen) chooseFold(this.#step, before === "closed" ? "auto" : this.#growing ? before : "open");
    else chooseFold(this.#step, before === "open" ? "auto" : this.#growing ? "closed" : before);
  }
}
