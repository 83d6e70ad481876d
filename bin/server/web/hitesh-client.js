/**
 * The stream client of a Hitesh AI server: one ES module without dependencies, for browsers and for Node 20 and later.
 *
 * ```js
 * import { HiteshClient } from "/static/hitesh-client.js";
 *
 * const client = new HiteshClient();
 * for await (const event of client.ask("What is an API?", { sessionId: "s-1" })) {
 *   if (event.type === "delta") show(event.step, event.delta);
 * }
 * ```
 *
 * `ask`, `regenerate`, `edit` and `follow` give events until the answer has ended. A connection that breaks is made anew
 * and goes on after the last event that came, without gap or double; the caller is told by `reconnecting` and
 * `reconnected`. An answer that can't be whole ends with a thrown {@link HiteshError}.
 *
 * Whoever stops reading (`break`, or the `signal`) leaves the answer to the server, which by default waits fifteen seconds
 * for a reader to come back before it stops the turn; `stop(turnId)` ends it at once.
 *
 * @module
 */

/**
 * @typedef {"analyze" | "think" | "output"} Step
 *
 * @typedef {object} TurnEvent The turn has begun.
 * @property {"turn"} type
 * @property {string} turn_id
 * @property {string} session_id
 * @property {string} persona
 * @property {string} provider
 * @property {string} model
 * @property {"model" | "cache" | "joined"} source
 * @property {string} [replaces] The turn whose place this one takes.
 *
 * @typedef {object} StatusEvent What the answer waits for.
 * @property {"status"} type
 * @property {"queued" | "loading" | "working" | "retrying" | "reasoning"} state
 * @property {number} [position] Of `queued`: the place in the queue, from 1.
 * @property {string} [provider] Of `retrying`: who is asked again.
 *
 * @typedef {object} DeltaEvent A piece of a step. The pieces of a step, joined, are its content.
 * @property {"delta"} type
 * @property {Step} step
 * @property {string} delta
 *
 * @typedef {object} StepEvent A step is whole. The one of `output` is the last event, and says that the answer is stored.
 * @property {"step"} type
 * @property {Step} step
 * @property {string} content
 * @property {string} timestamp
 * @property {boolean} is_complete
 *
 * @typedef {object} UsageEvent
 * @property {"usage"} type
 * @property {number} prompt_tokens
 * @property {number} completion_tokens
 * @property {number} total_tokens
 *
 * @typedef {object} ResyncEvent A crash took events that had been shown: forget all of this turn; they come again.
 * @property {"resync"} type
 *
 * @typedef {object} ConnectionEvent
 * @property {"reconnecting" | "reconnected"} type
 * @property {number} attempt
 *
 * @typedef {TurnEvent | StatusEvent | DeltaEvent | StepEvent | UsageEvent | ResyncEvent | ConnectionEvent} ChatEvent
 *
 * @typedef {object} AskOptions
 * @property {string} [sessionId] The conversation; without one the server makes a new one.
 * @property {string} [persona] Who shall answer.
 * @property {"use" | "bypass" | "off"} [cache]
 * @property {string} [idempotencyKey] "The same request again": with one, a question whose reply was lost is sent again.
 * @property {AbortSignal} [signal] Ends the reading.
 */

/** What the server, or the way to it, says went wrong. `message` is a sentence for people. */
export class HiteshError extends Error {
  /**
   * @param {string} code A code of the API, or `connection_lost`.
   * @param {string} message
   * @param {{status?: number, retryAfter?: number, turnId?: string, requestId?: string}} [more]
   */
  constructor(code, message, more = {}) {
    super(message);
    this.name = "HiteshError";
    this.code = code;
    /** The HTTP status, if the failure had one. */
    this.status = more.status;
    /** Seconds after which asking again may be worth it. */
    this.retryAfter = more.retryAfter;
    /** The turn, if one had begun. */
    this.turnId = more.turnId;
    this.requestId = more.requestId;
  }
}

/** Silence after which a connection is taken for dead: the server says something every fifteen seconds. */
const SILENCE_MS = 40_000;
/** Between attempts to connect; the last one stands for all that follow. */
const PAUSES_MS = [200, 500, 1000, 2000, 4000, 8000];
/** Attempts in a row before the connection is given up. */
const MAX_ATTEMPTS = 20;

/** A client of one server. */
export class HiteshClient {
  #base;
  #key;
  #fetch;

  /**
   * @param {object} [options]
   * @param {string} [options.baseUrl] Where the server is; by default where the page is from.
   * @param {string | (() => string | null)} [options.apiKey] Sent as `Authorization: Bearer …`; a function is asked each time.
   * @param {typeof fetch} [options.fetch]
   */
  constructor({ baseUrl = "", apiKey, fetch: fetcher } = {}) {
    this.#base = baseUrl.replace(/\/$/, "");
    this.#key = typeof apiKey === "function" ? apiKey : () => apiKey ?? null;
    this.#fetch = fetcher ?? ((input, init) => globalThis.fetch(input, init));
  }

