import { local, ofTab } from "./storage.js";

/**
 * @typedef {"light" | "dark" | "system"} Theme
 * @typedef {"auto" | "open" | "closed"} Fold How a step is shown: open while it grows, always, or never.
 */

const stored = local("hitesh.preferences");

/** @param {object} change */
function keep(change) {
  stored.write({ ...stored.read({}), ...change });
}

/** @returns {Theme} */
export function theme() {
  return stored.read({}).theme ?? "system";
}

/** @param {Theme} chosen */
export function chooseTheme(chosen) {
  keep({ theme: chosen });
  if (chosen === "system") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = chosen;
}

/** @param {"analyze" | "think"} step @returns {Fold} */
export function fold(step) {
  return stored.read({}).folds?.[step] ?? "auto";
}

/** @param {"analyze" | "think"} step @param {Fold} chosen */
export function chooseFold(step, chosen) {
  keep({ folds: { ...stored.read({}).folds, [step]: chosen } });
}

/** @returns {string | null} the persona of new chats */
export function persona() {
  return stored.read({}).persona ?? null;
}

/** @param {string} id */
export function choosePersona(id) {
  keep({ persona: id });
}

const keyOfTab = ofTab("hitesh.key");
const keyOfDevice = local("hitesh.key");

/** @returns {string | null} the API key, if this browser was given one */
export function apiKey() {
  return keyOfTab.read(null) ?? keyOfDevice.read(null);
}

/** @param {string} key @param {boolean} onDevice Whether it outlives this tab. */
export function keepApiKey(key, onDevice) {
  keyOfTab.write(key);
  keyOfDevice.write(onDevice ? key : undefined);
}
