// The dialog that disables or revokes the selected keys of the list.

import { post } from "../lib/api.js";
import { confirm } from "../lib/dialog.js";
import { h, replaceChildren } from "../lib/dom.js";
import { announce, problemText } from "../lib/messages.js";
import { t } from "../lib/text.js";
import { isOn } from "./selection.js";

/** Statuses after which the remaining requests would also fail. */
const STOPS = [0, 401, 429];

/** The texts of an action. */
const WORDS = {
  disable: {
    title: "keys.disable_selected_title",
    confirm: "keys.disable_selected_confirm",
    all: "keys.disabled_selected",
    part: "keys.disabled_part",
  },
  revoke: {
    title: "keys.revoke_selected_title",
    confirm: "keys.revoke_selected_confirm",
    all: "keys.revoked_selected",
    part: "keys.revoked_part",
  },
};

/** @typedef {import("./selection.js").Row} Row */

/**
 * Disables or revokes keys one after the other, after confirmation, until the user closes the dialog. A key that fails
 * stays selected and in the dialog, with its problem. Resolves to whether all keys are done.
 *
 * @param {"disable" | "revoke"} action
 * @param {Row[]} rows
 */
export async function changeAll(action, rows) {
  const lines = new Map(rows.filter((row) => action === "revoke" || isOn(row)).map((row) => [row, line(row)]));
  const total = lines.size;
  const button = h("span", {});
  const texts = WORDS[action];
  const label = () => replaceChildren(button, t(texts.confirm, { count: lines.size }));
  label();
  const words = {
    title: t(texts.title, { count: total }),
    body: [
      h("p", {}, t("keys.selected_body")),
      h("ul.bullets.scrolls", { tabindex: "0", "aria-label": t("keys.selection") }, [...lines.values()]),
      action === "revoke" ? h("p", {}, t("keys.selected_created"), " ", t("key.revoke_permanent")) : null,
    ],
    button,
  };
  const report = () => {
    const count = total - lines.size;
    if (count > 0) announce(t(count === total ? texts.all : texts.part, { count, total }));
  };
  await confirm(words, async (isOpen) => {
    const problem = await changeEach(action, lines, isOpen);
    if (!problem) return;
    label();
    if (isOpen()) report();
    throw problem;
  });
  report();
  return lines.size === 0;
}

/**
 * Sends the requests. Removes the lines of the changed keys, and returns the first problem.
 *
 * @param {"disable" | "revoke"} action
 * @param {Map<Row, HTMLElement>} lines
 * @param {() => boolean} isOpen
 */
async function changeEach(action, lines, isOpen) {
  let first;
  for (const [row, shown] of [...lines]) {
    if (!isOpen()) break;
    shown.querySelector(".fault")?.remove();
    const path = /** @type {`/v1/keys/${string}/disable`} */ (`/v1/keys/${row.key.id}/${action}`);
    try {
      row.changed(await post(path));
    } catch (problem) {
      if (!problem.members) throw problem;
      shown.append(h("p.fault", {}, problemText(problem)));
      first ??= problem;
      if (STOPS.includes(problem.status)) break;
      continue;
    }
    shown.remove();
    row.box.checked = false;
    lines.delete(row);
  }
  return first;
}

/** @param {Row} row */
function line({ key }) {
  return h("li", {}, h("bdi", {}, key.name), " ", h("code.hint", {}, key.hint ?? ""));
}
