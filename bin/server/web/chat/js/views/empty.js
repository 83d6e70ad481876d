import { h } from "../dom.js";

const SVG = "http://www.w3.org/2000/svg";

/**
 * The page before the first question.
 * @param {import("../personas.js").Persona | undefined} persona
 * @param {(question: string) => void} ask
 */
export function emptyPage(persona, ask) {
  const isHinglish = persona?.languages.includes("hinglish");
  const greeting = isHinglish ? "Namaste! Chai ready hai." : persona ? `${persona.name} is listening.` : "Namaste!";
  const questions = (persona?.sample_questions ?? []).slice(0, 6).map((question) =>
    h("li", {}, h("button", { type: "button", className: "sample", dir: "auto", onclick: () => ask(question) }, question)));
  return h("section", { className: "empty", "aria-label": "Welcome" },
    /** @type {any} */ (kulhad()),
    h("h2", {}, greeting),
    h("p", { className: "empty-about" }, persona?.description ?? ""),
    h("ul", { className: "samples", "aria-label": "Questions to begin with" }, ...questions),
  );
}

/** A clay cup of chai, with steam. */
function kulhad() {
  const draw = (tag, attributes) => {
    const element = document.createElementNS(SVG, tag);
    for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
    return element;
  };
  const svg = draw("svg", { viewBox: "0 0 160 150", class: "kulhad", "aria-hidden": "true" });
  svg.append(
    draw("ellipse", { cx: "80", cy: "138", rx: "58", ry: "7", class: "kulhad-shadow" }),
    draw("path", { d: "M38 62h84l-9 64c-1.200 7-6 10-13 10H60c-7 0-11.800-3-13-10z", class: "kulhad-body" }),
    draw("path", { d: "M43 92h74l-1.300 9H44.300z", class: "kulhad-band" }),
    draw("path", { d: "M47 96.500h2m6 0h2m6 0h2m6 0h2m6 0h2m6 0h2m6 0h2m6 0h2m6 0h2", class: "kulhad-dots" }),
    draw("ellipse", { cx: "80", cy: "62", rx: "44", ry: "10", class: "kulhad-rim" }),
    draw("ellipse", { cx: "80", cy: "62", rx: "36", ry: "7", class: "kulhad-chai" }),
    draw("path", { d: "M64 46c-7-9 7-13 0-24", class: "steam steam-1" }),
    draw("path", { d: "M80 44c-8-10 8-16 0-30", class: "steam steam-2" }),
    draw("path", { d: "M96 46c-7-9 7-13 0-24", class: "steam steam-3" }),
  );
  return svg;
}
