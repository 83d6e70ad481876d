// The dashboard: asks for the figures every few seconds, and shows them.

import { byId, h } from "../../chat/js/dom.js";
import { Chart } from "./charts.js";
import { CHARTS, parts, providerCells, tiles } from "./figures.js";
import { adminKey, keepAdminKey } from "./key.js";
import { clock, span } from "./words.js";

const EVERY_MS = 5000;
/** How long an answer is waited for. */
const PATIENCE_MS = 8000;

const [board, keyForm, connection] = [byId("board"), byId("key"), byId("connection")];
const keyInput = /** @type {HTMLInputElement} */ (byId("key-input"));
const charts = CHARTS.map((spec) => new Chart(spec));
byId("charts").append(...charts.map((chart) => chart.element));

/** When figures came last, in milliseconds; none until they do. @type {number | null} */
let shownAt = null;
/** The look that is to come. */
let timer = 0;
/** Counts looks, so that the answer of an older one is not taken for the newest. */
let looks = 0;

async function look() {
  clearTimeout(timer);
  const mine = ++looks;
  const key = adminKey();
  const headers = key === null ? {} : { authorization: `Bearer ${key}` };
  /** @type {Response | null} */
  let reply = null;
  let figures = null;
  try {
    reply = await fetch("/api/dashboard", { headers, cache: "no-store", signal: AbortSignal.timeout(PATIENCE_MS) });
    if (reply.ok) figures = await reply.json();
  } catch {
    // Told below.
  }
  if (mine !== looks) return;
  if (figures !== null) show(figures);
  else if (reply?.status === 401 || reply?.status === 403) return askForKey(key !== null);
  else tellAbsence(reply);
  timer = setTimeout(look, EVERY_MS);
}

function show(figures) {
  [board.hidden, keyForm.hidden] = [false, true];
  shownAt = Date.now();
  byId("about").textContent = `version ${figures.version}, up for ${span(figures.uptime_seconds)}`;
  tell("live", "Live");
  const shown = tiles(figures).map(([name, value, alarming]) =>
    h("div", { className: alarming ? "tile alarming" : "tile" }, h("dt", {}, name), h("dd", {}, value)));
  byId("tiles").replaceChildren(...shown);
  for (const chart of charts) chart.show(figures);
  const rows = figures.providers.map((provider) => {
    const name = h("th", { scope: "row" }, provider.name, h("small", {}, provider.model));
    const cells = providerCells(provider).map(([text, alarming]) => h("td", { className: alarming ? "alarming" : "" }, text));
    return h("tr", {}, name, ...cells);
  });
  byId("providers").querySelector("tbody")?.replaceChildren(...rows);
  byId("parts").replaceChildren(
    ...parts(figures).map(([name, kind, state, isWell]) =>
      h("li", { className: isWell ? "" : "alarming" }, h("strong", {}, name), ` ${kind} `, h("span", {}, state))),
  );
}

/** @param {boolean} had Whether one was given, and not taken. */
function askForKey(had) {
  keepAdminKey(null);
  [board.hidden, keyForm.hidden] = [true, false];
  tell("locked", "");
  byId("key-problem").textContent = had ? "That key was not accepted." : "";
  keyInput.value = "";
  keyInput.focus();
}

/** @param {Response | null} reply */
function tellAbsence(reply) {
  const why = reply === null ? "No connection" : `The server answered ${reply.status}`;
  const since = shownAt === null ? "" : `; what you see is of ${clock(shownAt / 1000)}`;
  tell("away", `${why}${since}. Trying again.`);
}

/** Says so once: a live region that is written anew is read anew. @param {string} state @param {string} text */
function tell(state, text) {
  if (connection.dataset.state === state && connection.textContent === text) return;
  connection.dataset.state = state;
  connection.textContent = text;
}

keyForm.addEventListener("submit", (event) => {
  event.preventDefault();
  keepAdminKey(keyInput.value.trim());
  look();
});
document.addEventListener("visibilitychange", () => {
  if (document.visibilityState === "visible") look();
  else clearTimeout(timer);
});
for (const query of ["(prefers-color-scheme: dark)", "(forced-colors: active)"]) {
  matchMedia(query).addEventListener("change", () => charts.forEach((chart) => chart.redraw()));
}
look();
