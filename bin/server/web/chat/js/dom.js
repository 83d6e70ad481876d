/**
 * Makes an element. Properties are set as properties, those with a hyphen as attributes; functions named `on…` listen.
 *
 * @template {keyof HTMLElementTagNameMap} K
 * @param {K} tag
 * @param {Record<string, any>} [properties]
 * @param {...(Node | string | null)} children
 * @returns {HTMLElementTagNameMap[K]}
 */
export function h(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (value === undefined || value === null) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name.includes("-") || name === "role") element.setAttribute(name, String(value));
    else element[name] = value;
  }
  element.append(...children.filter((child) => child !== null));
  return element;
}

/** Line drawings in a box of 24 by 24. */
const PATHS = {
  send: "M12 19V5M6 11l6-6 6 6",
  stop: "M7.500 7.500h9v9h-9z",
  menu: "M4 7h16M4 12h11M4 17h16",
  close: "M6 6l12 12M18 6L6 18",
  plus: "M12 5v14M5 12h14",
  copy: "M9 9h10v11H9zM15 9V4H5v11h4",
  check: "M5 12.500l4.500 4.500L19 7.500",
  again: "M19 12a7 7 0 1 1-2.100-5M19 4v4h-4",
  edit: "M4 20l1-4L16 5l3 3L8 19zM14 7l3 3",
  up: "M7 11v9H4v-9zM7 11l4-8c1.500 0 2.500 1 2.500 2.500V9h5c1 0 1.800 1 1.500 2l-1.800 7.500c-.2.900-1 1.500-1.900 1.500H7",
  down: "M17 13V4h3v9zM17 13l-4 8c-1.500 0-2.500-1-2.500-2.500V15h-5c-1 0-1.800-1-1.500-2L5.800 5.500C6 4.600 6.800 4 7.700 4H17",
  info: "M12 3.500a8.500 8.500 0 1 0 0 17 8.500 8.500 0 0 0 0-17zM12 11v5M12 7.800v.2",
  more: "M6 12h.01M12 12h.01M18 12h.01",
  fold: "M9 6l6 6-6 6",
  light: "M12 8a4 4 0 1 0 0 8 4 4 0 0 0 0-8zM12 3v1.500M12 19.500V21M3 12h1.500M19.500 12H21M5.600 5.600l1.100 1.100M17.300 17.300l1.100 1.100M5.600 18.400l1.100-1.100M17.300 6.700l1.100-1.100",
  dark: "M19.500 14.500A8 8 0 0 1 9.500 4.500a8 8 0 1 0 10 10z",
  system: "M4 5h16v11H4zM9 20h6M12 16v4",
  cup: "M5 9h12l-1.200 9.200a2 2 0 0 1-2 1.800H8.200a2 2 0 0 1-2-1.800zM17 11h1.500a2.200 2.200 0 0 1 0 4.400H16.500M9 6c-1-1.200 1-2 0-3.200M13 6c-1-1.200 1-2 0-3.200",
  newest: "M12 5v14M6 13l6 6 6-6",
};

/**
 * A decorative drawing.
 * @param {keyof typeof PATHS} name
 */
export function icon(name) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("viewBox", "0 0 24 24");
  svg.setAttribute("class", "icon");
  svg.setAttribute("aria-hidden", "true");
  const path = document.createElementNS("http://www.w3.org/2000/svg", "path");
  path.setAttribute("d", PATHS[name]);
  svg.append(path);
  return svg;
}

/**
 * A button that shows an icon only.
 * @param {keyof typeof PATHS} name
 * @param {string} label What it does, for those who don't see it, and as its tooltip.
 * @param {() => void} onclick
 */
export function iconButton(name, label, onclick) {
  return h("button", { type: "button", className: "icon-button", title: label, "aria-label": label, onclick }, icon(name));
}

/** Whether nothing has the focus, as when what had it was taken away. */
export function isFocusLost() {
  return document.activeElement === null || document.activeElement === document.body;
}

/** The element of the page that has this id. @param {string} id */
export function byId(id) {
  const element = document.getElementById(id);
  if (!element) throw new Error(`the page has no #${id}`);
  return element;
}
