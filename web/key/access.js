// What a key can access: permissions, IP restrictions, limits, and the teams that it is shared with.

import { loadForDialog } from "../lib/dialog.js";
import { replaceChildren, h } from "../lib/dom.js";
import { limitFields, limitsFrom } from "../elements/limit-fields.js";
import { networkFields } from "../elements/network-fields.js";
import { loadCatalogue, permissionMatrix } from "../elements/permission-matrix.js";
import { group, radios } from "../lib/form.js";
import { keySentence, sparePermissions } from "../lib/permission-words.js";
import { t } from "../lib/text.js";
import { limitTexts, networksOf } from "./limits.js";
import { action, card, change } from "./parts.js";
import { teamsCard } from "./teams.js";

/**
 * @param {Page.KeyPage} page
 * @returns {Page.KeyPanel}
 */
export function panel(page) {
  const element = h("div.columns", {});
  const draw = () => replaceChildren(element, accessCard(page), teamsCard(page));
  draw();
  return { element, draw };
}

/** @param {Page.KeyPage} page */
function accessCard(page) {
  const { key, rights } = page;
  const edit = (
    /** @type {string} */ name,
    /** @type {string} */ label,
    /** @type {(page: Page.KeyPage) => unknown} */ act,
  ) => (rights.change ? action(name, label, () => act(page)) : null);
  const part = (
    /** @type {string} */ title,
    /** @type {Page.Child} */ button,
    /** @type {Page.Child[]} */ ...children
  ) => h("div.aspect", {}, h("div.card-head", {}, h("h3", {}, title), button), children);
  return card(
    t("key.access"),
    null,
    part(t("key.permissions"), edit("permissions", t("key.edit_permissions"), changePermissions), permissions(key)),
    part(t("key.networks"), edit("networks", t("key.edit_networks"), changeNetworks), networks(networksOf(key))),
    part(t("key.limits"), edit("limits", t("key.edit_limits"), changeLimits), limits(key)),
  );
}

/**
 * What the key can do in a sentence, and its permissions. Those that a pattern covers are folded.
 *
 * @param {Api.Key} key
 */
function permissions(key) {
  if (key.permissions === null) return h("p", {}, t("key.follows_owner"));
  if (key.permissions.length === 0) return h("p", {}, t("key.no_permissions"));
  const shown = sparePermissions(key.permissions);
  const count = key.permissions.length;
  return [
    h("p", {}, keySentence(key.permissions)),
    codes(shown),
    count > shown.length
      ? h("details", {}, h("summary", {}, t("key.all_permissions", { count })), codes(key.permissions))
      : null,
  ];
}

const codes = (/** @type {string[]} */ texts) =>
  h(
    "ul.patterns",
    {},
    texts.map((text) => h("li", {}, h("code", {}, text))),
  );

/** @param {Page.Networks} options */
function networks({ allow, deny }) {
  if (allow.length === 0 && deny.length === 0) return h("p", {}, t("key.any_network"));
  const named = (/** @type {string} */ name, /** @type {string[]} */ list) =>
    list.length > 0 ? [h("p.small.soft", {}, name), codes(list)] : null;
  return [named(t("networks.allow"), allow) ?? h("p", {}, t("key.any_network_but")), named(t("networks.deny"), deny)];
}

/** @param {Api.Key} key */
function limits(key) {
  const texts = limitTexts(key);
  if (texts.length === 0) return h("p", {}, t("key.no_limits"));
  const name = (/** @type {number} */ at) => key.rate_limits[at]?.name;
  return h(
    "ul.plain",
    {},
    texts.map((text, at) => h("li", {}, text, " ", name(at) ? h("code.soft", {}, name(at)) : null)),
  );
}

/** @param {Page.KeyPage} page */
async function changePermissions(page) {
  const { key } = page;
  const catalogue = await loadForDialog(t("key.edit_permissions"), loadCatalogue);
  if (catalogue === undefined) return;
  const isPersonal = key.kind === "personal";
  const matrix = permissionMatrix(catalogue, key.permissions ?? []);
  const list = group("permissions", t("key.permission_choice"), matrix.element);
  const choices = [
    ["follow", t("key.same_as_owner"), t("key.same_as_owner_hint")],
    ["list", t("key.custom"), t("key.custom_hint")],
  ];
  const chosen = key.permissions === null ? "follow" : "list";
  /** @type {HTMLElement | null} */
  const how = isPersonal
    ? group(
        "how",
        t("key.permissions"),
        radios("how", choices, chosen, () => show()),
      )
    : null;
  /** @returns {boolean} */
  const follows = () => how?.querySelector("input:checked").value === "follow";
  const show = () => {
    list.hidden = follows();
  };
  show();
  const changes = () => ({ permissions: follows() ? null : matrix.permissions() });
  return change(page, t("key.edit_permissions"), changes, how, list);
}

/** @param {Page.KeyPage} page */
function changeNetworks(page) {
  const networks = networkFields(networksOf(page.key));
  return change(page, t("key.edit_networks"), () => ({ ip_rules: networks.rules() }), networks.element);
}

/** @param {Page.KeyPage} page */
function changeLimits(page) {
  const { rate_limits, quota } = page.key;
  return change(page, t("key.edit_limits"), limitsFrom, limitFields(rate_limits, quota));
}
