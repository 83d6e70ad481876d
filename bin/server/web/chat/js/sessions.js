import { local } from "./storage.js";

/**
 * @typedef {object} Request A question that is on its way; with its key it can be sent again without being asked twice.
 * @property {"ask" | "regenerate" | "edit"} kind
 * @property {string} key
 * @property {string} content
 * @property {string} [persona] Who was asked; nobody by name if the page did not know yet who there is.
 * @property {string} [replaces] The turn whose place it takes.
 * @property {string} [turn] Its own turn, once that is known.
 *
 * @typedef {object} Session A conversation that this browser knows.
 * @property {string} id The server's session id: who has it can read the conversation.
 * @property {string} title
 * @property {boolean} [renamed]
 * @property {string} [persona]
 * @property {number} createdAt
 * @property {number} updatedAt
 * @property {number} [deletedAt] It is to be erased, unless that is undone in time.
 * @property {Request} [request] What was asked last, until it is answered.
 * @property {Record<string, "up" | "down">} [ratings] By turn.
 * @property {boolean} [byLink] It came by somebody's link: it is theirs too.
 * @property {boolean} [linked] A link to it was made here.
 */

/** How long a deletion can be undone. */
export const UNDO_MS = 6000;
const TITLE_LENGTH = 60;

/** The conversations of this browser, shared by its tabs. */
export class SessionList extends EventTarget {
  #stored = local("hitesh.sessions");
  #sessions = this.#read();

  constructor() {
    super();
    globalThis.addEventListener("storage", (event) => {
      if (event.key !== null && event.key !== "hitesh.sessions") return;
      this.#sessions = this.#read();
      this.#changed();
    });
  }

  /** @param {string} id @returns {Session | undefined} */
  get(id) {
    return this.#sessions[id];
  }

  /** Those that are not deleted and whose title has all words of `search`, newest first. @param {string} [search] */
  list(search = "") {
    const words = search.toLocaleLowerCase().split(/\s+/).filter(Boolean);
    const fits = (session) => words.every((word) => session.title.toLocaleLowerCase().includes(word));
    return Object.values(this.#sessions)
      .filter((session) => !session.deletedAt && fits(session))
      .sort((a, b) => b.updatedAt - a.updatedAt);
  }

  /** Those whose time to undo is over. */
  toErase() {
    const over = Date.now() - UNDO_MS;
    return Object.values(this.#sessions).filter((session) => session.deletedAt && session.deletedAt <= over);
  }

  /** Begins one, named after its first question. @param {string} id @param {string} question @param {string} [persona] */
  begin(id, question, persona) {
    const now = Date.now();
    this.change(id, { id, title: titleOf(question), persona, createdAt: now, updatedAt: now });
  }

  /** @param {string} id @param {Partial<Session>} change */
  change(id, change) {
    // Another tab may have written since.
    this.#sessions = this.#read(this.#sessions);
    // Nor does one that was forgotten meanwhile come back in parts.
    if (!this.#sessions[id] && !change.id) return;
    this.#sessions[id] = { ...this.#sessions[id], ...change };
    this.#write();
  }

  /** @param {string} id */
  forget(id) {
    this.#sessions = this.#read(this.#sessions);
    delete this.#sessions[id];
    this.#write();
  }

  /** By id, whatever that is: a link can name a session `__proto__`. @returns {Record<string, Session>} */
  #read(otherwise = {}) {
    return Object.assign(Object.create(null), this.#stored.read(otherwise));
  }

  #write() {
    this.#stored.write(this.#sessions);
    this.#changed();
  }

  #changed() {
    this.dispatchEvent(new Event("change"));
  }
}

/** The first line of a question, cut at a word. @param {string} question */
export function titleOf(question) {
  const line = question.trim().split("\n", 1)[0].replace(/\s+/g, " ");
  if (line.length <= TITLE_LENGTH) return line;
  const cut = line.slice(0, TITLE_LENGTH);
  return `${cut.slice(0, Math.max(cut.lastIndexOf(" "), TITLE_LENGTH / 2)).trimEnd()}…`;
}

