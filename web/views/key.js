// One key: name, status and actions, and tabs with an overview, access, usage, secrets and history.

import { all, get, late, patch } from "../lib/api.js";
import { replaceChildren, h } from "../lib/dom.js";
import { icon } from "../lib/icon.js";
import { announce, orAnnounce } from "../lib/messages.js";
import { loadStyles } from "../lib/styles.js";
import { loadTexts, t } from "../lib/text.js";
import { keyStatus } from "../elements/key-status.js";
import { renameButton } from "../elements/rename.js";
import { tabbed } from "../elements/tabs.js";
import { copyId, menuButton, menuEntry } from "../keys/actions.js";
import { notices } from "../key/notices.js";
import { action } from "../key/parts.js";
import { rightsTo } from "../key/rights.js";
import { setTitle } from "../shell.js";

/** @typedef {{panel: (page: Page.KeyPage) => Page.KeyPanel | Promise<Page.KeyPanel>}} PanelModule */

/**
 * Tabs: name in the address, key of the title, module.
 *
 * @type {[string, string, () => Promise<PanelModule>][]}
 */
const TABS = [
  ["overview", "key.overview", () => import("../key/overview.js")],
  ["access", "key.tab_access", () => import("../key/access.js")],
  ["usage", "usage.title", () => import("../key/usage.js")],
  ["secrets", "rotate.secrets", () => import("../key/secrets.js")],
  ["history", "key.history", () => import("../key/history.js")],
];

const pathOf = (/** @type {string} */ id) => /** @type {const} */ (`/v1/keys/${encodeURIComponent(id)}`);
const tabIn = (/** @type {URLSearchParams} */ query) =>
  (TABS.find(([name]) => name === query.get("tab")) ?? TABS[0])[0];

/** @param {Page.Address} options */
export async function view({ params: [id], query }) {
  try {
    const [key, teams] = await Promise.all([
      get(pathOf(id)),
      all("/v1/teams"),
      loadStyles("key"),
      loadStyles("chart"),
      loadStyles("sparkline"),
      loadTexts("explain"),
    ]);
    return await shown(key, teams, tabIn(query));
  } catch (problem) {
    if (problem.code !== "permission_required") throw problem;
    // The user may know that the key exists, but not its details.
    return { title: t("key.title"), body: hidden() };
  }
}

function hidden() {
  return h(
    "div.notice",
    {},
    h("p", {}, t("key.hidden")),
    h("p.soft", {}, t("key.hidden_why")),
    h("p", {}, h("a", { href: "#/keys" }, t("key.back"))),
  );
}

/**
 * @param {Api.Key} key
 * @param {Api.Team[]} teams
 * @param {string} tab
 * @returns {Promise<Page.View>}
 */
async function shown(key, teams, tab) {
  const actions = h("div.row", {});
  const beside = h("div.row.beside", {});
  const about = h("div.stack.about", {});
  /** @type {Page.KeyPanel[]} */
  const panels = [];
  /** @type {Page.KeyPage} */
  const page = {
    key,
    teams,
    rights: rightsTo(key, teams),
    addressOf: (name) => `#/keys/${key.id}${name === TABS[0][0] ? "" : `?tab=${name}`}`,
    /**
     * Shows the changed key and restores the focus.
     *
     * @param {Api.Key} changed
     */
    update(changed) {
      page.key = changed;
      const focused = /** @type {HTMLElement | null} */ (document.activeElement)?.dataset.action;
      draw();
      for (const panel of panels) panel.draw?.();
      if (!focused) return;
      const same = document.querySelector(`[data-action="${CSS.escape(focused)}"]`);
      (same ?? document.querySelector("main h1")).focus();
    },
    /** Loads the key again, after a conflict or after a response without the key. */
    async reload() {
      page.update(await get(pathOf(page.key.id)));
    },
  };
  const rename = renaming(page);
  const draw = () => {
    page.rights = rightsTo(page.key, page.teams);
    replaceChildren(beside, page.rights.label ? rename : null, keyStatus(page.key));
    replaceChildren(actions, actionsFor(page, rename));
    replaceChildren(about, identity(page.key), notices(page));
  };
  draw();
  const parts = TABS.map(([name, title, module]) => ({
    name,
    title: t(title),
    panel: async () => {
      const made = await (await late(module)).panel(page);
      panels.push(made);
      return made.element;
    },
  }));
  const { list, panels: elements, show } = tabbed(t("key.tabs"), parts, page.addressOf);
  await show(tab);
  const body = h("div.key", {}, about, list, elements);
  const follow = (/** @type {URLSearchParams} */ query) => show(tabIn(query));
  return { title: key.name, beside, actions, body, follow };
}

