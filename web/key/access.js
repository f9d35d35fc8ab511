// The permissions, IP restrictions and limits of a key.

import { all } from "../lib/api.js";
import { loadForDialog } from "../lib/dialog.js";
import { h } from "../lib/dom.js";
import { limitFields, limitsFrom } from "../elements/limit-fields.js";
import { networkFields } from "../elements/network-fields.js";
import { permissionMatrix } from "../elements/permission-matrix.js";
import { group, radios } from "../lib/form.js";
import { number, t } from "../lib/text.js";
import { action, card, change } from "./parts.js";

/** @param {Page.KeyPage} page */
export function accessCard(page) {
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

/** @param {Api.Key} key */
function permissions(key) {
  if (key.permissions === null) return h("p", {}, t("key.follows_owner"));
  if (key.permissions.length === 0) return h("p", {}, t("key.no_permissions"));
  return codes(key.permissions);
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

/** @param {Api.Key} options */
function limits({ rate_limits, quota }) {
  if (rate_limits.length === 0 && !quota) return h("p", {}, t("key.no_limits"));
  return h(
    "ul.plain",
    {},
    rate_limits.map(({ name, limit, window_seconds }) =>
      h("li", {}, t("key.rate", { count: limit, seconds: seconds(window_seconds) }), " ", h("code.soft", {}, name)),
    ),
    // key.quota_day, key.quota_week, key.quota_month
    quota ? h("li", {}, t(`key.quota_${quota.period}`, { count: quota.limit, zone: quota.timezone })) : null,
  );
}

/**
 * The networks of a key. The API always returns both lists.
 *
 * @param {Api.Key} key
 * @returns {Page.Networks}
 */
const networksOf = ({ ip_rules: { allow, deny } }) => ({ allow: allow ?? [], deny: deny ?? [] });

/**
 * A number of seconds in the largest fitting unit: `10 seconds`, `1 hour`.
 *
 * @param {number} span
 */
function seconds(span) {
  /** @type {[number, string][]} */
  const units = [
    [86400, "day"],
    [3600, "hour"],
    [60, "minute"],
    [1, "second"],
  ];
  const [size, unit] = units.find(([size]) => span % size === 0) ?? [1, "second"];
  return number(span / size, { style: "unit", unit, unitDisplay: "long" });
}

/** @param {Page.KeyPage} page */
async function changePermissions(page) {
  const { key } = page;
  const catalogue = await loadForDialog(t("key.edit_permissions"), () => all("/v1/permissions"));
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
