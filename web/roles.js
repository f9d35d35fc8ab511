// Roles as the page knows them: their names, and who may give which to whom.
//
// The server decides; what stands here only spares people buttons that would be refused.

import { all } from "./api.js";
import { isOperator, may, session } from "./state.js";
import { known, t } from "./text.js";

/** What the built-in roles hold, where the person may not ask. */
const BUILTIN = [
  ["owner", ["*", "keyhouse:*"]],
  ["administrator", ["*", "keyhouse:*"]],
  ["user", ["*", "keyhouse:keys:create"]],
  ["guest", []],
];

/** The organization's roles; the built-in four alone for whoever may not see roles. */
export async function allRoles() {
  if (may("keyhouse:roles:read") || may("keyhouse:roles:manage")) return all("/v1/roles");
  return BUILTIN.map(([id, permissions]) => ({ id, name: id, description: "", builtin: true, permissions }));
}

/** The name of the role with this id. */
export function roleName(id, roles) {
  // roles_builtin.owner, .administrator, .user, .guest
  return known(`roles_builtin.${id}`) ?? roles.find((role) => role.id === id)?.name ?? t("roles.custom_one");
}

/** What a role is for, in a sentence; empty where nobody wrote one. */
export function roleMeaning(role) {
  // roles.about_owner, .about_administrator, .about_user, .about_guest
  return role.builtin ? t(`roles.about_${role.id}`) : role.description;
}

/** Whether the person may make somebody hold a role: an owner's is given by owners alone. */
export function mayGive(role, roles) {
  if (role.id === "owner") return session.user.role === "owner";
  return holdsAll(role.permissions, roles);
}

/** Whether the person may change, reset or remove somebody: not one who holds what they don't. */
export function outranks(user, roles) {
  if (user.operator && !isOperator()) return false;
  const role = roles.find((one) => one.id === user.role);
  return !role || mayGive(role, roles);
}

/** Whether the person's role holds all that these patterns grant. */
export function holdsAll(patterns, roles) {
  const own = roles.find((role) => role.id === session.user.role)?.permissions;
  // Who may not see their own role knows of it what the session tells: Keyhouse's own permissions.
  if (!own) return patterns.every((wanted) => !wanted.startsWith("keyhouse:") || may(wanted));
  return patterns.every((wanted) => own.some((held) => covers(held, wanted)));
}

/** Whether a pattern grants all that another grants: as the server has it, walls and all. */
export function covers(held, wanted) {
  if (held === wanted) return true;
  const [have, want] = [held.split(":"), wanted.split(":")];
  // No wildcard reaches into Keyhouse's own management.
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
