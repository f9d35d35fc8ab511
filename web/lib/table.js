// Tables that become blocks on narrow screens. The ARIA roles of a table are explicit, because browsers drop
// them when the layout is not a table.

import { h } from "./dom.js";

/** @typedef {string | {hidden: string} | {label: string, heading: Page.Child, sort?: string | null}} Column */

/**
 * A table. `columns` are the headings. A row is a list of cells; the first cell is the row's heading.
 * A heading `{hidden: text}` is visible only to screen readers. `{label, heading, sort}` has a heading of nodes, such
 * as a button that sorts, and the current order (`aria-sort`).
 *
 * @param {string} label
 * @param {Column[]} columns
 * @param {Page.Child[][]} rows
 */
export function table(label, columns, rows) {
  const body = h("tbody", { role: "rowgroup" });
  const heading = (/** @type {Column} */ column) => {
    const attributes = { scope: "col", role: "columnheader" };
    if (typeof column === "string") return h("th", attributes, column);
    if ("hidden" in column) return h("th", attributes, h("span.visually-hidden", {}, column.hidden));
    return h("th", { ...attributes, "aria-sort": column.sort }, column.heading);
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
  const labelOf = (/** @type {Column} */ column) =>
    typeof column === "string" ? column : "label" in column ? column.label : null;
  const cell = (/** @type {Page.Child} */ content, /** @type {number} */ at) =>
    at === 0
      ? h("th", { scope: "row", role: "rowheader" }, content)
      : h("td", { role: "cell", "data-label": labelOf(columns[at]) }, h("div", {}, content));
  return h("tr", { role: "row" }, cells.map(cell));
}
