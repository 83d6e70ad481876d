// What is shown of the server's figures. Its counts are those of the seconds between two samples; here they become rates.

import { bytes, cost, number, percent, seconds } from "./words.js";

/**
 * @typedef {Record<string, (number | null)[]>} Samples Columns, oldest first.
 * @typedef {{ samples: Samples, every_seconds: number, [name: string]: any }} Figures
 * @typedef {{ name: string, color: string, values: (figures: Figures) => (number | null)[] }} Series
 * @typedef {{ title: string, format: (value: number | null | undefined) => string, top?: number, series: Series[] }} Chart
 */

/** @param {string} column @returns {Series["values"]} */
const plain = (column) => ({ samples }) => samples[column];

/** @param {string} column @returns {Series["values"]} */
const perMinute = (column) => ({ samples, every_seconds }) =>
  samples[column].map((count) => (count === null ? null : (count * 60) / every_seconds));

/** @type {Chart[]} */
export const CHARTS = [
  {
    title: "Requests a minute",
    format: number,
    series: [
      { name: "all", color: "--accent", values: perMinute("requests") },
      { name: "failed (5xx)", color: "--danger", values: perMinute("errors") },
    ],
  },
  {
    title: "Turns a minute",
    format: number,
    series: [
      { name: "ended", color: "--accent", values: perMinute("turns") },
      { name: "not whole", color: "--danger", values: perMinute("turn_errors") },
    ],
  },
  {
    title: "Time to the end of an answer",
    format: seconds,
    series: [
      { name: "median", color: "--good", values: plain("response_p50") },
      { name: "95 %", color: "--accent", values: plain("response_p95") },
      { name: "99 %", color: "--danger", values: plain("response_p99") },
    ],
  },
  {
    title: "Time to its first word",
    format: seconds,
    series: [
      { name: "median", color: "--good", values: plain("first_token_p50") },
      { name: "95 %", color: "--accent", values: plain("first_token_p95") },
    ],
  },
  {
    title: "At work",
    format: number,
    series: [
      { name: "open streams", color: "--syntax-title", values: plain("open_streams") },
      { name: "turns", color: "--accent", values: plain("turns_in_flight") },
      { name: "waiting", color: "--danger", values: plain("waiting") },
    ],
  },
  {
    title: "Found in the cache",
    format: percent,
    top: 1,
    series: [{ name: "of the lookups", color: "--good", values: plain("cache_hit_rate") }],
  },
  {
    title: "Tokens a minute",
    format: number,
    series: [
      { name: "in", color: "--syntax-title", values: perMinute("prompt_tokens") },
      { name: "out", color: "--accent", values: perMinute("completion_tokens") },
    ],
  },
  {
    title: "Cost an hour",
    format: cost,
    series: [
      {
        name: "at the prices of the settings",
        color: "--accent",
        values: ({ samples, every_seconds }) => samples.cost.map((amount) => ((amount ?? 0) * 3600) / every_seconds),
      },
    ],
  },
  {
    title: "Sessions in the store",
    format: number,
    series: [{ name: "sessions", color: "--syntax-title", values: plain("stored_sessions") }],
  },
  {
    title: "Memory",
    format: bytes,
    series: [{ name: "of the process", color: "--good", values: plain("resident_bytes") }],
  },
];

/** @param {(number | null)[]} column */
const last = (column) => column.at(-1) ?? null;

/**
 * The figures at the top: what, how much, and whether that needs somebody's eyes.
 * @param {Figures} figures
 * @returns {[string, string, boolean][]}
 */
export function tiles(figures) {
  const { samples, health, providers, cache } = figures;
  const healthy = health.status === "healthy";
  const waiting = last(samples.waiting) ?? 0;
  return [
    ["Service", health.status, !healthy],
    ["Turns since the start", number(figures.total_turns), false],
    ["Without a whole answer", percent(figures.error_rate), figures.error_rate > 0.05],
    ["Turns that run", number(last(samples.turns_in_flight)), false],
    ["Open streams", number(last(samples.open_streams)), false],
    ["Waiting", number(waiting), waiting > 0],
    ["Found in the cache", percent(cache.hit_rate), false],
    ["Sessions", number(last(samples.stored_sessions)), false],
    ["Memory", bytes(last(samples.resident_bytes)), false],
    ["Cost", cost(providers.reduce((/** @type {number} */ sum, /** @type {any} */ one) => sum + one.cost, 0)), false],
  ];
}

/**
 * A provider's row: its cells, and whether one of them needs somebody's eyes.
 * @param {any} provider
 * @returns {[string, boolean][]}
 */
export function providerCells(provider) {
  return [
    [provider.state, provider.state === "unavailable"],
    [provider.breaker.replace("_", " "), provider.breaker !== "closed"],
    [number(provider.calls), false],
    [number(provider.failures), false],
    [provider.calls > 0 ? seconds(provider.avg_seconds) : "–", false],
    [number(provider.in_flight), false],
    [number(provider.waiting), provider.waiting > 0],
    [number(provider.prompt_tokens), false],
    [number(provider.completion_tokens), false],
    [cost(provider.cost), false],
  ];
}

/**
 * What the service depends on beside providers: its name, its kind, how it is, and whether that is as it should be.
 * @param {Figures} figures
 * @returns {[string, string, string, boolean][]}
 */
export function parts({ health, cache }) {
  const { sessions, cache: check } = health.checks;
  /** @param {{status: string, reason: string | null}} part @returns {[string, boolean]} */
  const state = ({ status, reason }) => {
    if (status === "ready") return ["ready", true];
    return [`${status === "partly_unavailable" ? "a part is away" : "away"}: ${reason ?? "nobody knows why"}`, false];
  };
  return [
    ["Sessions", sessions.backend, ...state(sessions)],
    ["Response cache", `${check.backend}, ${number(cache.entries)} entries`, ...state(check)],
  ];
}
