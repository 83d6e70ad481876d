/** Values as JSON in one of the browser's stores, which may be full, forbidden or filled by somebody else. */
export class Stored {
  #store;
  #name;

  /**
   * @param {() => Storage} store A function, since a browser that forbids storage throws when it is named.
   * @param {string} name
   */
  constructor(store, name) {
    this.#store = store;
    this.#name = name;
  }

  /** @template T @param {T} otherwise What to take when there is nothing, or nothing readable. @returns {T} */
  read(otherwise) {
    try {
      return JSON.parse(this.#store().getItem(this.#name) ?? "null") ?? otherwise;
    } catch {
      return otherwise;
    }
  }

  /** Undefined takes the value away. @param {unknown} value @returns {boolean} whether it was kept */
  write(value) {
    try {
      if (value === undefined) this.#store().removeItem(this.#name);
      else this.#store().setItem(this.#name, JSON.stringify(value));
      return true;
    } catch {
      return false;
    }
  }
}

/** @param {string} name */
export const local = (name) => new Stored(() => localStorage, name);
/** @param {string} name */
export const ofTab = (name) => new Stored(() => sessionStorage, name);

/** A random UUID; `crypto.randomUUID` exists over HTTPS only. */
export function uuid() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  bytes[6] = (bytes[6] & 0x0f) | 0x40;
  bytes[8] = (bytes[8] & 0x3f) | 0x80;
  const hex = [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})/, "$1-$2-$3-$4-");
}
