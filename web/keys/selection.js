// Selected rows of the list of keys, and the bar that disables or revokes them together.

import { late } from "../lib/api.js";
import { replaceChildren, h } from "../lib/dom.js";
import { icon } from "../lib/icon.js";
import { orAnnounce } from "../lib/messages.js";
import { t } from "../lib/text.js";

/** @typedef {{key: Api.Key, box: HTMLInputElement, changed: (now: Api.Key) => void}} Row */

/** Whether a key can be disabled: to disable it again would replace who disabled it. */
export const isOn = (/** @type {Row} */ { key }) => key.status !== "disabled";

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
  const act = (/** @type {"disable" | "revoke"} */ action) =>
    orAnnounce(async () => {
      const { changeAll } = await late(() => import("./bulk.js"));
      if (await changeAll(action, chosen())) return clear();
      show();
      // The buttons are new ones.
      return (bar.querySelector(action === "revoke" ? ".danger" : "button") ?? all).focus();
    });
  const button = (/** @type {string} */ symbol, /** @type {string} */ text, /** @type {() => unknown} */ onclick) =>
    h("button", { type: "button", onclick }, icon(symbol), text);
  const show = () => {
    const picked = chosen();
    const count = picked.length;
    all.checked = count > 0 && count === rows.length;
    all.indeterminate = count > 0 && count < rows.length;
    bar.hidden = count === 0;
    if (count === 0) return replaceChildren(bar);
    const end = button("revoke", t("keys.revoke_selected"), () => act("revoke"));
    end.classList.add("danger");
    return replaceChildren(
      bar,
      h("span.strong", { role: "status" }, t("keys.selected", { count })),
      picked.some(isOn) ? button("pause", t("keys.disable_selected"), () => act("disable")) : null,
      end,
      button("close", t("keys.clear_selection"), clear),
    );
  };
  return {
    bar,
    all,
    show,
    /** Forgets the rows of an earlier list, which may stay in sight until the next one is there. */
    reset() {
      for (const { box } of rows) box.checked = false;
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
      all.checked = false;
      all.indeterminate = chosen().length > 0;
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
