import { h } from "../dom.js";
import { seconds, sourceWords } from "../words.js";

/**
 * What is known about an answer.
 * @param {import("../turn.js").Turn} turn
 * @param {import("../personas.js").Personas} personas
 */
export function infoPanel(turn, personas) {
  const { source, provider, model, persona, firstWordMs, totalMs, usage } = turn.meta;
  const rows = [
    ["Answered by", persona && (personas.byId(persona)?.name ?? persona)],
    ["Source", source && sourceWords(source)],
    ["Provider", provider],
    ["Model", model],
    ["First word after", firstWordMs === undefined ? undefined : seconds(firstWordMs)],
    ["Whole after", totalMs === undefined ? undefined : seconds(totalMs)],
    ["Tokens", usage && `${usage.prompt_tokens} in, ${usage.completion_tokens} out`],
  ].filter(([, value]) => value);
  if (rows.length === 0) return h("p", {}, "Looking it up…");
  return h("dl", {}, ...rows.map(([name, value]) => h("div", {}, h("dt", {}, name), h("dd", {}, value))));
}
