import { h } from "./dom.js";

/** The server's longest page, in turns. */
const PAGE_TURNS = 500;

/** All messages of a session, oldest first. */
async function wholeHistory(client, session) {
  const all = [];
  while (true) {
    const page = await client.history(session, { limit: PAGE_TURNS, before: all[0]?.turn_id });
    all.unshift(...page);
    if (new Set(page.map((message) => message.turn_id)).size < PAGE_TURNS) return all;
  }
}

/**
 * Saves a chat as a file.
 * @param {import("../../hitesh-client.js").HiteshClient} client
 * @param {import("./sessions.js").Session} session
 * @param {"md" | "json"} form
 * @param {string} answerer The name that answers go under.
 */
export async function save(client, session, form, answerer) {
  const messages = await wholeHistory(client, session.id);
  const text = form === "md" ? markdown(session, messages, answerer) : json(session, messages);
  const type = form === "md" ? "text/markdown" : "application/json";
  const url = URL.createObjectURL(new Blob([text], { type: `${type};charset=utf-8` }));
  h("a", { href: url, download: `${fileName(session.title)}.${form}` }).click();
  setTimeout(() => URL.revokeObjectURL(url), 60_000);
}

function json(session, messages) {
  const { title, createdAt, persona } = session;
  return `${JSON.stringify({ title, persona, created_at: new Date(createdAt).toISOString(), messages }, null, 2)}\n`;
}

function markdown(session, messages, answerer) {
  const parts = messages.map(({ type, content, timestamp }) => {
    const who = type === "user" ? "You" : answerer;
    return `## ${who}, ${timestamp.slice(0, 16).replace("T", " ")} UTC\n\n${content}\n`;
  });
  return [`# ${session.title}\n`, ...parts].join("\n");
}

function fileName(title) {
  return title.replace(/[^\p{L}\p{M}\p{N}]+/gu, "-").replace(/^-+|-+$/g, "").slice(0, 50) || "chat";
}
