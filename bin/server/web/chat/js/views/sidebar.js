import { byId, h, icon, iconButton } from "../dom.js";
import { chooseTheme, theme } from "../preferences.js";
import { dayWords } from "../words.js";
import { openMenu } from "./menu.js";

/**
 * @typedef {object} SidebarActions
 * @property {() => void} begin
 * @property {(id: string) => void} open
 * @property {(id: string, title: string) => void} rename
 * @property {(id: string) => void} erase
 * @property {(id: string, form: "md" | "json") => void} save
 * @property {() => {current: string, running: Set<string>}} where
 */

/** The list of this browser's chats; on a small screen it slides in. */
export class Sidebar {
  #sessions;
  #actions;
  #element = byId("sidebar");
  #list = byId("sessions");
  #search = /** @type {HTMLInputElement} */ (byId("search"));
  #opener = byId("sidebar-open");
  #narrow = matchMedia("(max-width: 52rem)");

  /** @param {import("../sessions.js").SessionList} sessions @param {SidebarActions} actions */
  constructor(sessions, actions) {
    this.#sessions = sessions;
    this.#actions = actions;
    byId("new-chat").prepend(icon("plus"));
    byId("new-chat").addEventListener("click", () => {
      this.close();
      actions.begin();
    });
    this.#opener.append(icon("menu"));
    this.#opener.addEventListener("click", () => this.#open());
    byId("sidebar-close").append(icon("close"));
    byId("sidebar-close").addEventListener("click", () => this.close());
    byId("scrim").addEventListener("click", () => this.close());
    this.#element.addEventListener("keydown", (event) => {
      if (event.key === "Escape") this.close();
    });
    this.#search.addEventListener("input", () => this.show());
    this.#narrow.addEventListener("change", () => this.close());
    sessions.addEventListener("change", () => this.show());
    this.#themes();
    this.close();
    this.show();
  }

  #open() {
    document.body.classList.add("sidebar-shown");
    this.#element.inert = false;
    byId("scrim").hidden = false;
    document.querySelector("main")?.toggleAttribute("inert", true);
    this.#opener.setAttribute("aria-expanded", "true");
    byId("sidebar-close").focus();
  }

  close() {
    const wasOpen = document.body.classList.contains("sidebar-shown");
    document.body.classList.remove("sidebar-shown");
    this.#element.inert = this.#narrow.matches;
    byId("scrim").hidden = true;
    document.querySelector("main")?.toggleAttribute("inert", false);
    this.#opener.setAttribute("aria-expanded", "false");
    if (wasOpen) this.#opener.focus();
  }

  show() {
    // A title that is being written is not taken away.
    if (this.#list.querySelector(".rename")) return;
    const { current, running } = this.#actions.where();
    const found = this.#sessions.list(this.#search.value);
    const focused = /** @type {HTMLElement | null} */ (document.activeElement)?.dataset?.session;
    const groups = Map.groupBy ? Map.groupBy(found, (session) => dayWords(session.updatedAt)) : grouped(found);
    const parts = [...groups].map(([day, sessions]) =>
      h("section", {},
        h("h2", { className: "day" }, day),
        h("ul", {}, ...sessions.map((session) => this.#item(session, session.id === current, running.has(session.id))))));
    const none = this.#search.value ? "No chat has these words in its title." : "Your chats will be listed here. They stay in this browser.";
    this.#list.replaceChildren(...(parts.length ? parts : [h("p", { className: "none" }, none)]));
    if (focused) /** @type {HTMLElement | null} */ (this.#list.querySelector(`[data-session="${CSS.escape(focused)}"]`))?.focus();
  }

  #item(session, isCurrent, isRunning) {
    const open = h("button", {
      type: "button", className: "session", title: session.title,
      onclick: () => {
        this.close();
        this.#actions.open(session.id);
      },
    }, h("span", { className: "session-title", dir: "auto" }, session.title));
    open.dataset.session = session.id;
    if (isCurrent) open.setAttribute("aria-current", "page");
    if (isRunning) open.append(h("span", { className: "running", role: "img", "aria-label": "answering" }));
    const more = iconButton("more", `Actions for ${session.title}`, () =>
      openMenu(more, [
        { label: "Rename", action: () => this.#rename(session, item) },
        { label: "Save as Markdown", action: () => this.#actions.save(session.id, "md") },
        { label: "Save as JSON", action: () => this.#actions.save(session.id, "json") },
        { label: "Delete", isDangerous: true, action: () => this.#actions.erase(session.id) },
      ]));
    more.title = "Actions";
    more.setAttribute("aria-haspopup", "menu");
    more.setAttribute("aria-expanded", "false");
    const item = h("li", { className: isCurrent ? "current" : "" }, open, more);
    return item;
  }

  #rename(session, item) {
    const input = h("input", { className: "rename", value: session.title, maxLength: 100, "aria-label": "New title" });
    let isDone = false;
    const done = (isKept) => {
      if (isDone) return;
      isDone = true;
      const title = input.value.trim();
      input.remove();
      if (isKept && title) this.#actions.rename(session.id, title);
      this.show();
      /** @type {HTMLElement | null} */ (this.#list.querySelector(`[data-session="${CSS.escape(session.id)}"]`))?.focus();
    };
    input.addEventListener("keydown", (event) => {
      event.stopPropagation();
      if (event.key === "Enter" && !event.isComposing) done(true);
      if (event.key === "Escape") done(false);
    });
    input.addEventListener("blur", () => done(true));
    item.replaceChildren(input);
    input.focus();
    input.select();
  }

  #themes() {
    const names = { light: "Light", dark: "Dark", system: "As the system" };
    const radios = Object.entries(names).map(([value, label]) => {
      const radio = h("input", { type: "radio", name: "theme", value, checked: theme() === value });
      radio.addEventListener("change", () => chooseTheme(/** @type {any} */ (value)));
      return h("label", { className: "theme", title: label }, radio, icon(/** @type {any} */ (value)),
        h("span", { className: "visually-hidden" }, label));
    });
    byId("themes").append(...radios);
  }
}

function grouped(sessions) {
  const groups = new Map();
  for (const session of sessions) {
    const day = dayWords(session.updatedAt);
    groups.set(day, [...(groups.get(day) ?? []), session]);
  }
  return groups;
}
