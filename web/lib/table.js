// Tables that become blocks on narrow screens. The ARIA roles of a table are explicit, because browsers drop
// them when the layout is not a table.

import { h } from "./dom.js";

/** @typedef {string | {hidden: string}} Column */

/**
 * A table. `columns` are the headings. A row is a list of cells; the first cell is the row's heading.
 * A heading `{hidden: text}` is visible only to screen readers.
 *
 * @param {string} label
 * @param {Column[]} columns
 * @param {Page.Child[][]} rows
 */
export function table(label, columns, rows) {
  const body = h("tbody", { role: "rowgroup" });
  const heading = (/** @type {Column} */ column) => {
    const text = typeof column === "object" ? h("span.visually-hidden", {}, column.hidden) : column;
    return h("th", { scope: "col", role: "columnheader" }, text);
  };
  const element = h(
    "table.folds",
    { role: "table", "aria-label": label },
    h("thead", { role: "rowgroup" }, h("tr", { role: "row" }, columns.map(heading))),
    body,
  );
  addRows(element, columns, rows);
  return element;
}

/**
 * Adds rows at the end. Returns the first added row.
 *
 * @param {Element} element
 * @param {Column[]} columns
 * @param {Page.Child[][]} rows
 */
export function addRows(element, columns, rows) {
  const made = rows.map((cells) => row(columns, cells));
  element.querySelector("tbody").append(...made);
  return made[0];
}

/**
 * @param {Column[]} columns
 * @param {Page.Child[]} cells
 */
function row(columns, cells) {
  const labelOf = (/** @type {Column} */ column) => (typeof column === "object" ? null : column);
  const cell = (/** @type {Page.Child} */ content, /** @type {number} */ at) =>
    at === 0
      ? h("th", { scope: "row", role: "rowheader" }, content)
      : h("td", { role: "cell", "data-label": labelOf(columns[at]) }, h("div", {}, content));
  return h("tr", { role: "row" }, cells.map(cell));
}
