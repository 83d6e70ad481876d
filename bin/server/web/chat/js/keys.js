import { h } from "./dom.js";
import { apiKey, keepApiKey } from "./preferences.js";

/** Asks for an API key when the server wants one, once for all who need it at that moment. */
export class Keys {
  /** @type {Promise<boolean> | null} */
  #asking = null;

  /** @template T @param {() => Promise<T>} work Done again when a key was given. @returns {Promise<T>} */
  async unlocking(work) {
    try {
      return await work();
    } catch (error) {
      if (error.code !== "unauthorized" || !(await this.ask())) throw error;
      return work();
    }
  }

  /** @returns {Promise<boolean>} whether a key was given */
  ask() {
    this.#asking ??= show(apiKey() !== null).finally(() => {
      this.#asking = null;
    });
    return this.#asking;
  }
}

/** @param {boolean} hadOne @returns {Promise<boolean>} */
function show(hadOne) {
  const input = h("input", { type: "password", id: "api-key", autocomplete: "off", required: true, spellcheck: false });
  const remember = h("input", { type: "checkbox", id: "remember-key" });
  const form = h("form", { className: "key-form" },
    h("h2", { id: "key-title" }, hadOne ? "That key was not accepted" : "This server wants an API key"),
    h("p", {}, "Whoever runs the server gives it to you. It is kept in this tab, and sent to this server only."),
    h("label", { htmlFor: "api-key" }, "API key"),
    input,
    h("label", { className: "check" }, remember, "Remember it on this device"),
    h("div", { className: "dialog-buttons" },
      h("button", { type: "button", className: "button quiet", onclick: () => dialog.close() }, "Not now"),
      h("button", { type: "submit", className: "button" }, "Use this key")),
  );
  const dialog = h("dialog", { className: "dialog", "aria-labelledby": "key-title" }, form);
  document.body.append(dialog);
  dialog.showModal();
  return new Promise((resolve) => {
    let given = false;
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      keepApiKey(input.value.trim(), remember.checked);
      given = true;
      dialog.close();
    });
    dialog.addEventListener("close", () => {
      dialog.remove();
      resolve(given);
    });
  });
}
