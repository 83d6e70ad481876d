import * as preferences from "./preferences.js";

/**
 * @typedef {object} Persona
 * @property {string} id
 * @property {string} name
 * @property {string} description
 * @property {string[]} languages
 * @property {string[]} sample_questions
 * @property {string} disclosure
 * @property {{analyze: string, think: string, output: string}} steps
 */

/** Who can answer, and who shall. */
export class Personas {
  /** @type {Persona[]} The first one answers when nobody is named. */
  all = [];
  #sessions;

  /** @param {import("./sessions.js").SessionList} sessions */
  constructor(sessions) {
    this.#sessions = sessions;
  }

  /** @param {string | undefined} id */
  byId(id) {
    return this.all.find((persona) => persona.id === id);
  }

  /** Who answers in a session; undefined leaves it to the server. @param {string} session @returns {string | undefined} */
  of(session) {
    const wished = this.#sessions.get(session)?.persona ?? preferences.persona() ?? undefined;
    // Before the list is here, a wish of an earlier visit stands.
    return this.all.length === 0 ? wished : (this.byId(wished)?.id ?? this.all[0].id);
  }

  /** @param {string} session @param {string} id */
  choose(session, id) {
    preferences.choosePersona(id);
    if (this.#sessions.get(session)) this.#sessions.change(session, { persona: id });
  }
}
