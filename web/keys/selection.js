// The selection of the list of keys: a box for each row, and a bar that changes the selected keys together.

import { late } from "../lib/api.js";
import { replaceChildren, h } from "../lib/dom.js";
import { icon } from "../lib/icon.js";
import { orAnnounce } from "../lib/messages.js";
import { may } from "../lib/state.js";
import { t } from "../lib/text.js";
import { rightsTo } from "../key/rights.js";

/**
 * `teams` are the teams that the user sees.
 *
 * @typedef {{key: Api.Key, teams: Api.Team[], box: HTMLInputElement, changed: (now: Api.Key) => void}} Row
 * @typedef {"share" | "extend" | "disable" | "revoke"} Action
 */

/** Whether a key can be disabled: to disable it again would replace who disabled it. */
export const isOn = (/** @type {Row} */ { key }) => key.status !== "disabled";

/** Whether the user may change more of a key than its name. */
export const mayChange = (/** @type {Row} */ { key, teams }) => rightsTo(key, teams).change;

export const isExtendable = (/** @type {Row} */ row) => row.key.expires_at !== null && mayChange(row);

/** The teams that the user can share the keys with. None if the user may change none of the keys. */
export const sharingTeams = (/** @type {Row[]} */ rows) =>
  rows.find(mayChange)?.teams.filter((team) => team.is_member || may("keyhouse:teams:manage")) ?? [];

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
  const act = (/** @type {Action} */ action) =>
    orAnnounce(async () => {
      const { changeAll } = await late(() => import("./bulk.js"));
      if (await changeAll(action, chosen())) return clear();
      show();
      // The buttons are new ones.
      return (bar.querySelector(`[name=${action}]`) ?? all).focus();
    });
  const button = (/** @type {Action} */ name, /** @type {string} */ symbol, /** @type {string} */ text) =>
    h("button", { type: "button", name, onclick: () => act(name) }, icon(symbol), text);
  const show = () => {
    const picked = chosen();
    const count = picked.length;
    all.checked = count > 0 && count === rows.length;
    all.indeterminate = count > 0 && count < rows.length;
    bar.hidden = count === 0;
    if (count === 0) return replaceChildren(bar);
    const end = button("revoke", "revoke", t("keys.revoke_selected"));
    end.classList.add("danger");
    return replaceChildren(
      bar,
      h("span.strong", { role: "status" }, t("keys.selected", { count })),
      sharingTeams(picked).length > 0 ? button("share", "team", t("keys.share_selected")) : null,
      picked.some(isExtendable) ? button("extend", "clock", t("keys.extend_selected")) : null,
      picked.some(isOn) ? button("disable", "pause", t("keys.disable_selected")) : null,
      end,
      h("button", { type: "button", onclick: clear }, icon("close"), t("keys.clear_selection")),
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
     * @param {Api.Team[]} teams
     * @param {(now: Api.Key) => void} changed
     */
    boxOf(key, teams, changed) {
      const box = h("input", { type: "checkbox", "aria-label": t("keys.select", { name: key.name }), onchange: show });
      rows.push({ key, teams, box, changed });
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
