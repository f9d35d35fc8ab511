// The four built-in roles and the custom roles of the organization.

import { all, post } from "../lib/api.js";
import { open } from "../lib/dialog.js";
import { h } from "../lib/dom.js";
import { loadCatalogue, permissionMatrix } from "../elements/permission-matrix.js";
import { field, form, group, valueOf } from "../lib/form.js";
import { roleSentence } from "../lib/permission-words.js";
import { allRoles, roleMeaning, roleName } from "../lib/roles.js";
import { may } from "../lib/state.js";
import { compareNames, t } from "../lib/text.js";

export async function view() {
  const manages = may("keyhouse:roles:manage");
  const [roles, people, catalogue] = await Promise.all([
    allRoles(),
    may("keyhouse:users:read") ? all("/v1/users") : null,
    loadCatalogue(),
  ]);
  const tile = (/** @type {Api.Role} */ role) => roleTile(role, roles, people);
  const custom = roles.filter((role) => !role.builtin).sort((one, other) => compareNames(one.name, other.name));
  const make = async () => {
    const made = await editRole(catalogue);
    if (made) location.hash = `#/roles/${made.id}`;
  };
  const button = h("button.primary", { type: "button", onclick: make }, t("roles.new"));
  return {
    title: t("roles.title"),
    actions: manages ? [button] : [],
    body: h(
      "div.stack.sections",
      {},
      h("p.soft", {}, t("roles.what")),
      section(t("roles.builtin"), roles.filter((role) => role.builtin).map(tile)),
      custom.length > 0 ? section(t("roles.custom"), custom.map(tile)) : h("p.soft", {}, t("roles.no_custom")),
    ),
  };
}

const section = (/** @type {string} */ title, /** @type {Page.Child} */ tiles) =>
  h("section.stack", {}, h("h2", {}, title), h("ul.tiles.two", {}, tiles));

/**
 * @param {Api.Role} role
 * @param {Api.Role[]} roles
 * @param {Api.User[] | null} people
 */
function roleTile(role, roles, people) {
  const count = people?.filter((one) => one.role === role.id).length;
  const meaning = roleMeaning(role);
  return h(
    "li.card.tile",
    {},
    h("h3", {}, h("a", { href: `#/roles/${role.id}` }, roleName(role.id, roles))),
    meaning ? h("p", {}, meaning) : null,
    role.builtin ? null : h("p.small.soft", {}, inShort(role.permissions)),
    people ? h("p.small.soft", {}, t("roles.held", { count })) : null,
  );
}

const SHOWN_MAX = 4;
/**
 * The first permissions, and the number of others.
 *
 * @param {string[]} permissions
 */
function inShort(permissions) {
  if (permissions.length === 0) return t("roles.nothing");
  const shown = permissions.slice(0, SHOWN_MAX).map((one) => [h("code", {}, one), " "]);
  const more = permissions.length - SHOWN_MAX;
  return [shown, more > 0 ? t("roles.more", { count: more }) : null];
}

/**
 * Creates or changes a role. Resolves to the role, or to `undefined` after cancel.
 *
 * @param {Api.Permission[]} catalogue
 * @param {Api.Role} [role]
 * @param {(body: Page.BodyOf<"/v1/roles", "post">) => Promise<Api.Role>} [save]
 */
export function editRole(catalogue, role, save = (body) => post("/v1/roles", body)) {
  const matrix = permissionMatrix(catalogue, role?.permissions ?? [], roleSentence);
  const content = (/** @type {(value?: any) => void} */ close) => {
    const submit = async (/** @type {HTMLFormElement} */ element) => {
      const [name, description] = ["name", "description"].map((field) => valueOf(element, field));
      close(await save({ name, description, permissions: matrix.permissions() }));
    };
    return form(
      { submit, button: role ? t("actions.save") : t("roles.create"), cancel: () => close() },
      field(t("roles.name"), h("input", { name: "name", value: role?.name, autocomplete: "off", required: true })),
      field(t("roles.description"), h("input", { name: "description", value: role?.description }), { optional: true }),
      group("permissions", t("roles.permissions"), h("p.hint", {}, t("roles.permissions_hint")), matrix.element),
      role ? h("p.hint", {}, t("role.applies_to_all")) : null,
    );
  };
  return open(role ? t("role.edit") : t("roles.new"), content, { wide: true });
}
