import assert from "node:assert/strict";
import { test } from "node:test";
import { Sentences } from "../../bin/server/web/chat/js/announcer.js";
import { statusWords } from "../../bin/server/web/chat/js/words.js";
import { parts } from "../../bin/server/web/dashboard/js/figures.js";
import { WHOLE } from "./lib/answers.js";
import { Proxy } from "./lib/proxy.js";
import { Server } from "./lib/server.js";
import { Upstream } from "./lib/upstream.js";

test("the client alone asks, follows, stops and reads the history", async (t) => {
  const upstream = await Upstream.start(() => WHOLE);
  const server = await Server.start(upstream);
  t.after(() => Promise.all([server.close(), upstream.close()]));
  // As a page of somebody else's would load it.
  const source = await (await fetch(`${server.url}/static/hitesh-client.js`)).text();
  const { HiteshClient, HiteshError } = await import(`data:text/javascript,${encodeURIComponent(source)}`);
  const client = new HiteshClient({ baseUrl: server.url });
  const events = [];
  for await (const event of client.ask("Client?", { sessionId: "c-1" })) events.push(event);
  assert.equal(events[0].type, "turn");
  const output = events.filter((event) => event.type === "delta" && event.step === "output").map((event) => event.delta).join("");
  assert.equal(output, WHOLE.output);
  assert.deepEqual([events.at(-1).type, events.at(-1).content, events.at(-1).is_complete], ["step", WHOLE.output, true]);
  const again = [];
  for await (const event of client.follow(events[0].turn_id)) again.push(event);
  assert.deepEqual(again, events);
  assert.deepEqual((await client.history("c-1")).map(({ type }) => type), ["user", "ai"]);
  await client.erase("c-1");
  assert.deepEqual(await client.history("c-1"), []);
  await assert.rejects(client.turn(events[0].turn_id), (error) => error instanceof HiteshError && error.code === "turn_not_found" && error.status === 404);
});

test("the client loses and doubles nothing over a connection that breaks again and again", async (t) => {
  const upstream = await Upstream.start(() => ({ ...WHOLE, pieceLength: 4, pause: 4 }));
  const server = await Server.start(upstream);
  const proxy = await Proxy.start(server.port);
  t.after(async () => {
    await proxy.close();
    await Promise.all([server.close(), upstream.close()]);
  });
  const { HiteshClient } = await import("../../bin/server/web/hitesh-client.js");
  const client = new HiteshClient({ baseUrl: proxy.url });
  const texts = { analyze: "", think: "", output: "" };
  let breaks = 0;
  let sinceBreak = 0;
  for await (const event of client.ask("Breaking?", { idempotencyKey: "k-1" })) {
    if (event.type === "reconnecting") proxy.restore();
    if (event.type !== "delta") continue;
    texts[event.step] += event.delta;
    if (++sinceBreak > 25 && breaks < 4) {
      breaks += 1;
      sinceBreak = 0;
      proxy.cut();
    }
  }
  assert.equal(breaks, 4);
  assert.deepEqual(texts, { analyze: WHOLE.analyze, think: WHOLE.think, output: WHOLE.output });
});

test("the dashboard says of what the service depends on how it is", () => {
  const said = (check) => parts({ health: { checks: { sessions: { backend: "redis", ...check }, cache: { backend: "moka", status: "ready" } } }, cache: { entries: 3 } });
  const ready = ["Response cache", "moka, 3 entries", "ready", true];
  assert.deepEqual(said({ status: "ready", reason: null }), [["Sessions", "redis", "ready", true], ready]);
  assert.deepEqual(said({ status: "unavailable", reason: "it refused" }), [["Sessions", "redis", "away: it refused", false], ready]);
  assert.deepEqual(said({ status: "partly_unavailable", reason: "it refused" }), [["Sessions", "redis", "a part is away: it refused", false], ready]);
});

test("a wait has its words", () => {
  const loading = { state: "loading" };
  assert.equal(statusWords([]), "Brewing an answer");
  assert.equal(statusWords([loading], "other"), "The model is warming up");
  assert.equal(statusWords([{ state: "queued", position: 1 }], "openai"), "Next in the queue");
  assert.equal(statusWords([{ state: "queued", position: 3 }, { state: "queued", position: 2 }]), "Place 2 in the queue");
  assert.equal(statusWords([loading, { state: "working" }]), "Brewing an answer");
  assert.equal(statusWords([{ state: "retrying" }]), "Trying again");
});

test("sentences are cut where they end, wherever the pieces do", () => {
  const text = "Chai banao. Version 1.5 lo!\n- **Pehla** kadam\n```js\nlet a = 1;\n```\nयह अंत है। Bas";
  for (let length = 1; length < 12; length += 1) {
    const said = [];
    const sentences = new Sentences((sentence) => said.push(sentence));
    for (let at = 0; at < text.length; at += length) sentences.push(text.slice(at, at + length));
    sentences.finish();
    assert.deepEqual(said, ["Chai banao.", "Version 1.5 lo!", "Pehla kadam", "Code in js.", "यह अंत है।", "Bas"], `pieces of ${length}`);
  }
});
