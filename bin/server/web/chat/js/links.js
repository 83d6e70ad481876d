/**
 * Links to chats. A session's id is all that it takes to read a chat and to go on with it, so links are made and followed only
 * where the operator of the server lets them. The id is in the fragment, which no browser sends anywhere.
 *
 * @typedef {"off" | "open" | "same-key"} Sharing "same-key": a link is of use only with the API key that the chat was begun with.
 */

const MARK = "#session=";
/** What the server takes for a session's id. */
const SESSION = /^[A-Za-z0-9_.:-]{1,128}$/;

/** @returns {Sharing} */
export function sharing() {
  const told = document.querySelector('meta[name="hitesh-sharing"]')?.getAttribute("content");
  return told === "open" || told === "same-key" ? told : "off";
}

/** @param {string} session */
export function linkTo(session) {
  return `${location.origin}/chat${MARK}${encodeURIComponent(session)}`;
}

/**
 * Takes the link out of the address, where it would be seen, kept and passed on by accident.
 * @returns {string | null | undefined} the session that it names; null if no session can be called so, undefined without a link
 */
export function takeLink() {
  if (!location.hash.startsWith(MARK)) return undefined;
  const named = location.hash.slice(MARK.length);
  history.replaceState(history.state, "", location.pathname + location.search);
  try {
    const session = decodeURIComponent(named);
    return SESSION.test(session) ? session : null;
  } catch {
    return null;
  }
}
