import { h } from "../dom.js";

const MARGIN = 8;

/**
 * A menu beside the button that opens it, for pointer, touch and arrow keys.
 * @param {HTMLButtonElement} button
 * @param {{label: string, action: () => void, isDangerous?: boolean}[]} items
 */
export function openMenu(button, items) {
  const close = () => {
    const hadFocus = menu.contains(document.activeElement);
    menu.remove();
    if (hadFocus) button.focus();
    button.setAttribute("aria-expanded", "false");
    document.removeEventListener("pointerdown", outside, true);
    removeEventListener("resize", close);
  };
  const outside = (event) => {
    if (!menu.contains(event.target)) close();
  };
  const choices = items.map(({ label, action, isDangerous }) =>
    h("button", {
      type: "button", role: "menuitem", tabIndex: -1, className: isDangerous ? "dangerous" : "",
      onclick: () => {
        close();
        action();
      },
    }, label));
  const menu = h("div", { className: "menu", role: "menu", "aria-label": button.getAttribute("aria-label") ?? "" }, ...choices);
  menu.addEventListener("keydown", (event) => {
    const at = choices.indexOf(/** @type {HTMLButtonElement} */ (document.activeElement));
    const to = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: -1 }[event.key];
    if (to !== undefined) choices.at(to % choices.length)?.focus();
    else if (event.key === "Escape" || event.key === "Tab") {
      close();
    } else return;
    if (event.key !== "Tab") event.preventDefault();
    event.stopPropagation();
  });
  // In the landmark that the button is in.
  (button.closest("aside, main") ?? document.body).append(menu);
  const place = button.getBoundingClientRect();
  const size = menu.getBoundingClientRect();
  const top = place.bottom + size.height + MARGIN > innerHeight ? place.top - size.height : place.bottom;
  menu.style.top = `${Math.max(top, MARGIN)}px`;
  menu.style.left = `${Math.max(MARGIN, Math.min(place.left, innerWidth - size.width - MARGIN))}px`;
  button.setAttribute("aria-expanded", "true");
  document.addEventListener("pointerdown", outside, true);
  addEventListener("resize", close);
  choices[0]?.focus();
}
