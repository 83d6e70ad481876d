import { after, before } from "node:test";
import { launch } from "./browser.js";
import { Server } from "./server.js";
import { Upstream } from "./upstream.js";

/**
 * A model server, a Hitesh server and a browser for all tests of a file.
 * @param {{settings?: string, script?: (question: string, number: number) => import("./upstream.js").Answer}} [options]
 * @returns {{upstream: Upstream, server: Server, browser: import("playwright-core").Browser}} filled before the first test
 */
export function fixture({ settings, script = () => ({ output: "Haanji!" }) } = {}) {
  const all = /** @type {any} */ ({});
  before(async () => {
    all.upstream = await Upstream.start(script);
    [all.server, all.browser] = await Promise.all([Server.start(all.upstream, { settings }), launch()]);
  });
  after(async () => {
    await all.browser?.close();
    await all.server?.close();
    await all.upstream?.close();
  });
  return all;
}
