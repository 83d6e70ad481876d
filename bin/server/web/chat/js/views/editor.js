import { h } from "../dom.js";
import { MAX_CHARACTERS, length } from "./composer.js";

/**
 * A question that is being changed.
 * @param {string} text
 * @param {{send: (content: string) => void, cancel: () => void}} actions
 */
export function editor(text, { send, cancel }) {
  const area = h("textarea", { value: text, rows: 2, "aria-label": "Your question" });
  const button = h("button", { type: "submit", className: "button" }, "Ask again");
  const form = h("form", { className: "editor" },
    area,
    h("div", { className: "dialog-buttons" },
      h("button", { type: "button", className: "button quiet", onclick: cancel }, "Cancel"),
      button),
  );
  const check = () => {
    const characters = length(area.value.trim());
    button.disabled = characters === 0 || characters > MAX_CHARACTERS;
  };
  area.addEventListener("input", check);
  area.addEventListener("keydown", (event) => {
    if (event.key === "Escape") cancel();
    if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
    event.preventDefault();
    form.requestSubmit();
  });
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    if (!button.disabled) send(area.value.trim());
  });
  return form;
}
