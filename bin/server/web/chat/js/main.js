/** The chat page: makes the parts and joins them. */

import { HiteshClient } from "../../hitesh-client.js";
import { Announcer } from "./announcer.js";
import { Conversation } from "./conversation.js";
import { byId, h, icon, isFocusLost } from "./dom.js";
import { save } from "./export.js";
import { Keys } from "./keys.js";
import { linkTo, sharing, takeLink } from "./links.js";
import { Personas } from "./personas.js";
import { apiKey } from "./preferences.js";
import { Pin } from "./scroll.js";
import { SessionList, UNDO_MS, titleOf } from "./sessions.js";
import { ofTab, uuid } from "./storage.js";
import { Tabs } from "./tabs.js";
import { Composer } from "./views/composer.js";
import { emptyPage } from "./views/empty.js";
import { offerLink } from "./views/link.js";
import { Sidebar } from "./views/sidebar.js";
import { toast } from "./views/toast.js";
import { LINK_WORDS, errorWords, sharedWords } from "./words.js";

/** How near the top of a conversation older turns are fetched. */
const OLDER_WITHIN = 1500;

const client = new HiteshClient({ apiKey });
const sessions = new SessionList();
const announcer = new Announcer(byId("announcements"));
const keys = new Keys();
const personas = new Personas(sessions);
const tabs = new Tabs();
const current = ofTab("hitesh.current");
const scroller = byId("scroller");
const thread = byId("thread");
const jump = byId("jump");
/** What the empty page was made for, if it is shown: made anew it would lose the focus. @type {unknown[]} */
let emptyOf = [];

/** Conversations that are shown, or whose answers go on out of sight. @type {Map<string, Conversation>} */
const open = new Map();
/** @type {Conversation} */
let shown;
/** Why a link could not be followed, until something else is looked at. */
let refusal = "";

const pin = new Pin(scroller, thread, (isPinned) => {
  jump.hidden = isPinned || !shown || shown.turns.length === 0;
});
const around = { client, sessions, announcer, keys, personas, tabs, onchange, onask, onload, ongone };

const composer = new Composer({
  ask: (content) => shown.ask(content),
  stop: () => shown.stop(),
  editLast: () => {
    const buttons = thread.querySelectorAll(".turn:not([hidden]) .question > .icon-button");
    /** @type {HTMLElement | undefined} */ (buttons[buttons.length - 1])?.click();
  },
});

const sidebar = new Sidebar(sessions, {
  begin: () => {
    show(uuid());
    composer.focusIfKeyboard();
  },
  open: (id) => show(id),
  rename: (id, title) => sessions.change(id, { title, renamed: true }),
  erase,
  save: async (id, form) => {
    const session = sessions.get(id);
    if (!session) return;
    const answerer = personas.byId(personas.of(id))?.name ?? "Hitesh";
    await keys.unlocking(() => save(client, session, form, answerer)).catch((error) => toast(errorWords(error)));
  },
  link: sharing() === "off" ? null : (id) => {
    offerLink(linkTo(id), sharing(), () => {
      sessions.change(id, { linked: true });
      toast("Link copied");
    });
  },
  forget: (id) => {
    if (shown.id === id) show(uuid());
    sessions.forget(id);
  },
  where: () => ({
    current: shown?.id ?? "",
    running: new Set([...open.values()].filter((conversation) => conversation.running).map(({ id }) => id)),
  }),
});

/** @param {string} id @param {boolean} [isFound] Whether the id came by a link, so that there is a session or nothing. */
function show(id, isFound = false) {
  refusal = "";
  const conversation = open.get(id) ?? new Conversation(id, around);
  for (const [other, { running }] of open) if (!running) open.delete(other);
  open.set(id, conversation);
  shown = conversation;
  // Nothing is ever begun under an id that somebody else has thought of.
  if (!isFound || sessions.get(id)) current.write(id);
  if (sessions.get(id) || isFound) conversation.load();
  else conversation.beginNew();
  pin.pin();
  onchange(conversation);
}

/** @param {Conversation} conversation */
function onchange(conversation) {
  sidebar.show();
  if (conversation !== shown) return;
  composer.running = conversation.running !== null;
  composer.wait(conversation.id, conversation.loaded);
  showNotice();
  const title = sessions.get(conversation.id)?.title ?? "New chat";
  byId("title").textContent = title;
  document.title = title === "New chat" ? "Hitesh AI" : `${title} · Hitesh AI`;
  const persona = personas.byId(personas.of(conversation.id));
  byId("disclosure").textContent = persona?.disclosure ?? "";
  const wanted = conversation.isEmpty ? "empty" : "turns";
  if (wanted === "turns" && thread.firstChild !== conversation.element) {
    thread.replaceChildren(conversation.element);
    emptyOf = [];
  }
  if (wanted === "empty" && (emptyOf[0] !== conversation || emptyOf[1] !== persona)) {
    thread.replaceChildren(emptyPage(persona, askFirst));
    emptyOf = [conversation, persona];
    pin.begin();
  }
  showPersonas();
}

/** One of the questions to begin with: it goes from the page, and the focus with it. @param {string} question */
function askFirst(question) {
  shown.ask(question);
  if (isFocusLost() && !composer.focusIfKeyboard()) shown.focusNewest();
}

function onask(conversation) {
  if (conversation !== shown) return;
  refusal = "";
  onchange(conversation);
  pin.pin();
}

function showNotice() {
  const notice = byId("notice");
  const words = refusal || sharedWords(sessions.get(shown.id) ?? {});
  notice.classList.toggle("refusal", refusal !== "");
  notice.hidden = words === "";
  // What is the same is not read out again.
  if (notice.textContent !== words) notice.textContent = words;
}

