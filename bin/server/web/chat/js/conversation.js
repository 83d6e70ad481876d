import { h } from "./dom.js";
import { errorWords } from "./words.js";
import { Turn } from "./turn.js";
import { TurnView } from "./views/turn.js";
import { uuid } from "./storage.js";

/** Turns that are shown at first; older ones come when the reader gets there. */
const FIRST_TURNS = 20;
/** Fewer, since the reader is in the middle of scrolling. */
const OLDER_TURNS = 8;
/** What the server says of a request that it would refuse each time: only another one has a chance. */
const NEVER_AGAIN = new Set(["idempotency_conflict", "persona_unknown"]);

/**
 * @typedef {object} Surroundings What conversations share.
 * @property {import("../../hitesh-client.js").HiteshClient} client
 * @property {import("./sessions.js").SessionList} sessions
 * @property {import("./announcer.js").Announcer} announcer
 * @property {import("./keys.js").Keys} keys
 * @property {import("./personas.js").Personas} personas
 * @property {import("./tabs.js").Tabs} tabs
 * @property {(conversation: Conversation) => void} onchange A turn began or ended.
 * @property {(conversation: Conversation) => void} onload What the server has of it is here.
 * @property {(conversation: Conversation) => void} ongone The server has it no more.
 * @property {(conversation: Conversation) => void} onask The reader wants to see the newest.
 */

/** One session on the page: its turns, and what is done with them. It goes on while another one is looked at. */
export class Conversation {
  /** @type {Turn[]} */
  turns = [];
  element = h("div", { className: "turns" });
  loaded = false;
  #around;
  /** @type {Map<Turn, TurnView>} */
  #views = new Map();
  #reading = new AbortController();
  #loading = false;
  #hasOlder = false;

  /** @param {string} id The session's. @param {Surroundings} around */
  constructor(id, around) {
    this.id = id;
    this.#around = around;
  }

  get running() {
    return this.turns.findLast((turn) => turn.isRunning) ?? null;
  }

  get isEmpty() {
    return this.loaded && this.turns.length === 0;
  }

  /** A session that does not exist yet has nothing to load. */
  beginNew() {
    this.loaded = true;
  }

