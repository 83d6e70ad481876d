/**
 * What people are told, in sentences.
 *
 * @typedef {{state: string, position?: number, provider?: string}} Status
 */

/** What each refusal means to somebody who did not write the API call. The server's own sentence serves for the rest. */
const ERRORS = {
  connection_lost: "The server can't be reached. Check your connection, and try again.",
  unauthorized: "This server wants an API key.",
  rate_limited: "That was a lot of questions at once. Take a sip of chai, then try again.",
  session_busy: "This chat is still answering other questions. Wait for one of them, then try again.",
  turn_not_found: "The server does not know this answer any more.",
  content_too_long: "The question is too long: at most 2000 characters fit.",
};

/** @param {{code?: string, message?: string}} error */
export function errorWords(error) {
  return ERRORS[error.code ?? ""] ?? error.message ?? "Something went wrong. Please try again.";
}

/**
 * What an answer waits for.
 * @param {Status[]} statuses All that came, in order.
 * @param {string} [provider]
 */
export function statusWords(statuses, provider) {
  const last = statuses.at(-1);
  if (!last) return "Brewing an answer";
  if (last.state === "reasoning") return "Thinking it through";
  if (last.state === "retrying") return last.provider ? `Trying again with ${last.provider}` : "Trying again";
  if (last.state === "working") return "Brewing an answer";
  const sinceWork = statuses.slice(statuses.findLastIndex((status) => status.state === "working") + 1);
  const parts = [];
  if (sinceWork.some((status) => status.state === "loading")) {
    parts.push(provider === "local" ? "the local model is warming up" : "the model is warming up");
  }
  const position = sinceWork.findLast((status) => status.state === "queued")?.position;
  if (position !== undefined) parts.push(position === 1 ? "next in the queue" : `place ${position} in the queue`);
  const words = parts.join(", ") || "Brewing an answer";
  return words[0].toUpperCase() + words.slice(1);
}

/** What the link of a chat gives away. @param {import("./links.js").Sharing} sharing */
export function givenAway(sharing) {
  const who = sharing === "same-key" ? "Whoever has the link, and the same API key as you," : "Whoever has the link";
  return `${who} can read the whole chat, and what is added to it later. They can go on with it, change it and delete it, as you can. ` +
    "A link can't be taken back; to end it, delete the chat.";
}

/** What those who have a chat by a link, or gave one away, are reminded of. @param {import("./sessions.js").Session} session */
export function sharedWords({ byLink, linked }) {
  if (byLink) return "This chat came by a link. Whoever has the link can read it and go on with it.";
  return linked ? "You made a link to this chat. Whoever has the link can read it and go on with it." : "";
}

/** Why a link shows no chat. */
export const LINK_WORDS = {
  off: "This server follows no links to chats: whoever runs it does not allow them.",
  malformed: "This link to a chat is damaged. Ask for it again.",
  deleted: "You deleted the chat that this link leads to.",
  open: "This link leads to no chat. It may have been deleted.",
  "same-key": "This link leads to no chat that you can see. It may have been deleted, or belong to another API key than yours.",
};

const SOURCES = {
  model: "live from the model",
  cache: "kept from an earlier answer",
  joined: "shared with somebody who asked the same",
};

/** @param {string} source */
export function sourceWords(source) {
  return SOURCES[source] ?? source;
}

/** @param {number} milliseconds */
export function seconds(milliseconds) {
  if (milliseconds < 1000) return `${Math.round(milliseconds)} ms`;
  const value = milliseconds / 1000;
  return `${value < 10 ? value.toFixed(1) : Math.round(value)} s`;
}

/** The day group of a chat in the list. @param {number} time */
export function dayWords(time) {
  const day = (value) => Math.floor((value - new Date(value).getTimezoneOffset() * 60_000) / 86_400_000);
  const ago = day(Date.now()) - day(time);
  if (ago <= 0) return "Today";
  if (ago === 1) return "Yesterday";
  if (ago <= 7) return "This week";
  return "Earlier";
}
