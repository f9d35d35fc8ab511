// The dialog that changes the selected keys of the list: share, extend, disable, revoke.

import { post } from "../lib/api.js";
import { confirm } from "../lib/dialog.js";
import { h, replaceChildren } from "../lib/dom.js";
import { announce, faultText, problemText } from "../lib/messages.js";
import { loadTexts, t } from "../lib/text.js";
import { extension } from "./bulk-extension.js";
import { sharing } from "./bulk-sharing.js";
import { isOn } from "./selection.js";

/** Statuses and codes after which the remaining requests would also fail. */
const STOPS = [0, 401, 429, "proof_required"];

/**
 * @typedef {import("./selection.js").Row} Row
 * @typedef {import("./selection.js").Action} Action
 */

/**
 * A change of several keys. `fits` is whether a key is changed with the values in `controls`, which must not change
 * while the requests run.
 *
 * @typedef {object} Change
 * @property {HTMLElement} [controls]
 * @property {HTMLElement} lead What happens to the keys, above their list.
 * @property {Page.Child} [below] The same, below the list.
 * @property {string} [nothing] Why no key is in the list.
 * @property {boolean} [safe] Whether the change can be undone.
 * @property {(row: Row) => boolean} fits
 * @property {(row: Row) => Page.Child} [detail] What the key gets.
 * @property {(row: Row) => Promise<Api.Key>} send
 */

/** The texts of each change: title, button, result, and result if some keys failed. */
const TEXTS = {
  share: ["bulk.share_title", "bulk.share_confirm", "bulk.share_all", "bulk.share_part"],
  extend: ["bulk.extend_title", "bulk.extend_confirm", "bulk.extend_all", "bulk.extend_part"],
  disable: ["bulk.disable_title", "bulk.disable_confirm", "bulk.disable_all", "bulk.disable_part"],
  revoke: ["bulk.revoke_title", "bulk.revoke_confirm", "bulk.revoke_all", "bulk.revoke_part"],
};

/**
 * The changes. `draw()` shows the keys again after a change in the controls.
 *
 * @type {Record<Action, (rows: Row[], draw: () => void) => Change>}
 */
const CHANGES = {
  share: sharing,
  extend: extension,
  disable: () => ({
    lead: h("p", {}, t("bulk.refused")),
    fits: isOn,
    send: ({ key }) => post(/** @type {const} */ (`/v1/keys/${key.id}/disable`)),
  }),
  revoke: () => ({
    lead: h("p", {}, t("bulk.refused")),
    below: h("p", {}, t("bulk.created"), " ", t("key.revoke_permanent")),
    fits: () => true,
    send: ({ key }) => post(/** @type {const} */ (`/v1/keys/${key.id}/revoke`)),
  }),
};

/**
 * Changes keys one after the other, after confirmation, until the user closes the dialog. A key that fails stays
 * selected and in the dialog, with its problem. Resolves to whether all keys are done.
 *
 * @param {Action} action
 * @param {Row[]} rows
 */
export async function changeAll(action, rows) {
  await loadTexts("bulk");
  const [title, confirmation, all, part] = TEXTS[action];
  /** The keys that are not changed yet, with their lines in the dialog. */
  let lines = /** @type {Map<Row, HTMLElement>} */ (new Map());
  let done = 0;
  const list = h("ul.bullets.scrolls", { tabindex: "0", "aria-label": t("keys.selection") });
  const rest = h("p.small.soft", { role: "status" });
  const button = h("span", {});
  const label = () => {
    const count = lines.size;
    const others = rows.length - done - count;
    replaceChildren(button, t(confirmation, { count }));
    button.closest("button")?.toggleAttribute("disabled", count === 0);
    list.hidden = count === 0;
    change.lead.hidden = count === 0;
    replaceChildren(rest, count === 0 ? change.nothing : others > 0 ? t("bulk.unchanged", { count: others }) : null);
  };
  const draw = () => {
    const left = rows.filter((row) => row.box.checked && change.fits(row));
    lines = new Map(left.map((row) => [row, line(row, change.detail?.(row))]));
    replaceChildren(list, [...lines.values()]);
    label();
  };
  const change = CHANGES[action](rows, draw);
  const report = () => {
    const total = done + lines.size;
    if (done > 0) announce(t(lines.size === 0 ? all : part, { count: done, total }));
  };
  const run = async (/** @type {() => boolean} */ isOpen) => {
    const before = lines.size;
    if (change.controls) change.controls.inert = true;
    const problem = await changeEach(change, lines, isOpen);
    if (change.controls) change.controls.inert = false;
    done += before - lines.size;
    if (!problem) return;
    label();
    if (isOpen()) report();
    throw problem;
  };
  const body = [change.controls, change.lead, list, rest, change.below];
  const count = rows.filter((row) => change.fits(row)).length;
  const closed = confirm({ title: t(title, { count }), body, button, safe: change.safe }, run);
  draw();
  await closed;
  report();
  return done > 0 && lines.size === 0;
}

/**
 * Sends the requests. Removes the lines of the changed keys, and returns the first problem.
 *
 * @param {Change} change
 * @param {Map<Row, HTMLElement>} lines
 * @param {() => boolean} isOpen
 */
async function changeEach(change, lines, isOpen) {
  let first;
  for (const [row, shown] of [...lines]) {
    if (!isOpen()) break;
    shown.querySelector(".fault")?.remove();
    try {
      row.changed(await change.send(row));
    } catch (problem) {
      if (!problem.members) throw problem;
      shown.append(h("p.fault", {}, wordsOf(problem)));
      first ??= problem;
      if (STOPS.includes(problem.status) || STOPS.includes(problem.code)) break;
      continue;
    }
    shown.remove();
    row.box.checked = false;
    lines.delete(row);
  }
  return first;
}

/** @param {any} problem */
function wordsOf(problem) {
  return problem.faults.length > 0 ? problem.faults.map(faultText).join(" ") : problemText(problem);
}

/**
 * @param {Row} row
 * @param {Page.Child} detail
 */
function line({ key }, detail) {
  return h("li", {}, h("bdi", {}, key.name), " ", h("code.hint", {}, key.hint ?? ""), detail);
}