  /** Shows the newest turns, and goes on with what was running. */
  async load() {
    if (this.loaded || this.#loading) return;
    this.#loading = true;
    const hadFocus = this.element.contains(document.activeElement);
    this.element.replaceChildren(h("p", { className: "loading" }, "Fetching this chat…"));
    if (hadFocus) /** @type {HTMLElement | null} */ (this.element.closest("[tabindex]"))?.focus();
    try {
      await this.#around.keys.unlocking(() => this.#loadPage());
      this.loaded = true;
      this.#resume();
      this.#around.onload(this);
    } catch (error) {
      this.element.replaceChildren(
        h("div", { className: "problem", role: "alert" },
          h("p", {}, errorWords(error)),
          h("button", { type: "button", className: "button", onclick: () => this.load() }, "Try again")),
      );
    } finally {
      this.#loading = false;
      this.#around.onchange(this);
    }
  }

  /** Shows the turns before the first one that is shown, if there are any; the reader stays where they are. */
  async loadOlder() {
    const first = this.turns[0]?.id;
    if (!this.#hasOlder || this.#loading || !first) return false;
    this.#loading = true;
    try {
      await this.#loadPage(first);
      return true;
    } catch {
      // The next look upwards tries again.
      return false;
    } finally {
      this.#loading = false;
    }
  }

  /** What others did with the session meanwhile: their turns come in, and those that they replaced go. */
  async refresh() {
    if (!this.loaded || this.#loading || this.running) return;
    this.#loading = true;
    try {
      const past = await this.#history(FIRST_TURNS);
      // What was asked meanwhile is shown already.
      if (!this.running) this.#merge(past);
    } catch {
      // The next look tries again.
    } finally {
      this.#loading = false;
    }
  }

  #merge(past) {
    const isAll = past.size < FIRST_TURNS;
    if (past.size === 0 && this.turns.some((turn) => turn.id)) {
      this.#around.ongone(this);
      return;
    }
    const [first] = past.keys();
    const older = isAll ? [] : this.turns.slice(0, Math.max(this.turns.findIndex((turn) => turn.id === first), 0));
    if (older.length === 0) this.#hasOlder = !isAll;
    const same = (one) => this.turns.find((turn) => turn.id === one.id && turn.state === one.status);
    const kept = this.turns.filter((turn) => turn.id === null);
    const turns = [...older, ...[...past.values()].map((one) => same(one) ?? this.#pastTurn(one)), ...kept];
    const fresh = turns.filter((turn) => !this.turns.includes(turn));
    const gone = this.turns.filter((turn) => !turns.includes(turn));
    if (gone.some((turn) => this.#hasFocus(turn))) /** @type {HTMLElement | null} */ (this.element.closest("[tabindex]"))?.focus();
    for (const turn of gone) this.#remove(turn);
    this.turns = turns;
    // From the end, so that what stays is not moved.
    let next = null;
    for (const turn of [...turns].reverse()) {
      const { element } = this.#views.get(turn) ?? this.#viewOf(turn);
      if (element.nextSibling !== next || !element.parentNode) this.element.insertBefore(element, next);
      next = element;
    }
    for (const turn of fresh) if (turn.isRunning) this.#run(turn, this.#follow(turn.id));
    if (fresh.length + gone.length === 0) return;
    this.#around.announcer.say("This chat has changed.");
    this.#around.onchange(this);
  }

  /** Who answered, if the history does not say. @param {string} persona */
  assume(persona) {
    for (const turn of this.turns) {
      turn.persona ??= persona;
      turn.changed("named");
    }
  }

  /** @returns {Promise<Map<string, any>>} the turns of a page of the history, by their id */
  async #history(limit, before) {
    const past = new Map();
    for (const message of await this.#around.client.history(this.id, { limit, before })) {
      const turn = past.get(message.turn_id) ?? { id: message.turn_id, question: "", answer: "", status: message.status };
      if (message.type === "user") turn.question = message.content;
      else turn.answer = message.content;
      past.set(message.turn_id, turn);
    }
    return past;
  }

  #pastTurn(one) {
    const session = this.#around.sessions.get(this.id);
    const turn = one.status === "running" ? new Turn(one.question) : Turn.past({ ...one, persona: session?.persona });
    turn.id = one.id;
    turn.rating = session?.ratings?.[one.id] ?? null;
    return turn;
  }

  async #loadPage(before) {
    const limit = before ? OLDER_TURNS : FIRST_TURNS;
    const past = await this.#history(limit, before);
    const session = this.#around.sessions.get(this.id);
    this.#hasOlder = past.size >= limit;
    // What is to take another one's place is shown there, by `#resume`.
    const { turn: own, replaces } = session?.request ?? {};
    if (own && replaces && past.has(replaces) && past.get(own)?.status === "running") past.delete(own);
    const fragment = document.createDocumentFragment();
    const turns = [...past.values()].map((one) => {
      const turn = this.#pastTurn(one);
      fragment.append(this.#viewOf(turn).element);
      return turn;
    });
    if (before) this.element.prepend(fragment);
    else this.element.replaceChildren(fragment);
    this.turns = before ? [...turns, ...this.turns] : turns;
    for (const turn of turns) if (turn.isRunning) this.#run(turn, this.#follow(turn.id));
  }

  /** What this browser had asked when it was closed, and what the history does not show yet. */
  #resume() {
    const request = this.#around.sessions.get(this.id)?.request;
    if (!request) return;
    // Its turn had begun, and this browser was closed before it heard of that.
    if (request.kind === "ask" && this.running?.question === request.content) return;
    if (request.turn && this.turns.some((turn) => turn.id === request.turn)) {
      if (!this.running) this.#around.sessions.change(this.id, { request: undefined });
      return;
    }
    const old = this.turns.find((turn) => turn.id === request.replaces);
    if (request.kind !== "ask" && !old) {
      this.#around.sessions.change(this.id, { request: undefined });
      return;
    }
    const events = request.turn ? this.#follow(request.turn) : this.#events(request);
    if (old) this.#replace(old, request, events);
    else this.#run(this.#append(new Turn(request.content, request.persona), request), events);
  }

  /** @param {string} content */
  ask(content) {
    const { sessions, personas } = this.#around;
    if (!sessions.get(this.id)) sessions.begin(this.id, content, personas.of(this.id));
    const request = this.#request("ask", content);
    this.#run(this.#append(new Turn(content, request.persona), request), this.#events(request));
    this.#around.onask(this);
  }

  /** Asks a turn's question again. @param {Turn} turn */
  async again(turn) {
    if (this.running) return;
    if (turn.error?.code === "unauthorized" && !(await this.#around.keys.ask())) return;
    if (turn.id && turn.error?.code !== "connection_lost") {
      const request = this.#request("regenerate", turn.question, turn.id);
      this.#replace(turn, request, this.#events(request));
    } else if (turn.id) {
      const next = new Turn(turn.question, turn.persona);
      next.id = turn.id;
      this.#swap(turn, next);
      this.#run(next, this.#follow(turn.id));
    } else {
      const kept = this.#around.sessions.get(this.id)?.request;
      const isSame = kept?.content === turn.question && !NEVER_AGAIN.has(turn.error?.code ?? "");
      const request = isSame ? kept : this.#request("ask", turn.question);
      const next = new Turn(turn.question, turn.persona);
      this.#swap(turn, next);
      this.#run(next, this.#events(request));
    }
    this.#around.onchange(this);
  }

  /** Asks another question in a turn's place. @param {Turn} turn @param {string} content */
  edit(turn, content) {
    if (this.running) return;
    if (!turn.id) {
      this.#remove(turn);
      this.ask(content);
      return;
    }
    const request = this.#request("edit", content, turn.id);
    this.#replace(turn, request, this.#events(request));
  }

  /** Ends the running answer. */
  async stop() {
    const turn = this.running;
    if (!turn || turn.stopping) return;
    turn.stopping = true;
    turn.changed("status");
    // Before its first event a turn has no name; `begun` comes back to this.
    if (turn.id) await this.#stop(turn);
  }

  async #stop(turn) {
    try {
      await this.#around.client.stop(turn.id);
    } catch (error) {
      if (!turn.isRunning) return;
      turn.stopping = false;
      turn.changed("status");
      this.#around.announcer.say(errorWords(error));
    }
  }

  /** @param {Turn} turn @param {"up" | "down" | null} rating */
  async rate(turn, rating) {
    const before = turn.rating;
    turn.rating = rating;
    turn.changed("rating");
    try {
      await this.#around.keys.unlocking(() => this.#around.client.feedback(turn.id, rating));
      const ratings = { ...this.#around.sessions.get(this.id)?.ratings };
      if (rating) ratings[turn.id] = rating;
      else delete ratings[turn.id];
      this.#around.sessions.change(this.id, { ratings });
    } catch (error) {
      turn.rating = before;
      turn.changed("rating");
      this.#around.announcer.say(errorWords(error));
    }
  }

  /** Asks the server for what the history leaves out. @param {Turn} turn */
  async inform(turn) {
    if (turn.known || !turn.id) return;
    try {
      turn.learn(await this.#around.client.turn(turn.id));
    } catch (error) {
      turn.changed("unknown", errorWords(error));
    }
  }

  /** The names of those who answer are here, or are others now. */
  nameAnswerers() {
    for (const turn of this.turns) turn.changed("named");
  }

  /** A turn that another tab began. @param {import("./sessions.js").Request} request */
  join(request) {
    if (!this.loaded || !request.turn || this.turns.some((turn) => turn.id === request.turn)) return;
    const old = this.turns.find((turn) => turn.id === request.replaces);
    const events = this.#follow(request.turn);
    if (old) this.#replace(old, request, events, true);
    else this.#run(this.#append(new Turn(request.content), request, true), events);
  }

  /** Gives the newest turn the focus. */
  focusNewest() {
    const newest = this.turns.at(-1);
    if (newest) this.#focus(newest);
  }

  /** Stops reading; the server is told by the connections that close. */
  leave() {
    this.#reading.abort();
  }

  #request(kind, content, replaces) {
    // Who answers is part of what is repeated under the key, and may be another one by then.
    const persona = kind === "ask" ? this.#around.personas.of(this.id) : undefined;
    const request = { kind, content, replaces, persona, key: uuid() };
    this.#around.sessions.change(this.id, { request, updatedAt: Date.now() });
    return request;
  }

  #events(request) {
    const { client } = this.#around;
    const options = { idempotencyKey: request.key, signal: this.#reading.signal };
    if (request.kind === "edit") return client.edit(request.replaces, request.content, options);
    if (request.kind === "regenerate") return client.regenerate(request.replaces, options);
    return client.ask(request.content, { ...options, sessionId: this.id, persona: request.persona });
  }

  #follow(turnId) {
    return this.#around.client.follow(turnId, { signal: this.#reading.signal });
  }

  #viewOf(turn) {
    const view = new TurnView(turn, this, this.#around);
    this.#views.set(turn, view);
    return view;
  }

  #append(turn, request, isJoined = false) {
    turn.request = request;
    turn.isJoined = isJoined;
    this.turns.push(turn);
    this.element.append(this.#viewOf(turn).element);
    return turn;
  }

  #swap(old, next) {
    next.request = old.request;
    this.turns[this.turns.indexOf(old)] = next;
    const hadFocus = this.#hasFocus(old);
    this.#views.get(old)?.element.replaceWith(this.#viewOf(next).element);
    this.#views.delete(old);
    if (hadFocus) this.#focus(next);
  }

  #remove(turn) {
    this.turns = this.turns.filter((other) => other !== turn);
    this.#views.get(turn)?.element.remove();
    this.#views.delete(turn);
  }

  /** Shows a new turn in an old one's place, and the old one again if nothing came of it: as the server does. */
  async #replace(old, request, events, isJoined = false) {
    const at = this.turns.indexOf(old);
    const hidden = request.kind === "edit" ? this.turns.slice(at) : [old];
    const turn = new Turn(request.content, old.persona);
    Object.assign(turn, { request, isJoined });
    this.turns.splice(at, 0, turn);
    this.#views.get(old)?.element.before(this.#viewOf(turn).element);
    if (hidden.some((one) => this.#hasFocus(one))) this.#focus(turn);
    for (const one of hidden) this.#hide(one, true);
    this.#around.onask(this);
    await this.#run(turn, events);
    if (turn.steps.output !== "" || this.#reading.signal.aborted) {
      for (const one of hidden) this.#remove(one);
      return;
    }
    for (const one of hidden) this.#hide(one, false);
    if (this.#hasFocus(turn)) this.#focus(old);
    this.#remove(turn);
    old.changed("kept", turn.error ? errorWords(turn.error) : "The new answer was stopped. This is the one before.");
    this.#around.onchange(this);
  }

  #hasFocus(turn) {
    return this.#views.get(turn)?.element.contains(document.activeElement) ?? false;
  }

  /** Without moving the page: what is looked at is up to the reader. */
  #focus(turn) {
    this.#views.get(turn)?.element.focus({ preventScroll: true });
  }

  #hide(turn, isHidden) {
    const element = this.#views.get(turn)?.element;
    if (element) element.hidden = isHidden;
  }

  /** Takes a turn's events to its end. */
  async #run(turn, events) {
    const { sessions, tabs } = this.#around;
    this.#around.onchange(this);
    try {
      for await (const event of events) {
        turn.take(event);
        if (event.type !== "turn") continue;
        const twin = this.turns.find((other) => other !== turn && other.id === turn.id);
        if (twin) this.#remove(twin);
        if (turn.request && !turn.isJoined) {
          turn.request = { ...turn.request, turn: turn.id };
          sessions.change(this.id, { request: turn.request, updatedAt: Date.now() });
          tabs.tell(this.id, turn.request);
        }
        if (turn.stopping) this.#stop(turn);
      }
      // The server had nothing more to give: the turn had ended before.
      if (turn.isRunning && turn.id) turn.learn(await this.#around.client.turn(turn.id));
    } catch (error) {
      if (this.#reading.signal.aborted) return;
      turn.fail(error);
      if (turn.error?.code === "unauthorized") this.#unlock(turn);
    }
    if (turn.id && !turn.isJoined) sessions.change(this.id, { request: undefined });
    this.#around.onchange(this);
  }

  async #unlock(turn) {
    if (!(await this.#around.keys.ask())) return;
    turn.error = null;
    this.again(turn);
  }
}
