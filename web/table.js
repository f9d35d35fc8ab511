// Tables that fold into blocks where there is little room. Their roles are spelled out, since what
// is no longer laid out as a table is no longer read as one.

import { h } from "./dom.js";

/**
 * A table. `columns` are the headings; of a row, given as a list of cells, the first names it.
 * A heading that is only said (`{said: text}`) is not shown.
 */
export function table(label, columns, rows) {
  const body = h("tbody", { role: "rowgroup" });
  const heading = (column) =>
    h("th", { scope: "col", role: "columnheader" }, column.said ? h("span.said-only", {}, column.said) : column);
  const element = h(
    "table.folds",
    { role: "table", "aria-label": label },
    h("thead", { role: "rowgroup" }, h("tr", { role: "row" }, columns.map(heading))),
    body,
  );
  addRows(element, columns, rows);
  return element;
}

/** Adds rows below; returns the first one. */
export function addRows(element, columns, rows) {
  const made = rows.map((cells) => row(columns, cells));
  element.querySelector("tbody").append(...made);
  return made[0];
}

function row(columns, cells) {
  const cell = (content, at) =>
    at === 0
      ? h("th", { scope: "row", role: "rowheader" }, content)
      : h("td", { role: "cell", "data-label": columns[at].said ? null : columns[at] }, h("div", {}, content));
  return h("tr", { role: "row" }, cells.map(cell));
}
