// Charts on canvas, with what they show as text beside them.

import uPlot from "../../vendor/uplot.js";
import { h } from "../../chat/js/dom.js";
import { clock } from "./words.js";

/** @typedef {import("./figures.js").Chart} ChartSpec */
/** @typedef {import("./figures.js").Figures} Figures */

const HEIGHT = 190;
/** What the charts go back at least, in seconds: a server that has just started has less to tell. */
const LEAST = 2 * 60;
/** Lines differ in more than their colour. */
const DASHES = [[], [7, 4], [2, 3]];

/** Labels of moments; with seconds where minutes would say the same twice. @param {any} _ @param {number[]} at */
function times(_, at, _axis, _space, /** @type {number} */ apart) {
  return at.map((one) => clock(one).slice(0, apart < 60 ? 8 : 5));
}

/** One chart, whose room does not change when figures come. */
export class Chart {
  #spec;
  #room = h("div", { className: "plot", role: "img" });
  #readings;
  #when = h("span", { className: "when" });
  /** @type {any} */
  #plot = null;
  /** @type {any[]} */
  #data = [];

  /** @param {ChartSpec} spec */
  constructor(spec) {
    this.#spec = spec;
    this.#readings = spec.series.map(() => h("strong", {}, "–"));
    const legend = spec.series.map((series, index) => {
      const swatch = h("span", { className: "swatch", "aria-hidden": "true" });
      swatch.style.setProperty("--swatch", `var(${series.color})`);
      swatch.dataset.dash = String(index);
      return h("li", {}, swatch, `${series.name} `, this.#readings[index]);
    });
    this.element = h(
      "figure",
      { className: "chart" },
      h("figcaption", {}, h("h3", {}, spec.title), this.#when),
      this.#room,
      h("ul", { className: "legend" }, ...legend),
    );
    new ResizeObserver(() => this.#fit()).observe(this.#room);
  }

  /** @param {Figures} figures */
  show(figures) {
    this.#data = [figures.samples.at, ...this.#spec.series.map((series) => series.values(figures))];
    if (this.#plot === null) this.#draw();
    else this.#plot.setData(this.#data);
    this.#read(this.#plot.cursor.idx ?? null);
    this.#room.setAttribute("aria-label", this.#inWords());
  }

  /** After the page's colours have changed. */
  redraw() {
    if (this.#plot === null) return;
    this.#plot.destroy();
    this.#draw();
  }

  #fit() {
    const width = this.#room.clientWidth;
    if (this.#plot !== null && width > 0) this.#plot.setSize({ width, height: HEIGHT });
  }

  #draw() {
    const style = getComputedStyle(document.documentElement);
    const color = (/** @type {string} */ name) => style.getPropertyValue(name).trim();
    const font = `12px ${color("--sans")}`;
    const axis = { stroke: color("--ink-soft"), font, ticks: { show: false } };
    const series = this.#spec.series.map((one, index) => ({
      stroke: color(one.color),
      width: 2,
      dash: DASHES[index],
      points: { size: 4, fill: color(one.color) },
      // Where nothing ended there is nothing to tell, and between two moments that tell nothing is made up.
      spanGaps: false,
    }));
    const options = {
      width: Math.max(this.#room.clientWidth, 100),
      height: HEIGHT,
      legend: { show: false },
      cursor: { drag: { x: false, y: false }, points: { size: 7 } },
      scales: {
        x: { range: (/** @type {any} */ _, /** @type {number} */ first, /** @type {number} */ last) => [Math.min(first, last - LEAST), last] },
        y: { range: (/** @type {any} */ _, /** @type {number | null} */ _low, /** @type {number | null} */ high) => [0, this.#top(high)] },
      },
      series: [{}, ...series],
      axes: [
        { ...axis, grid: { show: false }, size: 30, space: 60, values: times },
        { ...axis, grid: { stroke: color("--line"), width: 1 }, size: 68, space: 44, values: (/** @type {any} */ _, /** @type {number[]} */ at) => at.map(this.#spec.format) },
      ],
      padding: [12, 28, 0, 0],
      hooks: { setCursor: [(/** @type {any} */ plot) => this.#read(plot.cursor.idx ?? null)] },
    };
    this.#plot = new uPlot(options, this.#data, this.#room);
    // It is a picture of what the legend says in words.
    this.#room.firstElementChild?.setAttribute("aria-hidden", "true");
  }

  /** @param {number | null} high */
  #top(high) {
    return this.#spec.top ?? (high === null || high <= 0 ? 1 : high * 1.1);
  }

  /** Shows the values at a place, or the newest. @param {number | null} at */
  #read(at) {
    const place = at ?? this.#data[0].length - 1;
    this.#when.textContent = at === null ? "" : clock(this.#data[0][place]);
    this.#readings.forEach((reading, index) => {
      reading.textContent = this.#spec.format(this.#data[index + 1][place]);
    });
  }

  #inWords() {
    const told = this.#spec.series.map((series, index) => {
      const values = this.#data[index + 1].filter((/** @type {number | null} */ value) => value !== null);
      if (values.length === 0) return `${series.name}: nothing yet`;
      return `${series.name}: ${this.#spec.format(values.at(-1))} last, at most ${this.#spec.format(Math.max(...values))}`;
    });
    return `${this.#spec.title}. ${told.join("; ")}.`;
  }
}