  /**
   * Asks a question.
   * @param {string} content 1 to 2000 characters.
   * @param {AskOptions} [options]
   * @returns {AsyncGenerator<ChatEvent, void, void>}
   * @throws {HiteshError}
   */
  ask(content, { sessionId, persona, cache, idempotencyKey, signal } = {}) {
    const body = { content, session_id: sessionId, persona, cache, deltas: true };
    return this.#start("/api/chat/stream", body, idempotencyKey, signal);
  }

  /**
   * Asks a turn's question again, in its place.
   * @param {string} turnId
   * @param {{idempotencyKey?: string, signal?: AbortSignal}} [options]
   * @returns {AsyncGenerator<ChatEvent, void, void>}
   * @throws {HiteshError}
   */
  regenerate(turnId, { idempotencyKey, signal } = {}) {
    return this.#start(`${turn(turnId)}/regenerate`, { deltas: true }, idempotencyKey, signal);
  }

  /**
   * Asks another question in a turn's place; the turns after it leave the conversation.
   * @param {string} turnId
   * @param {string} content
   * @param {{idempotencyKey?: string, signal?: AbortSignal}} [options]
   * @returns {AsyncGenerator<ChatEvent, void, void>}
   * @throws {HiteshError}
   */
  edit(turnId, content, { idempotencyKey, signal } = {}) {
    return this.#start(`${turn(turnId)}/edit`, { content, deltas: true }, idempotencyKey, signal);
  }

  /**
   * Follows a turn, from its first event or after a cursor (`<turn_id>:<n>`, or `<n>`).
   * @param {string} turnId
   * @param {{after?: string, signal?: AbortSignal}} [options]
   * @returns {AsyncGenerator<ChatEvent, void, void>}
   * @throws {HiteshError}
   */
  async *follow(turnId, { after, signal } = {}) {
    yield* this.#read({ turnId, cursor: after ?? null, signal, open: null });
  }

  /** Ends a turn; what came is kept. @param {string} turnId */
  stop(turnId) {
    return this.json("POST", `${turn(turnId)}/stop`);
  }

  /** A turn so far. @param {string} turnId */
  turn(turnId) {
    return this.json("GET", turn(turnId));
  }

  /**
   * Rates an answer; null takes the rating back.
   * @param {string} turnId
   * @param {"up" | "down" | null} rating
   * @param {string} [comment]
   */
  feedback(turnId, rating, comment) {
    return this.json("POST", `${turn(turnId)}/feedback`, { rating, comment });
  }

  /**
   * A session's messages, oldest first; at most `limit` turns, those before the turn `before`.
   * @param {string} sessionId
   * @param {{limit?: number, before?: string, all?: boolean}} [page]
   */
  async history(sessionId, { limit, before, all } = {}) {
    const query = new URLSearchParams({ session_id: sessionId });
    if (limit) query.set("limit", String(limit));
    if (before) query.set("before", before);
    if (all) query.set("all", "true");
    return (await this.json("GET", `/api/chat/history?${query}`)).messages;
  }

  /** Erases a session. @param {string} sessionId */
  erase(sessionId) {
    return this.json("DELETE", `/api/chat/history?${new URLSearchParams({ session_id: sessionId })}`);
  }

  /** Who can answer. */
  async personas() {
    return (await this.json("GET", "/api/personas")).personas;
  }

  /**
   * Any route that replies with JSON.
   * @param {string} method
   * @param {string} path
   * @param {object} [body]
   * @throws {HiteshError}
   */
  async json(method, path, body) {
    let response;
    try {
      response = await this.#request(method, path, { body });
    } catch (error) {
      throw lost(error);
    }
    return response.json();
  }

