// Draws the calls of the last 24 hours into the rows of the list of keys.

import { get } from "../lib/api.js";
import { replaceChildren, h } from "../lib/dom.js";
import { loadStyles } from "../lib/styles.js";
import { number, t } from "../lib/text.js";
import { sparkline } from "../elements/sparkline.js";

/** The API takes no more keys at once. */
const KEYS_A_REQUEST = 100;

/** @typedef {{id: string, place: Element}} Row */

/**
 * One request for all rows of a page. The rows stay empty if it fails.
 *
 * @param {Row[]} rows
 */
export async function drawRecent(rows) {
  for (let at = 0; at < rows.length; at += KEYS_A_REQUEST) await drawPart(rows.slice(at, at + KEYS_A_REQUEST));
}

/** @param {Row[]} rows */
async function drawPart(rows) {
  try {
    await loadStyles("sparkline");
    const { items } = await get("/v1/usage/keys", { keys: rows.map(({ id }) => id).join(",") });
    const byKey = new Map(items.map((item) => [item.key, item]));
    for (const { id, place } of rows) replaceChildren(place, drawn(byKey.get(id)));
  } catch (problem) {
    // The list is complete without its small charts.
    if (!problem.members) throw problem;
  }
}

/** @param {Api.KeyHours | undefined} hours */
function drawn(hours) {
  if (!hours) return h("span.soft", {}, number(0));
  const sum = (/** @type {number[]} */ counts) => counts.reduce((one, other) => one + other, 0);
  const refused = t("usage.refused", { count: sum(hours.refused) });
  const label = t("usage.sum", { count: sum(hours.calls), refused });
  const buckets = hours.calls.map((calls, at) => ({ calls, allowed: calls - hours.refused[at] }));
  return h("span", { title: label }, sparkline(buckets, label));
}
