// Writes a table as CSV (RFC 4180).

/** A spreadsheet computes a cell that begins with one of these characters. */
const FORMULA = /^[=+\-@\t\r\n]/;

/**
 * The lines of a table. Texts that a spreadsheet would compute get an apostrophe in front.
 *
 * @param {(string | number | null | undefined)[][]} rows
 */
export const csvOf = (rows) => rows.map((cells) => `${cells.map(cell).join(",")}\r\n`).join("");

/** @param {string | number | null | undefined} value */
function cell(value) {
  const text = String(value ?? "");
  const safe = typeof value === "string" && FORMULA.test(text) ? `'${text}` : text;
  return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}
