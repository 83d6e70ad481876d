import { byId, h, icon, iconButton } from "../dom.js";
import { chooseTheme, theme } from "../preferences.js";
import { dayWords } from "../words.js";
import { openMenu } from "./menu.js";

/**
 * @typedef {object} Item A chat in the list.
 * @property {HTMLLIElement} element
 * @property {HTMLButtonElement} open
 * @property {HTMLButtonElement} more
 * @property {HTMLElement} title
 * @property {HTMLElement} running
 *
 * @typedef {object} SidebarActions
 * @property {() => void} begin
 * @property {(id: string) => void} open
 * @property {(id: string, title: string) => void} rename
 * @property {(id: string) => void} erase
 * @property {(id: string, form: "md" | "json") => void} save
 * @property {((id: string) => void) | null} link Null where links are not allowed.
 * @property {(id: string) => void} forget
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
  /** By session. @type {Map<string, Item>} */
  #items = new Map();
  /** The sessions that are shown, in their order. @type {string[]} */
  #order = [];
  /** What the list looks like. */
  #layout = "";

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
      // The search is emptied by the browser first.
      const isEmptying = event.target === this.#search && this.#search.value !== "";
      if (event.key === "Escape" && !isEmptying) this.close();
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
    this.#setRestInert(true);
    // What is said meanwhile is said here: nothing else can be reached.
    this.#element.querySelector(".sidebar-foot")?.before(byId("toasts"));
    this.#opener.setAttribute("aria-expanded", "true");
    byId("sidebar-close").focus();
  }

  close() {
    const wasOpen = document.body.classList.contains("sidebar-shown");
    document.body.classList.remove("sidebar-shown");
    this.#setRestInert(false);
    if (wasOpen) {
      byId("composer").before(byId("toasts"));
      (this.#narrow.matches ? this.#opener : byId("new-chat")).focus();
    }
    this.#element.inert = this.#narrow.matches;
    byId("scrim").hidden = true;
    this.#opener.setAttribute("aria-expanded", "false");
  }

  #setRestInert(isInert) {
    for (const one of document.querySelectorAll("main, .skip")) one.toggleAttribute("inert", isInert);
  }

  /** Gives a chat's place in the list the focus, or what is nearest to it. @param {string} id */
  focus(id) {
    if (this.#element.inert) this.#opener.focus();
    else (this.#items.get(id)?.open ?? byId("new-chat")).focus();
  }

  show() {
    // A title that is being written is not taken away.
    if (this.#list.querySelector(".rename")) return;
    const { current, running } = this.#actions.where();
    const found = this.#sessions.list(this.#search.value);
    const focused = /** @type {HTMLElement | null} */ (this.#list.contains(document.activeElement) ? document.activeElement : null);
    const place = focused ? this.#order.findIndex((id) => this.#items.get(id)?.element.contains(focused)) : -1;
    for (const session of found) this.#update(session, session.id === current, running.has(session.id));
    const groups = Map.groupBy ? Map.groupBy(found, (session) => dayWords(session.updatedAt)) : grouped(found);
    const parts = [...groups].map(([day, sessions]) => ({ day, ids: sessions.map(({ id }) => id) }));
    const layout = JSON.stringify([parts, this.#search.value]);
    if (layout === this.#layout) return;
    this.#layout = layout;
    this.#order = found.map(({ id }) => id);
    const none = this.#search.value ? "No chat has these words in its title." : "Your chats will be listed here. They stay in this browser.";
    this.#list.replaceChildren(...(parts.length ? parts.map((part) => this.#section(part)) : [h("p", { className: "none" }, none)]));
    if (!focused) return;
    if (focused.isConnected) focused.focus();
    // The next one has taken its place, unless it was the last.
    else this.focus(this.#order[Math.min(Math.max(place, 0), this.#order.length - 1)] ?? "");
  }

  #section({ day, ids }) {
    const items = ids.flatMap((id) => this.#items.get(id)?.element ?? []);
    return h("section", {}, h("h2", { className: "day" }, day), h("ul", {}, ...items));
  }

  /** Items stay the same elements as long as their chat does: they may have the focus, or a menu. */
  #update(session, isCurrent, isRunning) {
    const item = this.#items.get(session.id) ?? this.#item(session.id);
    this.#items.set(session.id, item);
    item.element.classList.toggle("current", isCurrent);
    if (isCurrent) item.open.setAttribute("aria-current", "page");
    else item.open.removeAttribute("aria-current");
    if (isRunning) item.open.append(item.running);
    else item.running.remove();
    if (item.title.textContent === session.title) return;
    item.title.textContent = session.title;
    item.open.title = session.title;
    item.more.setAttribute("aria-label", `Actions for ${session.title}`);
  }

  /** @param {string} id @returns {Item} */
  #item(id) {
    const title = h("span", { className: "session-title", dir: "auto" });
    const running = h("span", { className: "running", role: "img", "aria-label": "answering" });
    const open = h("button", {
      type: "button", className: "session",
      onclick: () => {
        this.close();
        this.#actions.open(id);
      },
    }, title);
    open.dataset.session = id;
    const more = iconButton("more", "Actions", () => openMenu(more, this.#choices(id)));
    more.setAttribute("aria-haspopup", "menu");
    more.setAttribute("aria-expanded", "false");
    return { element: h("li", {}, open, more), open, more, title, running };
  }

  #choices(id) {
    const { link, save, forget, erase } = this.#actions;
    // What came by a link is somebody else's too.
    const byLink = this.#sessions.get(id)?.byLink;
    return [
      { label: "Rename", action: () => this.#rename(id) },
      ...(link ? [{ label: "Copy link", action: () => link(id) }] : []),
      { label: "Save as Markdown", action: () => save(id, "md") },
      { label: "Save as JSON", action: () => save(id, "json") },
      ...(byLink ? [{ label: "Remove from this list", action: () => forget(id) }] : []),
      { label: byLink ? "Delete for everybody" : "Delete", isDangerous: true, action: () => erase(id) },
    ];
  }

  #rename(id) {
    const item = this.#items.get(id);
    if (!item?.element.isConnected) return;
    const input = h("input", { className: "rename", value: item.title.textContent, maxLength: 100, "aria-label": "New title" });
    let isDone = false;
    const done = (isKept, isByKey) => {
      if (isDone) return;
      isDone = true;
      const title = input.value.trim();
      item.element.replaceChildren(item.open, item.more);
      if (isKept && title) this.#actions.rename(id, title);
      this.show();
      // Whoever went elsewhere is there.
      if (isByKey) this.focus(id);
    };
    input.addEventListener("keydown", (event) => {
      event.stopPropagation();
      const isKept = event.key === "Enter" && !event.isComposing;
      if (!isKept && event.key !== "Escape") return;
      // Otherwise the key would press what has the focus next.
      event.preventDefault();
      done(isKept, true);
    });
    input.addEventListener("blur", () => done(true, false));
    item.element.replaceChildren(input);
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
