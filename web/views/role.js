// One role: its permissions and the users who have it.

import { all, patch, remove } from "../lib/api.js";
import { confirm } from "../lib/dialog.js";
import { h } from "../lib/dom.js";
import { live } from "../lib/live.js";
import { allRoles, holdsAll, roleMeaning, roleName } from "../lib/roles.js";
import { announce } from "../lib/messages.js";
import { setTitle } from "../shell.js";
import { may } from "../lib/state.js";
import { compareNames, currentLanguage, t } from "../lib/text.js";
import { loadCatalogue } from "../elements/permission-matrix.js";
import { editRole } from "./roles.js";

/** @param {Page.Address} options */
export async function view({ params: [id] }) {
  /** @type {Api.Role | undefined} */
  let role;
  /** @type {Api.Role[]} */
  let roles = [];
  /** @type {Api.Permission[]} */
  let catalogue = [];
  const body = await live(async () => {
    const before = role;
    const [loaded, people, entries] = await Promise.all([
      allRoles(),
      may("keyhouse:users:read") ? all("/v1/users") : null,
      loadCatalogue(),
    ]);
    [roles, catalogue] = [loaded, entries];
    role = loaded.find((one) => one.id === id);
    if (!role) return h("div.notice", {}, h("p", {}, t("problems.not_found")));
    if (before) setTitle(roleName(id, roles));
    const meaning = roleMeaning(role);
    return [
      meaning ? h("p", {}, meaning) : null,
      holds(role, catalogue),
      people ? heldBy(people.filter((one) => one.role === id)) : null,
      isChangeable(role, roles) ? danger(role) : null,
    ];
  });
  if (!role) return { title: t("problems.title"), body: body.element };
  const edit = async () => {
    if (!(await editRole(catalogue, role, (change) => patch(`/v1/roles/${id}`, change, role?.version ?? undefined))))
      return;
    announce(t("role.saved"));
    body.redraw();
  };
  const button = h("button", { type: "button", onclick: edit }, t("role.edit"));
  const actions = isChangeable(role, roles) ? [button] : [];
  return { title: roleName(id, roles), actions, body: body.element };
}

const isChangeable = (/** @type {Api.Role} */ role, /** @type {Api.Role[]} */ roles) =>
  !role.builtin && may("keyhouse:roles:manage") && holdsAll(role.permissions, roles);

/**
 * @param {Api.Role} role
 * @param {Api.Permission[]} catalogue
 */
function holds(role, catalogue) {
  const item = (/** @type {string} */ pattern) => {
    const entry = catalogue.find((one) => one.name === pattern);
    const text = meaningOf(pattern) ?? entry?.description[currentLanguage()] ?? entry?.description.en;
    return h("li", {}, h("code", {}, pattern), text ? h("span.below.soft.small", {}, text) : null);
  };
  return h(
    "section.card",
    {},
    h("h2", {}, t("role.permissions")),
    role.permissions.length > 0 ? h("ul.lines", {}, role.permissions.map(item)) : h("p.soft", {}, t("roles.nothing")),
  );
}

/**
 * Texts for the wildcards of the built-in roles.
 *
 * @param {string} pattern
 */
function meaningOf(pattern) {
  if (pattern === "*") return t("role.all_apis");
  return pattern === "keyhouse:*" ? t("role.all_management") : undefined;
}

/** @param {Api.User[]} people */
function heldBy(people) {
  people.sort((one, other) => compareNames(one.name, other.name));
  const item = (/** @type {Api.User} */ one) =>
    h("li", {}, h("a", { href: `#/people/${one.id}` }, one.name), h("span.below.soft.small", {}, one.email));
  return h(
    "section.card",
    {},
    h("h2", {}, t("roles.held", { count: people.length })),
    people.length > 0 ? h("ul.lines", {}, people.map(item)) : null,
  );
}

/** @param {Api.Role} role */
function danger(role) {
  const confirmRemoval = async () => {
    const words = {
      title: t("role.remove_title", { name: role.name }),
      body: t("role.remove_hint"),
      button: t("role.remove"),
      done: t("role.removed", { name: role.name }),
    };
    if (await confirm(words, () => remove(`/v1/roles/${role.id}`, {}, role.version ?? undefined)))
      location.hash = "#/roles";
  };
  return h(
    "section.card",
    {},
    h(
      "div.setting",
      {},
      h("div", {}, h("h2", {}, t("role.remove")), h("p.soft.small", {}, t("role.remove_hint"))),
      h("button.danger", { type: "button", onclick: confirmRemoval }, t("role.remove")),
    ),
  );
}
