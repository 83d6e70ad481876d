/**
 * Other tabs of this browser: they are told which turn began in which session, so that they can follow it.
 *
 * @typedef {{session: string, request?: import("./sessions.js").Request, erased?: boolean}} Message
 */
export class Tabs {
  #channel = "BroadcastChannel" in globalThis ? new BroadcastChannel("hitesh") : null;

  /** @param {(message: Message) => void} listener */
  listen(listener) {
    this.#channel?.addEventListener("message", (event) => listener(event.data));
  }

  /** @param {string} session @param {import("./sessions.js").Request} request */
  tell(session, request) {
    this.#channel?.postMessage({ session, request });
  }
}
