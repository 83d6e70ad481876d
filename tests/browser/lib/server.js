import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** The binary that is tested: `HITESH_BIN`, else the one that a debug build leaves. */
const target = process.env.CARGO_TARGET_DIR ?? join(import.meta.dirname ?? new URL(".", import.meta.url).pathname, "../../../target");
const binary = process.env.HITESH_BIN ?? join(target, "debug/hitesh-ai");

/** The real binary as a child process, with a folder of its own. */
export class Server {
  #child;
  #folder;
  #how;
  log = "";

  /**
   * @param {import("./upstream.js").Upstream} upstream
   * @param {{settings?: string, port?: number, folder?: string}} [options] `settings` is a `hitesh.toml`.
   */
  static async start(upstream, { settings = "", port = 0, folder } = {}) {
    if (!existsSync(binary)) throw new Error(`${binary} is missing: cargo build --package hitesh-server --no-default-features`);
    const server = new Server();
    server.#how = [upstream, settings];
    server.#folder = folder ?? (await mkdtemp(join(tmpdir(), "hitesh-browser-")));
    await writeFile(join(server.#folder, "hitesh.toml"), settings);
    server.#child = spawn(binary, [], {
      cwd: server.#folder,
      env: {
        HOME: server.#folder,
        HOST: "127.0.0.1",
        PORT: String(port),
        HITESH_SESSIONS__PATH: join(server.#folder, "sessions.db"),
        OPENAI_BASE_URL: upstream.baseUrl,
        OPENAI_API_KEY: "test-key",
      },
    });
    const found = new Promise((resolve, reject) => {
      const read = (chunk) => {
        server.log += chunk;
        const match = /listening on http:\/\/127\.0\.0\.1:(\d+)/.exec(server.log);
        if (match) resolve(Number(match[1]));
      };
      server.#child.stdout.on("data", read);
      server.#child.stderr.on("data", read);
      server.#child.once("exit", () => reject(new Error(`the server ended:\n${server.log}`)));
    });
    server.port = await found;
    return server;
  }

  get url() {
    return `http://127.0.0.1:${this.port}`;
  }

  /** Ends it as a power cut would. */
  async kill() {
    const ended = once(this.#child, "exit");
    this.#child.kill("SIGKILL");
    await ended;
  }

  /** Starts it again on the same folder and port. */
  restarted() {
    const [upstream, settings] = this.#how;
    return Server.start(upstream, { settings, port: this.port, folder: this.#folder });
  }

  async close() {
    if (this.#child.exitCode === null && this.#child.signalCode === null) await this.kill();
    await rm(this.#folder, { recursive: true, force: true });
    if (this.log.includes("panicked at")) throw new Error(`the server panicked:\n${this.log}`);
  }
}
