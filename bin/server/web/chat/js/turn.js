/**
 * @typedef {"waiting" | "running" | "completed" | "incomplete" | "stopped" | "failed"} TurnState
 * @typedef {{code: string, message: string, retryAfter?: number}} TurnError
 *
 * @typedef {object} TurnMeta What is behind the small "i".
 * @property {string} [source]
 * @property {string} [provider]
 * @property {string} [model]
 * @property {string} [persona]
 * @property {number} [firstWordMs]
 * @property {number} [totalMs]
 * @property {{prompt_tokens: number, completion_tokens: number, total_tokens: number}} [usage]
 */

/** One question and its answer, made of the client's events. Whoever watches is told what changed. */
export class Turn {
  /** @type {string | null} */
  id = null;
  /** @type {TurnState} */
  state = "waiting";
  steps = { analyze: "", think: "", output: "" };
  /** @type {import("./words.js").Status[]} */
  statuses = [];
  reconnecting = false;
  stopping = false;
  /** @type {TurnError | null} */
  error = null;
  /** @type {TurnMeta} */
  meta = {};
  /** Whether `meta` and the steps are all that the server knows. */
  known = false;
  /** @type {"up" | "down" | null} */
  rating = null;
  #began = performance.now();

  /** @param {string} question @param {string | undefined} [persona] */
  constructor(question, persona) {
    this.question = question;
    this.persona = persona;
    /** @type {(what: string, detail?: any) => void} */
    this.changed = () => {};
  }

  /** One of the history. @param {{id: string, question: string, answer: string, status: TurnState, persona?: string}} past */
  static past({ id, question, answer, status, persona }) {
    const turn = new Turn(question, persona);
    turn.id = id;
    turn.state = status;
    turn.steps.output = answer;
    if (status !== "completed" && status !== "stopped") {
      turn.error = { code: status, message: answer ? "This answer broke off before it was whole." : "This question got no answer." };
    }
    return turn;
  }

  get isRunning() {
    return this.state === "waiting" || this.state === "running";
  }

  /** @param {import("../../hitesh-client.js").ChatEvent} event */
  take(event) {
    switch (event.type) {
      case "turn":
        this.id = event.turn_id;
        this.persona = event.persona;
        Object.assign(this.meta, { source: event.source, provider: event.provider, model: event.model, persona: event.persona });
        this.changed("begun");
        break;
      case "status":
        this.statuses.push(event);
        this.changed("status");
        break;
      case "delta":
        this.state = "running";
        this.meta.firstWordMs ??= performance.now() - this.#began;
        this.steps[event.step] += event.delta;
        this.changed("delta", event);
        break;
      case "usage":
        this.meta.usage = event;
        break;
      case "step":
        this.steps[event.step] = event.content;
        if (event.is_complete) this.#end("completed");
        else this.changed("step", event.step);
        break;
      case "resync":
        this.steps = { analyze: "", think: "", output: "" };
        this.statuses = [];
        this.state = "waiting";
        this.changed("resync");
        break;
      case "reconnecting":
      case "reconnected":
        this.reconnecting = event.type === "reconnecting";
        this.changed("status");
        break;
    }
  }

  /** @param {any} error What ended the events before the answer was whole. */
  fail(error) {
    this.id ??= error.turnId ?? null;
    if (error.code === "stopped") return this.#end("stopped");
    this.error = { code: error.code ?? "unknown", message: error.message, retryAfter: error.retryAfter };
    this.#end(this.steps.output ? "incomplete" : "failed");
  }

  /** What `GET /api/chat/turns/{id}` says of it. @param {any} body */
  learn(body) {
    this.known = true;
    for (const step of body.processing_steps) this.steps[step.step] = step.content;
    this.persona = body.persona;
    this.rating = body.feedback?.rating ?? null;
    Object.assign(this.meta, { source: body.source, provider: body.provider, model: body.model, persona: body.persona });
    if (body.usage) this.meta.usage = body.usage;
    if (body.ended_at) this.meta.totalMs ??= Date.parse(body.ended_at) - Date.parse(body.started_at);
    this.changed("known");
  }

  #end(state) {
    this.state = state;
    this.known = true;
    this.reconnecting = false;
    this.meta.totalMs = performance.now() - this.#began;
    this.changed("ended");
  }
}