/** Follows the link that the address holds, if it holds one. @returns {boolean} whether what it leads to is shown */
function followLink() {
  const id = takeLink();
  if (id === undefined) return false;
  const session = sessions.get(id ?? "");
  if (sharing() === "off") refuse(LINK_WORDS.off);
  else if (id === null) refuse(LINK_WORDS.malformed);
  else if (session?.deletedAt) refuse(LINK_WORDS.deleted);
  else {
    show(id, true);
    return true;
  }
  return false;
}

/** @param {string} words */
function refuse(words) {
  if (!shown) show(uuid());
  refusal = words;
  showNotice();
}

/** A session that this browser did not know is there by a link, or there is none. @param {Conversation} conversation */
async function onload(conversation) {
  const { id, turns } = conversation;
  const session = sessions.get(id);
  if (turns.length === 0) {
    if (!session || session.byLink || session.linked) ongone(conversation);
    return;
  }
  if (session) return;
  const now = Date.now();
  sessions.change(id, { id, title: titleOf(turns[0].question), byLink: true, createdAt: now, updatedAt: now });
  if (conversation === shown) current.write(id);
  try {
    const { persona } = await client.turn(turns[turns.length - 1].id ?? "");
    sessions.change(id, { persona });
    conversation.assume(persona);
  } catch {
    // Whoever answers new chats answers here.
  }
}

/** @param {Conversation} conversation */
function ongone({ id }) {
  const isShown = shown.id === id;
  const words = sessions.get(id) ? "Somebody who has the link deleted this chat." : LINK_WORDS[sharing()];
  if (isShown) show(uuid());
  open.delete(id);
  sessions.forget(id);
  if (isShown) refuse(words);
}

function showPersonas() {
  const place = byId("persona");
  const id = personas.of(shown.id);
  if (personas.all.length < 2) {
    place.replaceChildren();
    return;
  }
  const select = place.querySelector("select");
  if (select && select.length === personas.all.length) {
    select.value = id ?? "";
    return;
  }
  const choice = h("select", { id: "persona-choice", title: "Who answers" },
    ...personas.all.map((persona) => h("option", { value: persona.id }, persona.name)));
  choice.value = id ?? "";
  choice.addEventListener("change", () => {
    personas.choose(shown.id, choice.value);
    onchange(shown);
  });
  place.replaceChildren(h("label", { className: "visually-hidden", htmlFor: "persona-choice" }, "Who answers"), icon("cup"), choice);
}

/** Takes a chat out of the list, and from the server once it is too late to undo. @param {string} id */
function erase(id) {
  const isByKeys = document.activeElement?.matches(":focus-visible") ?? false;
  const eraseIn = (milliseconds) => {
    sessions.change(id, { deletedAt: Date.now() + milliseconds - UNDO_MS });
    setTimeout(eraseForGood, milliseconds + 50);
  };
  eraseIn(UNDO_MS);
  if (shown.id === id) show(uuid());
  announcer.say("The chat was deleted.");
  const word = toast("Chat deleted", {
    milliseconds: UNDO_MS,
    action: {
      label: "Undo",
      run: () => {
        sessions.change(id, { deletedAt: undefined });
        show(id);
        sidebar.focus(id);
      },
    },
    onstay: eraseIn,
    refocus: () => sidebar.focus(shown.id),
  });
  // The way there is long for the tab key, and the time is short.
  if (isByKeys) word.focus();
}

/** Also what an earlier visit left; what the server can't erase now is tried again by a later one. */
async function eraseForGood() {
  for (const { id } of sessions.toErase()) {
    try {
      await client.erase(id);
      open.get(id)?.leave();
      open.delete(id);
      sessions.forget(id);
    } catch (error) {
      if (error.code === "session_id_invalid") sessions.forget(id);
    }
  }
}

async function learnPersonas() {
  try {
    personas.all = await client.personas();
    for (const conversation of open.values()) conversation.nameAnswerers();
    onchange(shown);
  } catch (error) {
    toast(errorWords(error), { milliseconds: 10_000, action: { label: "Try again", run: learnPersonas } });
  }
}

tabs.listen(({ session, request }) => {
  if (request) open.get(session)?.join(request);
});
sessions.addEventListener("change", () => {
  if (!shown) return;
  if (sessions.get(shown.id)?.deletedAt) show(uuid());
  else onchange(shown);
});
jump.prepend(icon("newest"));
jump.addEventListener("click", () => {
  pin.pin();
  if (!composer.focusIfKeyboard()) scroller.focus({ preventScroll: true });
});
scroller.addEventListener("scroll", async () => {
  if (scroller.scrollTop > OLDER_WITHIN) return;
  const fromEnd = scroller.scrollHeight - scroller.scrollTop;
  if (await shown.loadOlder()) scroller.scrollTop = scroller.scrollHeight - fromEnd;
}, { passive: true });
document.addEventListener("keydown", (event) => {
  if (!(event.target instanceof Element)) return;
  const isWriting = event.target.closest("input:not([type=radio]), textarea, select, dialog");
  if (isWriting || event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.key === "/") {
    event.preventDefault();
    composer.focus();
  }
  if (event.key === "Escape" && !event.target.closest("aside")) shown.stop();
});

addEventListener("hashchange", followLink);
document.addEventListener("visibilitychange", () => {
  const { byLink, linked } = sessions.get(shown.id) ?? {};
  if (document.visibilityState === "visible" && (byLink || linked)) shown.refresh();
});

const before = current.read(null);
if (!followLink() && before !== null) {
  const words = refusal;
  show(before);
  if (words) refuse(words);
} else if (!shown) show(uuid());
composer.focusIfKeyboard();
performance.mark("hitesh:interactive");
learnPersonas();
eraseForGood();
