import { byId, h } from "../dom.js";

/** How long a word stays at most while the pointer or the focus is on it. */
export const HELD_MS = 60_000;

/**
 * A short word at the edge of the page that goes by itself, but not while somebody is at it.
 * @param {string} words
 * @param {object} [options]
 * @param {number} [options.milliseconds]
 * @param {{label: string, run: () => void}} [options.action]
 * @param {(milliseconds: number) => void} [options.onstay] It stays for so long from now on.
 * @param {() => void} [options.refocus] Gives the focus to something else: what had it is gone.
 * @returns {{focus(): void}}
 */
export function toast(words, { milliseconds = 5000, action, onstay, refocus = focusOnPage } = {}) {
  const element = h("div", { className: "toast" }, h("span", {}, words));
  let timer = setTimeout(leave, milliseconds);
  const stay = (longer) => {
    clearTimeout(timer);
    timer = setTimeout(leave, longer);
    onstay?.(longer);
  };
  function leave() {
    clearTimeout(timer);
    const hadFocus = element.contains(document.activeElement);
    element.remove();
    if (hadFocus) refocus();
  }
  for (const come of ["focusin", "pointerenter"]) element.addEventListener(come, () => stay(HELD_MS));
  for (const go of ["focusout", "pointerleave"]) {
    element.addEventListener(go, () => {
      if (element.isConnected) stay(milliseconds);
    });
  }
  const button = action && h("button", {
    type: "button", className: "toast-action",
    onclick: () => {
      leave();
      action.run();
    },
  }, action.label);
  if (button) element.append(button);
  byId("toasts").append(element);
  return { focus: () => button?.focus() };
}

function focusOnPage() {
  const scroller = byId("scroller");
  (scroller.closest("[inert]") ? byId("sidebar-close") : scroller).focus();
}