/**
 * The start of the secret and what kind of key it is.
 *
 * @param {Api.Key} key
 */
function identity(key) {
  return h(
    "p.row",
    {},
    key.hint ? h("code.soft", {}, t("key.hint", { hint: key.hint })) : null,
    h("span.badge", {}, key.kind === "service" ? t("key.service") : t("key.personal")),
    // Environments are named by the organization, so they have no text.
    h("span.badge", {}, key.environment),
    key.origin === "imported" ? h("span.badge", {}, t("key.imported")) : null,
  );
}

/**
 * @param {Page.KeyPage} page
 * @param {HTMLElement} rename
 */
function actionsFor(page, rename) {
  const { key, rights } = page;
  const test = async () => (await late(() => import("../key/test-access.js"))).testAccess(page.key);
  const turn = async () => (await late(() => import("../key/secrets.js"))).rotate(page);
  const [more, menu] = menuButton(() => entries(page, rename));
  more.setAttribute("aria-label", t("keys.actions_of", { name: key.name }));
  more.dataset.action = "more";
  more.classList.remove("quiet");
  return [
    action("test", t("explain.title"), () => orAnnounce(test)),
    rights.rotate ? action("rotate", t("rotate.button"), () => orAnnounce(turn)) : null,
    more,
    menu,
  ];
}

/**
 * The entries of the menu.
 *
 * @param {Page.KeyPage} page
 * @param {HTMLElement} rename
 */
function entries(page, rename) {
  const { key, rights } = page;
  const keySwitch = () => late(() => import("../key/switch.js"));
  const show = (/** @type {Api.Key | undefined} */ changed) => changed && page.update(changed);
  const disable = async () => show(await (await keySwitch()).disableKey(page.key));
  const enable = async () => show(await (await keySwitch()).enableKey(page.key));
  const revoke = async () => show(await (await late(() => import("../key/revoke.js"))).revokeKey(page.key));
  const copy = menuEntry("copy", t("keys.copy_id"), () => copyId(key));
  if (!rights.label) return [copy];
  const isOff = key.status === "disabled";
  const end = menuEntry("revoke", t("key.revoke"), revoke);
  end.classList.add("danger");
  return [
    copy,
    menuEntry("pencil", t("key.rename"), () => rename.click()),
    isOff ? null : menuEntry("pause", t("key.disable"), disable),
    isOff && rights.change ? menuEntry("play", t("key.enable"), enable) : null,
    h("div.line", {}),
    end,
  ];
}

/** @param {Page.KeyPage} page */
function renaming(page) {
  const label = t("key.rename");
  const button = renameButton({
    label: icon("pencil"),
    field: t("key.name"),
    place: () => document.querySelector("main h1"),
    name: () => page.key.name,
    save: async (/** @type {string} */ name) => {
      const renamed = await patch(pathOf(page.key.id), { name }, page.key.version);
      setTitle(renamed.name);
      page.update(renamed);
      announce(t("key.renamed"));
    },
  });
  button.classList.add("quiet", "icon-only");
  button.setAttribute("aria-label", label);
  button.title = label;
  return button;
}
