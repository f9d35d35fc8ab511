// The icons of the page: 16 px drawings in the colour of the text around them.

import { h, svg } from "./dom.js";

/**
 * Each icon as the paths of its strokes, on a square of 16.
 *
 * @type {Record<string, string>}
 */
const PATHS = {
  home: "M2.5 7 8 2.3 13.5 7v6.5h-4v-4h-3v4h-4Z",
  key: "M9.6 6.4 14 2M11.6 4.4l1.7 1.7M10.4 10.1a3.4 3.4 0 1 1-6.8 0 3.4 3.4 0 0 1 6.8 0Z",
  team:
    "M8 5.5a2.5 2.5 0 1 1-5 0 2.5 2.5 0 0 1 5 0ZM1.5 13a4 4 0 0 1 8 0M10.6 3.2a2.4 2.4 0 0 1 0 4.6" +
    "M11.8 9.3a4 4 0 0 1 2.7 3.7",
  person: "M10.7 5.2a2.7 2.7 0 1 1-5.4 0 2.7 2.7 0 0 1 5.4 0ZM3 13.5a5 5 0 0 1 10 0",
  shield: "M8 1.8 3 3.6v4c0 3.2 2.1 5.4 5 6.6 2.9-1.2 5-3.4 5-6.6v-4L8 1.8Z",
  list: "M2.5 4h11M2.5 8h11M2.5 12h7",
  building: "M3.5 14V2.5h9V14M1.8 14h12.4M6 5.5h.01M10 5.5h.01M6 8.5h.01M10 8.5h.01M7 14v-2.5h2V14",
  buildings: "M1.5 14h13M2.5 14V6.5h4M6.5 14V2.5h7V14M9.3 5.5h1.4M9.3 8.2h1.4M9.3 10.9h1.4",
  chart: "M3 13.5V9M8 13.5V3M13 13.5V6.5",
  clock: "M14 8A6 6 0 1 1 2 8a6 6 0 0 1 12 0ZM8 4.8V8l2.2 1.4",
  card: "M1.8 3.5h12.4v9H1.8ZM1.8 6.6h12.4M4.3 10h2.4",
  gate: "M2.5 14V7.5a5.5 5.5 0 0 1 11 0V14M6 14V7.5a2 2 0 0 1 4 0V14M1.5 14h13",
  search: "M11.5 7a4.5 4.5 0 1 1-9 0 4.5 4.5 0 0 1 9 0ZM10.3 10.3l3.4 3.4",
  plus: "M8 3v10M3 8h10",
  close: "m4 4 8 8M12 4l-8 8",
  check: "m3 8.5 3.3 3.3L13 4.8",
  minus: "M4 8h8",
  copy: "M5.5 5.5h8v8h-8ZM10.5 5.5v-3h-8v8h3",
  pencil: "m2.8 13.2.8-3.2 7.3-7.3 2.4 2.4-7.3 7.3ZM9.3 4.3l2.4 2.4",
  rotate: "M13.7 6.7A6 6 0 0 0 3 4.8L2 6.3M2 3v3.3h3.3M2.3 9.3A6 6 0 0 0 13 11.2l1-1.5M14 13V9.7h-3.3",
  pause: "M14 8A6 6 0 1 1 2 8a6 6 0 0 1 12 0ZM6.5 6v4M9.5 6v4",
  play: "M14 8A6 6 0 1 1 2 8a6 6 0 0 1 12 0ZM6.7 5.7v4.6L10.3 8Z",
  revoke: "M14 8A6 6 0 1 1 2 8a6 6 0 0 1 12 0ZM3.8 3.8l8.4 8.4",
  more: "M3.2 8h.01M8 8h.01M12.8 8h.01",
  chevron: "m4.5 6.5 3.5 3.5 3.5-3.5",
  up: "M8 12.5v-9M4.5 7 8 3.5 11.5 7",
  down: "M8 3.5v9M4.5 9 8 12.5 11.5 9",
  menu: "M2 4h12M2 8h12M2 12h12",
  book: "M3 12.2V3.8A1.5 1.5 0 0 1 4.5 2.3H13v11.5H4.5A1.5 1.5 0 0 1 3 12.3a1.5 1.5 0 0 1 1.5-1.5H13M6 5.5h4",
  help: "M14 8A6 6 0 1 1 2 8a6 6 0 0 1 12 0ZM6.4 6.4a1.7 1.7 0 1 1 2.4 1.6c-.5.3-.8.6-.8 1.2M8 11.3h.01",
  exit: "M6.5 13.5h-4v-11h4M10.5 11l3-3-3-3M13 8H6.5",
  sun:
    "M11 8a3 3 0 1 1-6 0 3 3 0 0 1 6 0ZM8 1.5v1M8 13.5v1M1.5 8h1M13.5 8h1M3.4 3.4l.7.7M11.9 11.9l.7.7" +
    "M12.6 3.4l-.7.7M4.1 11.9l-.7.7",
  globe: "M14 8A6 6 0 1 1 2 8a6 6 0 0 1 12 0ZM2 8h12M8 2c4 3.6 4 8.4 0 12M8 2c-4 3.6-4 8.4 0 12",
  keyboard: "M1.5 4h13v8.5h-13ZM4 6.8h.01M6.7 6.8h.01M9.3 6.8h.01M12 6.8h.01M5 9.8h6",
  eye: "M1.5 8S4 3.8 8 3.8 14.5 8 14.5 8 12 12.2 8 12.2 1.5 8 1.5 8ZM10 8a2 2 0 1 1-4 0 2 2 0 0 1 4 0Z",
  hidden:
    "M6.4 4A7 7 0 0 1 8 3.8C12 3.8 14.5 8 14.5 8a12 12 0 0 1-2 2.4" +
    "M10 11.8a6.5 6.5 0 0 1-2 .4C4 12.2 1.5 8 1.5 8a12 12 0 0 1 2.7-3M2.5 2.5l11 11",
  info: "M14 8A6 6 0 1 1 2 8a6 6 0 0 1 12 0ZM8 7.3v3.5M8 5h.01",
  alert: "M8 2.5 14.5 13.5H1.5ZM8 6.8v3M8 11.7h.01",
};

/**
 * An icon without a name of its own: the text beside it, or the label of its button, says what it means.
 *
 * @param {string} name
 */
export function icon(name) {
  return svg(`svg.icon.icon-${name}`, { viewBox: "0 0 16 16", "aria-hidden": "true" }, svg("path", { d: PATHS[name] }));
}

/** The mark of Keyhouse. */
export function mark() {
  return svg(
    "svg.mark",
    { viewBox: "0 0 24 24", "aria-hidden": "true" },
    svg("rect", { width: 24, height: 24, rx: 6 }),
    svg("path", { d: "M7.3 12a2.2 2.2 0 1 0 4.4 0 2.2 2.2 0 1 0-4.4 0M11.7 12h5.8v2.4M15 12v1.7" }),
  );
}

/**
 * A button with an icon only. `label` is its accessible name and its tooltip.
 *
 * @param {string} name
 * @param {string} label
 * @param {Page.Properties} properties
 */
export function iconButton(name, label, properties) {
  const button = h("button.quiet.icon-only", { type: "button", "aria-label": label, title: label, ...properties });
  button.append(icon(name));
  return button;
}
