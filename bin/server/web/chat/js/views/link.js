import { toClipboard } from "../code.js";
import { h } from "../dom.js";
import { givenAway } from "../words.js";

/**
 * Says what a link gives away, and copies it then.
 * @param {string} link
 * @param {import("../links.js").Sharing} sharing
 * @param {() => void} oncopied
 */
export function offerLink(link, sharing, oncopied) {
  const field = h("input", { type: "text", id: "link", value: link, readOnly: true, spellcheck: false });
  const problem = h("p", { className: "link-problem", role: "alert" });
  const form = h("form", {},
    h("h2", { id: "link-title" }, "Copy a link to this chat?"),
    h("p", {}, givenAway(sharing)),
    h("label", { htmlFor: "link" }, "The link"),
    field,
    problem,
    h("div", { className: "dialog-buttons" },
      h("button", { type: "button", className: "button quiet", onclick: () => dialog.close() }, "Cancel"),
      h("button", { type: "submit", className: "button", autofocus: true }, "Copy link")),
  );
  const dialog = h("dialog", { className: "dialog", "aria-labelledby": "link-title" }, form);
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    if (await toClipboard(link, dialog)) {
      dialog.close();
      oncopied();
      return;
    }
    problem.textContent = "The browser did not let the page copy it. Copy it from the field.";
    field.focus();
    field.select();
  });
  dialog.addEventListener("close", () => dialog.remove());
  document.body.append(dialog);
  dialog.showModal();
}
