// The newest refused calls of a key: time, reason, address and gate.

import { get } from "../lib/api.js";
import { replaceChildren, h } from "../lib/dom.js";
import { timeAgo } from "../elements/time-ago.js";
import { codeName } from "../elements/usage-chart.js";
import { problemNotice } from "../lib/messages.js";
import { table } from "../lib/table.js";
import { t } from "../lib/text.js";

/** Rows before "Show all". */
const ROWS_FIRST = 5;

/** @param {Api.Key} key */
export function refusedCalls(key) {
  const place = h("div.stack", {});
  const load = async () => {
    try {
      const { items } = await get(`/v1/keys/${key.id}/requests`);
      replaceChildren(place, items.length === 0 ? h("p.soft", {}, t("requests.none")) : shown(items, ROWS_FIRST));
    } catch (problem) {
      if (!problem.members) throw problem;
      replaceChildren(place, problemNotice(problem, load));
    }
  };
  /**
   * @param {Api.RefusedCall[]} items
   * @param {number} rows
   */
  const shown = (items, rows) => {
    const all = () => {
      replaceChildren(place, shown(items, items.length));
      place.querySelector("tbody tr:last-child")?.scrollIntoView({ block: "nearest" });
      // The button is gone: the first new row gets the focus.
      const first = place.querySelectorAll("tbody tr")[rows];
      first?.setAttribute("tabindex", "-1");
      /** @type {HTMLElement | undefined} */ (first)?.focus({ preventScroll: true });
    };
    const more = h("button.quiet", { type: "button", onclick: all }, t("requests.all", { count: items.length }));
    return [asTable(items.slice(0, rows)), items.length > rows ? h("div", {}, more) : null];
  };
  load();
  return h("div.stack", {}, h("h3", {}, t("requests.title")), place);
}

/** @param {Api.RefusedCall[]} items */
function asTable(items) {
  const columns = [t("requests.time"), t("requests.reason"), t("requests.address"), t("requests.gate")];
  const code = (/** @type {string | null} */ text) => (text ? h("code", {}, text) : "–");
  const rows = items.map(({ at, code: reason, ip, gate }) => [timeAgo(at), codeName(reason), code(ip), code(gate)]);
  return table(t("requests.title"), columns, rows);
}
