// Names of roles, and which roles the user can assign.
//
// The server decides. These checks only hide buttons whose request the server would refuse.

import { all } from "./api.js";
import { isOperator, may, session } from "./state.js";
import { optionalText, t } from "./text.js";

/**
 * The built-in roles, for users without the permission to read roles.
 *
 * @type {[string, string[]][]}
 */
const BUILTIN = [
  ["owner", ["*", "keyhouse:*"]],
  ["administrator", ["*", "keyhouse:*"]],
  ["user", ["*", "keyhouse:keys:create"]],
  ["guest", []],
];

/**
 * The organization's roles; only the four built-in ones if the user may not read roles.
 *
 * @returns {Promise<Api.Role[]>}
 */
export async function allRoles() {
  if (may("keyhouse:roles:read") || may("keyhouse:roles:manage")) return all("/v1/roles");
  return BUILTIN.map(([id, permissions]) => ({
    id,
    name: id,
    description: "",
    builtin: true,
    permissions,
    created_at: null,
    version: null,
  }));
}

/**
 * @param {string} id
 * @param {Api.Role[]} roles
 * @returns {string}
 */
export function roleName(id, roles) {
  // roles_builtin.owner, .administrator, .user, .guest
  return optionalText(`roles_builtin.${id}`) ?? roles.find((role) => role.id === id)?.name ?? t("roles.custom_one");
}

/**
 * The description of a role; may be empty.
 *
 * @param {Api.Role} role
 */
export function roleMeaning(role) {
  // roles.about_owner, .about_administrator, .about_user, .about_guest
  return role.builtin ? t(`roles.about_${role.id}`) : role.description;
}

/**
 * Whether the user can assign a role. Only owners can assign the owner role.
 *
 * @param {Api.Role} role
 * @param {Api.Role[]} roles
 */
export function canAssign(role, roles) {
  if (role.id === "owner") return session.user.role === "owner";
  return holdsAll(role.permissions, roles);
}

/**
 * Whether the user can manage another user, who must not have permissions that the user lacks.
 *
 * @param {{role: string, operator?: boolean}} user
 * @param {Api.Role[]} roles
 */
export function outranks(user, roles) {
  if (user.operator && !isOperator()) return false;
  const role = roles.find((one) => one.id === user.role);
  return !role || canAssign(role, roles);
}

/**
 * Whether the user's role covers all of these patterns.
 *
 * @param {string[]} patterns
 * @param {Api.Role[]} roles
 */
export function holdsAll(patterns, roles) {
  const own = roles.find((role) => role.id === session.user.role)?.permissions;
  // A user who can't read their own role has only the session's list of `keyhouse:` permissions.
  if (!own) return patterns.every((wanted) => !wanted.startsWith("keyhouse:") || may(wanted));
  return patterns.every((wanted) => own.some((held) => covers(held, wanted)));
}

/**
 * Whether a pattern covers another one. The same rules as on the server, `keyhouse:` included.
 *
 * @param {string} held
 * @param {string} wanted
 */
export function covers(held, wanted) {
  if (held === wanted) return true;
  const [have, want] = [held.split(":"), wanted.split(":")];
  // Wildcards do not match `keyhouse` or `keyhouse:instance`.
  const walled = want[0] !== "keyhouse" ? 0 : want[1] === "instance" ? 2 : 1;
  if (have.slice(0, walled).join(":") !== want.slice(0, walled).join(":")) return false;
  for (const [at, segment] of have.entries()) {
    if (at >= want.length) return false;
    if (segment === "*" && at === have.length - 1) return true;
    const isOpenEnd = want[at] === "*" && at === want.length - 1;
    if (segment !== "*" ? segment !== want[at] : isOpenEnd) return false;
  }
  return have.length === want.length;
}
