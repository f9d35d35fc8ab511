// The newest refused calls of a key: time, reason, address and gate.

import { get } from "../lib/api.js";
import { replaceChildren, h } from "../lib/dom.js";
import { select } from "../lib/form.js";
import { skeleton } from "../lib/list.js";
import { timeAgo } from "../elements/time-ago.js";
import { codeName } from "../elements/usage-chart.js";
import { problemNotice } from "../lib/messages.js";
import { table } from "../lib/table.js";
import { compareNames, t } from "../lib/text.js";
import { card } from "./parts.js";

/** Rows before "Show all". */
const ROWS_FIRST = 10;

/** @param {Api.Key} key */
export function refusedCalls(key) {
  const place = h("div.stack", {}, skeleton());
  const filters = h("div.row", {});
  const load = async () => {
    try {
      const { items } = await get(`/v1/keys/${key.id}/requests`);
      if (items.length === 0) return replaceChildren(place, h("p.soft", {}, t("requests.none")));
      const wanted = { code: "", gate: "" };
      const draw = () => replaceChildren(place, rows(items.filter(matching(wanted)), place, ROWS_FIRST));
      replaceChildren(filters, filter(items, wanted, "code", draw), filter(items, wanted, "gate", draw));
      return draw();
    } catch (problem) {
      if (!problem.members) throw problem;
      return replaceChildren(place, problemNotice(problem, load));
    }
  };
  load();
  return card(t("requests.title"), filters, place);
}

/** @param {{code: string, gate: string}} wanted */
const matching =
  ({ code, gate }) =>
  (/** @type {Api.RefusedCall} */ call) =>
    (code === "" || call.code === code) && (gate === "" || call.gate === gate);

/**
 * A filter by the values that occur; `null` for a single one.
 *
 * @param {Api.RefusedCall[]} items
 * @param {{code: string, gate: string}} wanted
 * @param {"code" | "gate"} name
 * @param {() => void} draw
 */
function filter(items, wanted, name, draw) {
  const values = [...new Set(items.map((item) => item[name]))].filter((value) => value !== null);
  if (values.length < 2) return null;
  const [label, all] =
    name === "code" ? [t("requests.reason"), t("requests.any_reason")] : [t("requests.gate"), t("requests.any_gate")];
  const textOf = name === "code" ? codeName : (/** @type {string} */ value) => value;
  const choices = values.map((value) => [value, textOf(value)]).sort(([, one], [, other]) => compareNames(one, other));
  const onchange = (/** @type {Page.ControlEvent} */ event) => {
    wanted[name] = event.target.value;
    draw();
  };
  return select(name, [["", all], ...choices], "", { class: "short", "aria-label": label, onchange });
}

/**
 * @param {Api.RefusedCall[]} items
 * @param {Element} place
 * @param {number} count
 * @returns {Page.Child}
 */
function rows(items, place, count) {
  if (items.length === 0) return h("p.soft", {}, t("requests.none_match"));
  const all = () => {
    replaceChildren(place, rows(items, place, items.length));
    place.querySelector("tbody tr:last-child")?.scrollIntoView({ block: "nearest" });
    // The button is gone: the first new row gets the focus.
    const first = place.querySelectorAll("tbody tr")[count];
    first?.setAttribute("tabindex", "-1");
    /** @type {HTMLElement | undefined} */ (first)?.focus({ preventScroll: true });
  };
  const more = h("button.quiet", { type: "button", onclick: all }, t("requests.all", { count: items.length }));
  return [asTable(items.slice(0, count)), items.length > count ? h("div", {}, more) : null];
}

/** @param {Api.RefusedCall[]} items */
function asTable(items) {
  const columns = [t("requests.time"), t("requests.reason"), t("requests.address"), t("requests.gate")];
  const code = (/** @type {string | null} */ text) => (text ? h("code", {}, text) : "–");
  const cells = items.map(({ at, code: reason, ip, gate }) => [timeAgo(at), codeName(reason), code(ip), code(gate)]);
  return h("div.refused", {}, table(t("requests.title"), columns, cells));
}
