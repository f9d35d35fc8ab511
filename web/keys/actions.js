// What a row of the list of keys can do: rename and revoke by an icon, the rest in a menu. Dialogs are loaded with
// their first use: most visits change nothing.

import { get, late, patch, Problem } from "../lib/api.js";
import { freshId, h, replaceChildren } from "../lib/dom.js";
import { icon, iconButton } from "../lib/icon.js";
import { announce, orAnnounce, problemText } from "../lib/messages.js";
import { t } from "../lib/text.js";
import { renameButton } from "../elements/rename.js";
import { rightsTo } from "../key/rights.js";

/**
 * The buttons of a row. `name()` is the element with the name; `show(changed)` shows the changed key.
 *
 * @param {Api.Key} key
 * @param {Api.Team[]} teams
 * @param {{name: () => HTMLElement, show: (changed: Api.Key) => void}} row
 */
export function rowActions(key, teams, { name, show }) {
  const element = h("div.row.end", {});
  let shownRights = "";
  let label = () => {};
  const changed = (/** @type {Api.Key} */ now) => {
    const held = element.contains(document.activeElement);
    show(now);
    draw();
    if (held && !element.contains(document.activeElement)) name().focus();
  };
  const revoke = async () => {
    const { revokeKey } = await late(() => import("../key/revoke.js"));
    const revoked = await revokeKey(key);
    if (!revoked) return;
    changed(revoked);
    name().focus();
  };
  const draw = () => {
    const rights = rightsTo(key, teams);
    // Buttons that stay keep the focus.
    if (JSON.stringify([rights, key.status]) === shownRights) return label();
    shownRights = JSON.stringify([rights, key.status]);
    if (!rights.label) return replaceChildren(element);
    const rename = renameButton({
      label: icon("pencil"),
      field: t("keys.name"),
      place: name,
      name: () => key.name,
      save: (wanted) => saveName(key, wanted, changed),
      isCompact: true,
    });
    rename.classList.add("quiet", "icon-only", "wide-only");
    rename.title = t("keys.rename_title");
    const end = iconButton("revoke", "", { title: t("key.revoke_title"), onclick: () => orAnnounce(revoke) });
    end.classList.add("wide-only");
    const [more, entries] = menu(key, rights, { rename, revoke, changed });
    label = () => {
      rename.setAttribute("aria-label", t("keys.rename", { name: key.name }));
      end.setAttribute("aria-label", t("keys.revoke", { name: key.name }));
      more.setAttribute("aria-label", t("keys.actions_of", { name: key.name }));
    };
    label();
    return replaceChildren(element, rename, end, more, entries);
  };
  draw();
  return { element, draw };
}

/**
 * Saves a name. If only other fields were changed meanwhile, it is saved without a question.
 *
 * @param {Api.Key} key
 * @param {string} wanted
 * @param {(now: Api.Key) => void} changed
 */
async function saveName(key, wanted, changed) {
  const path = /** @type {const} */ (`/v1/keys/${key.id}`);
  const save = async () => changed(await patch(path, { name: wanted }, key.version));
  try {
    await save().catch(async (problem) => {
      if (problem.code !== "version_conflict") throw problem;
      const before = key.name;
      changed(await get(path));
      // If the name on the server did not change, save again: no other name is overwritten.
      if (key.name === before) return save();
      const fault = { pointer: "/name", code: "renamed_meanwhile", detail: "", name: key.name };
      throw new Problem(412, { code: problem.code, errors: [fault] });
    });
  } catch (problem) {
    if (problem.code !== "key_revoked") throw problem;
    // Another tab or user revoked the key: the row must not show it as active.
    changed(await get(path));
    announce(problemText(problem));
  }
}

/**
 * The button of the menu, and the menu.
 *
 * @param {Api.Key} key
 * @param {Page.Rights} rights
 * @param {{rename: HTMLButtonElement, revoke: () => unknown, changed: (now: Api.Key) => void}} acts
 */
function menu(key, rights, { rename, revoke, changed }) {
  const turn = async () => {
    const { rotate } = await late(() => import("../key/secrets.js"));
    await rotate(/** @type {Page.KeyPage} */ ({ key, update: changed }));
  };
  const enable = async () => {
    const { enableKey } = await late(() => import("../key/switch.js"));
    changed(await enableKey(key));
  };
  const disable = async () => {
    const { disableKey } = await late(() => import("../key/switch.js"));
    const now = await disableKey(key);
    if (now) changed(now);
  };
  return menuButton(() => {
    const end = menuEntry("revoke", t("key.revoke"), revoke);
    end.classList.add("danger");
    const isOff = key.status === "disabled";
    return [
      menuEntry("copy", t("keys.copy_id"), () => copyId(key)),
      menuEntry("pencil", t("key.rename"), () => rename.click()),
      rights.rotate ? menuEntry("rotate", t("rotate.button"), turn) : null,
      isOff ? null : menuEntry("pause", t("key.disable"), disable),
      isOff && rights.change ? menuEntry("play", t("key.enable"), enable) : null,
      h("div.line", {}),
      end,
    ];
  });
}

/** @param {{id: string}} key */
export async function copyId({ id }) {
  try {
    await navigator.clipboard.writeText(id);
    announce(t("keys.id_copied"));
  } catch {
    announce(t("keys.id_is", { id }));
  }
}

/**
 * A button with three dots and its menu, whose entries are made when it opens.
 *
 * @param {() => Page.Child} entries
 */
export function menuButton(entries) {
  const id = freshId("actions");
  const button = iconButton("more", "", { popovertarget: id, title: t("keys.actions") });
  const onbeforetoggle = (/** @type {Event} */ event) => {
    if (/** @type {ToggleEvent} */ (event).newState === "open") replaceChildren(element, entries());
  };
  const element = h("div.menu.row-menu", { id, popover: "auto", onbeforetoggle, onkeydown: moveFocus });
  return [button, element];
}

/**
 * @param {string} symbol
 * @param {string} text
 * @param {() => unknown} act
 */
export function menuEntry(symbol, text, act) {
  const onclick = () => {
    button.closest("[popover]").hidePopover();
    orAnnounce(act);
  };
  const button = h("button", { type: "button", onclick }, icon(symbol), text);
  return button;
}

/**
 * Arrow keys move the focus in a menu.
 *
 * @param {KeyboardEvent} event
 */
function moveFocus(event) {
  const by = { ArrowDown: 1, ArrowUp: -1 }[event.key];
  if (!by) return;
  event.preventDefault();
  const menu = /** @type {HTMLElement} */ (event.currentTarget);
  const items = [...menu.querySelectorAll("button")];
  const at = items.indexOf(/** @type {any} */ (document.activeElement));
  items.at((at + by) % items.length)?.focus();
}
