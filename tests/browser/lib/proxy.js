import { connect, createServer } from "node:net";

/** A TCP proxy whose connections the test cuts. */
export class Proxy {
  #sockets = new Set();
  #server;
  #isDown = false;

  /** @param {number} port Where it leads. */
  static async start(port) {
    const proxy = new Proxy();
    proxy.#server = createServer((near) => {
      if (proxy.#isDown) {
        near.destroy();
        return;
      }
      const far = connect(port, "127.0.0.1");
      for (const [from, to] of [[near, far], [far, near]]) {
        proxy.#sockets.add(from);
        from.setNoDelay(true);
        from.pipe(to);
        from.on("error", () => to.destroy());
        from.on("close", () => {
          to.destroy();
          proxy.#sockets.delete(from);
        });
      }
    });
    await new Promise((resolve) => proxy.#server.listen(0, "127.0.0.1", resolve));
    return proxy;
  }

  get url() {
    return `http://127.0.0.1:${this.#server.address().port}`;
  }

  /** Breaks all connections, and lets no new one through. */
  cut() {
    this.#isDown = true;
    for (const socket of this.#sockets) socket.destroy();
  }

  restore() {
    this.#isDown = false;
  }

  close() {
    this.cut();
    return new Promise((resolve) => this.#server.close(resolve));
  }
}
