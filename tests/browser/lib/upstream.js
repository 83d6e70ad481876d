import { createServer } from "node:http";

/**
 * A scripted model server: it speaks OpenAI's chat completions API, and says what the test wants, when it wants it.
 *
 * @typedef {object} Answer
 * @property {string} [analyze]
 * @property {string} [think]
 * @property {string} output
 * @property {number} [pieceLength] Characters of one piece.
 * @property {number} [pause] Milliseconds between two pieces.
 * @property {boolean} [held] The rest of the answer waits for `release()` once the words of `until` are out.
 * @property {string} [until]
 * @property {number} [status] Refuses with this status instead.
 * @property {boolean} [cut] Hangs up in the middle.
 */
export class Upstream {
  /** @type {any[]} The bodies of all requests for a completion. */
  requests = [];
  #server;
  #script;
  #waiting = new Set();

  /** @param {(question: string, number: number) => Answer} script */
  static async start(script) {
    const upstream = new Upstream();
    upstream.#script = script;
    upstream.#server = createServer((request, response) => upstream.#reply(request, response));
    await new Promise((resolve) => upstream.#server.listen(0, "127.0.0.1", resolve));
    return upstream;
  }

  get baseUrl() {
    return `http://127.0.0.1:${this.#server.address().port}/v1`;
  }

  /** From now on another script. */
  play(script) {
    this.#script = script;
  }

  /** Lets all answers that are held go on. */
  release() {
    for (const go of this.#waiting) go();
    this.#waiting.clear();
  }

  close() {
    this.release();
    this.#server.closeAllConnections();
    return new Promise((resolve) => this.#server.close(resolve));
  }

  async #reply(request, response) {
    let text = "";
    for await (const chunk of request) text += chunk;
    if (request.method !== "POST") {
      response.writeHead(200, { "content-type": "application/json" }).end('{"object":"list","data":[]}');
      return;
    }
    const body = JSON.parse(text);
    const number = this.requests.push(body) - 1;
    const answer = this.#script(String(body.messages.at(-1).content), number);
    if (answer.status) {
      response.writeHead(answer.status, { "content-type": "application/json" }).end('{"error":{"message":"no"}}');
      return;
    }
    response.writeHead(200, { "content-type": "text/event-stream" });
    response.flushHeaders();
    await this.#stream(answer, response);
  }

  async #stream(answer, response) {
    const steps = { analyze: answer.analyze ?? "Samajhte hain.", think: answer.think ?? "Chai jaisa hai.", output: answer.output };
    const json = JSON.stringify(steps);
    // Whole characters: no model sends half a one.
    const characters = [...json];
    const length = answer.pieceLength ?? 12;
    const send = (delta, finish = null) => this.#chunk(response, { choices: [{ index: 0, delta, finish_reason: finish }] });
    const until = JSON.stringify(answer.until ?? "").slice(1, -1);
    let pausedAt = answer.held ? [...json.slice(0, json.indexOf(until) + until.length)].length : Infinity;
    for (let at = 0; at < characters.length && !response.destroyed; ) {
      const to = at < pausedAt ? Math.min(at + length, pausedAt) : at + length;
      send({ content: characters.slice(at, to).join("") });
      at = to;
      if (at >= pausedAt) {
        pausedAt = Infinity;
        await new Promise((go) => this.#waiting.add(go));
      }
      if (answer.cut && at > characters.length / 2) {
        // What is destroyed before it was written is not sent at all.
        await new Promise((written) => response.write(": cut\n\n", written));
        response.destroy();
        return;
      }
      if (answer.pause) await new Promise((resolve) => setTimeout(resolve, answer.pause));
    }
    send({}, "stop");
    this.#chunk(response, { choices: [], usage: { prompt_tokens: 1000, completion_tokens: 90, total_tokens: 1090 } });
    response.end("data: [DONE]\n\n");
  }

  #chunk(response, body) {
    response.write(`data: ${JSON.stringify({ id: "c", object: "chat.completion.chunk", ...body })}\n\n`);
  }
}
