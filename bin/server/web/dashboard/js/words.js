// Figures as people read them.

const plain = new Intl.NumberFormat("en", { maximumFractionDigits: 1 });
const compact = new Intl.NumberFormat("en", { notation: "compact", maximumFractionDigits: 1 });
const money = new Intl.NumberFormat("en", { minimumFractionDigits: 2, maximumFractionDigits: 4 });

/** What stands where there is nothing to tell. */
export const NOTHING = "–";

/** Formats a value, if there is one. @param {(value: number) => string} format */
const maybe = (format) => (/** @type {number | null | undefined} */ value) =>
  value === null || value === undefined ? NOTHING : format(value);

export const number = maybe((value) => (Math.abs(value) >= 10_000 ? compact.format(value) : plain.format(value)));

export const percent = maybe((value) => `${plain.format(value * 100)} %`);

export const cost = maybe((value) => money.format(value));

/** @type {(seconds: number | null | undefined) => string} */
export const seconds = maybe((value) => (value < 1 ? `${Math.round(value * 1000)} ms` : `${plain.format(value)} s`));

/** @type {(bytes: number | null | undefined) => string} */
export const bytes = maybe((value) => {
  if (value >= 2 ** 30) return `${plain.format(value / 2 ** 30)} GiB`;
  return `${plain.format(value / 2 ** 20)} MiB`;
});

/** How long something has been going on. @param {number} total In seconds. */
export function span(total) {
  const days = Math.floor(total / 86_400);
  const hours = Math.floor((total % 86_400) / 3600);
  const minutes = Math.floor((total % 3600) / 60);
  if (days > 0) return `${days} d ${hours} h`;
  if (hours > 0) return `${hours} h ${minutes} min`;
  return minutes > 0 ? `${minutes} min` : `${Math.floor(total)} s`;
}

/** A moment of today. @param {number} at In seconds since 1970. */
export function clock(at) {
  return new Date(at * 1000).toLocaleTimeString("en-GB", { hour: "2-digit", minute: "2-digit", second: "2-digit" });
}
