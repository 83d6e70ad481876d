import { byId, h } from "../dom.js";

/**
 * A short word at the edge of the page that goes by itself.
 * @param {string} words
 * @param {{milliseconds?: number, action?: {label: string, run: () => void}}} [options]
 */
export function toast(words, { milliseconds = 5000, action } = {}) {
  const element = h("div", { className: "toast" }, h("span", {}, words));
  if (action) {
    element.append(h("button", {
      type: "button", className: "toast-action",
      onclick: () => {
        element.remove();
        action.run();
      },
    }, action.label));
  }
  byId("toasts").append(element);
  setTimeout(() => element.remove(), milliseconds);
}