  /** @returns {AsyncGenerator<ChatEvent, void, void>} */
  async *#start(path, body, idempotencyKey, signal) {
    const headers = idempotencyKey ? { "idempotency-key": idempotencyKey } : {};
    const open = (inner) => this.#request("POST", path, { body, headers, signal: inner, events: true });
    yield* this.#read({ turnId: null, cursor: null, signal, open, repeatable: Boolean(idempotencyKey) });
  }

  /**
   * Reads events until the answer has ended, over as many connections as it takes. The first one is made by `open`, the
   * others (and the first one where `open` is null) ask for the turn's events after the cursor.
   * @returns {AsyncGenerator<ChatEvent, void, void>}
   */
  async *#read({ turnId, cursor, signal, open, repeatable = false }) {
    let attempt = 0;
    while (true) {
      const connection = new AbortController();
      const leave = () => connection.abort(signal?.reason);
      if (signal?.aborted) leave();
      signal?.addEventListener("abort", leave, { once: true });
      try {
        const { signal: inner } = connection;
        const response = turnId === null ? await open(inner) : await this.#events(turnId, cursor, inner);
        if (response.status === 204) return;
        if (attempt > 0) yield { type: "reconnected", attempt };
        for await (const frame of frames(response.body, connection)) {
          attempt = 0;
          const event = parsed(frame);
          if (!event) continue;
          if (event.type === "turn") turnId = event.turn_id;
          if (event.type === "resync") cursor = null;
          if (frame.id) cursor = frame.id;
          if (event.type === "error") throw new HiteshError(event.error, event.content, { turnId: turnId ?? undefined });
          yield event;
          if (event.type === "step" && event.is_complete) return;
        }
      } catch (error) {
        if (signal?.aborted) throw error;
        // What stands in front of a server that restarts, and the server while it starts, says so with such a status.
        const passing = attempt > 0 && error instanceof HiteshError && (error.status ?? 0) >= 500;
        if (error instanceof HiteshError && !passing) throw error;
        if (turnId === null && !repeatable) throw lost(error);
      } finally {
        signal?.removeEventListener("abort", leave);
        connection.abort();
      }
      attempt += 1;
      if (attempt > MAX_ATTEMPTS) throw lost(null, turnId);
      yield { type: "reconnecting", attempt };
      await pause(PAUSES_MS[Math.min(attempt, PAUSES_MS.length) - 1], signal);
    }
  }

  #events(turnId, cursor, signal) {
    const headers = cursor === null ? {} : { "last-event-id": cursor };
    return this.#request("GET", `${turn(turnId)}/events`, { headers, signal, events: true });
  }

  async #request(method, path, { body, headers = {}, signal, events = false } = {}) {
    const key = this.#key();
    const response = await this.#fetch(this.#base + path, {
      method,
      signal,
      cache: "no-store",
      credentials: "same-origin",
      body: body === undefined ? undefined : JSON.stringify(body),
      headers: {
        accept: events ? "text/event-stream, application/json" : "application/json",
        ...(body === undefined ? {} : { "content-type": "application/json" }),
        ...(key ? { authorization: `Bearer ${key}` } : {}),
        ...headers,
      },
    });
    if (!response.ok) throw await refusal(response);
    return response;
  }
}

const turn = (id) => `/api/chat/turns/${encodeURIComponent(id)}`;

/** @returns {HiteshError} */
function lost(error, turnId) {
  if (error instanceof HiteshError) return error;
  return new HiteshError("connection_lost", "The server can't be reached. Check your connection, and try again.", {
    turnId: turnId ?? undefined,
  });
}

/** An error reply, whoever wrote it: a proxy on the way has a shape of its own. */
async function refusal(response) {
  const body = await response.json().catch(() => ({}));
  const message = typeof body.message === "string" ? body.message : `The server replied with status ${response.status}.`;
  const code = typeof body.error === "string" ? body.error : "unknown";
  return new HiteshError(code, message, {
    status: response.status,
    retryAfter: Number(response.headers.get("retry-after")) || undefined,
    turnId: body.turn_id,
    requestId: body.request_id,
  });
}

/** Waits, but not longer than until the browser says that it is online again. */
function pause(milliseconds, signal) {
  return new Promise((resolve, reject) => {
    const done = () => {
      clearTimeout(timer);
      globalThis.removeEventListener?.("online", done);
      signal?.removeEventListener("abort", done);
      if (signal?.aborted) reject(signal.reason);
      else resolve(undefined);
    };
    const timer = setTimeout(done, milliseconds);
    globalThis.addEventListener?.("online", done);
    signal?.addEventListener("abort", done);
  });
}

/**
 * @typedef {{id: string | null, event: string, data: string}} Frame
 * @returns {AsyncGenerator<Frame, void, void>}
 */
async function* frames(body, connection) {
  const decoder = new TextDecoder();
  const reader = body.getReader();
  let rest = "";
  let frame = { id: null, event: "", data: "" };
  let timer;
  const listen = () => {
    clearTimeout(timer);
    timer = setTimeout(() => connection.abort(new Error("silence")), SILENCE_MS);
  };
  try {
    while (true) {
      listen();
      const { done, value } = await reader.read();
      if (done) return;
      const lines = (rest + decoder.decode(value, { stream: true })).split("\n");
      rest = lines.pop() ?? "";
      for (const raw of lines) {
        const line = raw.endsWith("\r") ? raw.slice(0, -1) : raw;
        if (line === "") {
          if (frame.data !== "") yield frame;
          frame = { id: null, event: "", data: "" };
          continue;
        }
        const colon = line.indexOf(":");
        const name = colon < 0 ? line : line.slice(0, colon);
        const text = colon < 0 ? "" : line.slice(colon + (line[colon + 1] === " " ? 2 : 1));
        if (name === "id") frame.id = text;
        else if (name === "event") frame.event = text;
        else if (name === "data") frame.data += frame.data === "" ? text : `\n${text}`;
      }
    }
  } finally {
    clearTimeout(timer);
  }
}

/** The event of a frame; null for one that this version does not know. */
function parsed(frame) {
  const data = JSON.parse(frame.data);
  if (frame.event === "") return { ...data, type: data.step === "error" ? "error" : "step" };
  const known = ["turn", "status", "delta", "usage", "resync"];
  return known.includes(frame.event) ? { ...data, type: frame.event } : null;
}
