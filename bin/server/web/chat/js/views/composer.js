import { byId, icon } from "../dom.js";
import { ofTab } from "../storage.js";

/** The server's limit, in Unicode scalar values. */
export const MAX_CHARACTERS = 2000;
/** From here on the counter is shown. */
const COUNTED_FROM = 1700;

/** @param {string} text */
export function length(text) {
  return text.length <= COUNTED_FROM ? text.length : [...text].length;
}

/** Where questions are written. */
export class Composer {
  #form = /** @type {HTMLFormElement} */ (byId("composer"));
  #area = /** @type {HTMLTextAreaElement} */ (byId("question"));
  #send = /** @type {HTMLButtonElement} */ (byId("send"));
  #counter = byId("counter");
  #draft = ofTab("hitesh.draft");
  #isRunning = false;
  #isReady = true;
  /** Whether what is written is to be sent as soon as it can be. */
  #isSent = false;
  #chat = "";
  #actions;

  /** @param {{ask: (content: string) => void, stop: () => void, editLast: () => void}} actions */
  constructor(actions) {
    this.#actions = actions;
    this.#area.value = this.#draft.read("");
    this.#send.append(icon("send"));
    this.#form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.#submit();
    });
    this.#area.addEventListener("input", () => this.#changed());
    this.#area.addEventListener("keydown", (event) => this.#key(event));
    this.#changed();
  }

  #key(event) {
    if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
      event.preventDefault();
      if (!this.#isRunning) this.#submit();
    } else if (event.key === "Escape" && this.#isRunning) {
      this.#actions.stop();
    } else if (event.key === "ArrowUp" && this.#area.value === "" && !this.#isRunning) {
      event.preventDefault();
      this.#actions.editLast();
    }
  }

  #submit() {
    if (this.#isRunning) {
      this.#actions.stop();
      return;
    }
    const content = this.#area.value.trim();
    const characters = length(content);
    if (characters === 0 || characters > MAX_CHARACTERS) return;
    this.#isSent = !this.#isReady;
    if (this.#isSent) return;
    this.#area.value = "";
    this.#changed();
    this.#actions.ask(content);
  }

  #changed() {
    this.#isSent = false;
    const { value } = this.#area;
    this.#draft.write(value === "" ? undefined : value);
    this.#area.style.height = "auto";
    this.#area.style.height = `${Math.min(this.#area.scrollHeight, innerHeight * 0.4)}px`;
    const characters = length(value.trim());
    const left = MAX_CHARACTERS - characters;
    this.#counter.textContent =
      characters < COUNTED_FROM ? "" : left >= 0 ? `${characters} of ${MAX_CHARACTERS}` : `${-left} too many`;
    this.#counter.classList.toggle("over", left < 0);
    this.#area.setAttribute("aria-invalid", String(left < 0));
    this.#showButton();
  }

  #showButton() {
    const characters = length(this.#area.value.trim());
    // Not `disabled`, which would take the focus away from it.
    this.#send.disabled = false;
    this.#send.setAttribute("aria-disabled", String(!this.#isRunning && (characters === 0 || characters > MAX_CHARACTERS)));
    this.#send.classList.toggle("stop", this.#isRunning);
    const label = this.#isRunning ? "Stop" : "Send";
    if (this.#send.getAttribute("aria-label") === label) return;
    this.#send.setAttribute("aria-label", label);
    this.#send.title = label;
    this.#send.replaceChildren(icon(this.#isRunning ? "stop" : "send"));
  }

  /** @param {boolean} isRunning Whether an answer is being made: then the button stops it. */
  set running(isRunning) {
    this.#isRunning = isRunning;
    this.#showButton();
  }

  /**
   * What is asked has to come after what was said before.
   * @param {string} chat The one that questions go to.
   * @param {boolean} isReady Whether what was said in it is here.
   */
  wait(chat, isReady) {
    // It was meant for another one.
    if (chat !== this.#chat) this.#isSent = false;
    this.#chat = chat;
    this.#isReady = isReady;
    if (isReady && this.#isSent && !this.#isRunning) this.#submit();
  }

  focus() {
    this.#area.focus();
  }

  /** On a device with a keyboard of its own: on others it would push up one on the screen. @returns {boolean} whether it did */
  focusIfKeyboard() {
    const hasKeyboard = matchMedia("(hover: hover) and (pointer: fine)").matches;
    if (hasKeyboard) this.focus();
    return hasKeyboard;
  }
}
