// Selected rows of the list of keys, and the bar that disables or revokes them together.

import { post } from "../lib/api.js";
import { confirm } from "../lib/dialog.js";
import { replaceChildren, h } from "../lib/dom.js";
import { icon } from "../lib/icon.js";
import { announce } from "../lib/messages.js";
import { t } from "../lib/text.js";

const NAMES_MAX = 8;

/** @typedef {{key: Api.Key, box: HTMLInputElement, changed: (now: Api.Key) => void}} Row */

/** The selection: a box for each row, a box for all rows, and the bar. */
export function selection() {
  /** @type {Row[]} */
  let rows = [];
  const chosen = () => rows.filter(({ box }) => box.checked);
  const bar = h("div.selection", { role: "group", "aria-label": t("keys.selection"), hidden: true });
  const all = h("input", {
    type: "checkbox",
    "aria-label": t("keys.select_all"),
    onchange: () => {
      for (const { box } of rows) box.checked = all.checked;
      show();
    },
  });
  const clear = () => {
    for (const { box } of rows) box.checked = false;
    show();
    all.focus();
  };
  const act = async (/** @type {"disable" | "revoke"} */ action) => {
    const picked = chosen();
    if (await changeAll(action, picked)) clear();
    else show();
  };
  const button = (/** @type {string} */ symbol, /** @type {string} */ text, /** @type {() => unknown} */ onclick) =>
    h("button", { type: "button", onclick }, icon(symbol), text);
  const show = () => {
    const count = chosen().length;
    all.checked = count > 0 && count === rows.length;
    all.indeterminate = count > 0 && count < rows.length;
    bar.hidden = count === 0;
    if (count === 0) return replaceChildren(bar);
    const end = button("revoke", t("keys.revoke_selected"), () => act("revoke"));
    end.classList.add("danger");
    return replaceChildren(
      bar,
      h("span.strong", { role: "status" }, t("keys.selected", { count })),
      button("pause", t("keys.disable_selected"), () => act("disable")),
      end,
      button("close", t("keys.clear_selection"), clear),
    );
  };
  return {
    bar,
    all,
    /** Forgets the rows of an earlier list. */
    reset() {
      rows = [];
      show();
    },
    /**
     * The box of a row.
     *
     * @param {Api.Key} key
     * @param {(now: Api.Key) => void} changed
     */
    boxOf(key, changed) {
      const box = h("input", { type: "checkbox", "aria-label": t("keys.select", { name: key.name }), onchange: show });
      rows.push({ key, box, changed });
      return box;
    },
    /**
     * Removes a row that can't be changed any more.
     *
     * @param {HTMLInputElement} box
     */
    leave(box) {
      rows = rows.filter((row) => row.box !== box);
      box.remove();
      show();
    },
  };
}

/**
 * Disables or revokes keys one after the other, after confirmation. A key that fails stays selected, and the dialog
 * says why.
 *
 * @param {"disable" | "revoke"} action
 * @param {Row[]} rows
 */
async function changeAll(action, rows) {
  const names = rows.slice(0, NAMES_MAX).map(({ key }) => h("li", {}, key.name));
  const more = rows.length - names.length;
  const count = rows.length;
  const left = [...rows];
  const words = {
    title: t(`keys.${action}_selected_title`, { count }), // keys.disable_selected_title, keys.revoke_selected_title
    body: [
      h("p", {}, t("keys.selected_body")),
      h("ul.bullets", {}, names, more > 0 ? h("li", {}, t("keys.and_more", { count: more })) : null),
      action === "revoke" ? h("p", {}, t("key.revoke_permanent")) : null,
    ],
    button: t(`keys.${action}_selected_confirm`, { count }),
  };
  const done = await confirm(words, async () => {
    for (const row of [...left]) {
      const path = /** @type {`/v1/keys/${string}/disable`} */ (`/v1/keys/${row.key.id}/${action}`);
      row.changed(await post(path));
      row.box.checked = false;
      left.splice(left.indexOf(row), 1);
    }
  });
  if (done) announce(t(`keys.${action}d_selected`, { count })); // keys.disabled_selected, keys.revoked_selected
  return done;
}
