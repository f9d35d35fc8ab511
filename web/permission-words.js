// Says in words what a list of permissions lets somebody do.

import { known, listed, t } from "./text.js";

const SHOWN_MAX = 2;

/** In a few words, for a list: the first permissions, and how many more there are. */
export function inFewWords(permissions) {
  if (permissions === null) return t("permission_words.follows_owner");
  if (permissions.length === 0) return t("permission_words.nothing");
  const shown = phrases(permissions);
  const more = shown.length - SHOWN_MAX;
  if (more <= 0) return listed(shown);
  return t("permission_words.and_more", { what: shown.slice(0, SHOWN_MAX).join(", "), count: more });
}

/** As a whole sentence: "This key may ...". Without a list it follows its owner. */
export function inSentence(permissions) {
  if (permissions === null) return t("permission_words.may_as_owner");
  const said = phrases(permissions);
  return said.length > 0 ? t("permission_words.may", { what: listed(said) }) : t("permission_words.may_nothing");
}

/** The same of a role: "This role may ...". */
export function inRolesSentence(permissions) {
  const said = phrases(permissions);
  return said.length > 0 ? t("permission_words.role_may", { what: listed(said) }) : t("permission_words.role_may_nothing");
}

/** A phrase a resource, without what another permission says already, or what is none yet. */
function phrases(permissions) {
  const wide = permissions.filter((permission) => permission.includes("*"));
  const isSaid = (permission) => wide.some((pattern) => pattern !== permission && covers(pattern, permission));
  const isWhole = (permission) => permission === "*" || permission.includes(":");
  const told = permissions.filter((permission) => isWhole(permission) && !isSaid(permission));
  return byResource(told).map(([resource, actions]) => phrase(resource, actions));
}

function phrase(resource, actions) {
  if (resource === "*" && actions.includes("*")) return t("permission_words.everything");
  if (actions.includes("*")) return t("permission_words.all_of", { resource });
  const named = listed(actions.map(inWords));
  if (resource === "*") return t("permission_words.on_all", { actions: named });
  return t("permission_words.some_of", { resource, actions: named });
}

/** The usual actions are words; others stand as they are. */
const inWords = (action) => known(`permission_words.actions.${action}`) ?? action;

/**
 * Whether a pattern grants all that another permission does: a star stands for one segment, the last
 * one for all that follow; none reaches into Keyhouse's own management, nor there into the instance's.
 */
function covers(pattern, permission) {
  const [wide, narrow] = [pattern, permission].map((text) => text.split(":"));
  const isKeptFrom = (at, name) => narrow[at] === name && wide[at] !== name;
  if (isKeptFrom(0, "keyhouse") || (narrow[0] === "keyhouse" && isKeptFrom(1, "instance"))) return false;
  const isOpen = wide.at(-1) === "*";
  if (isOpen ? narrow.length < wide.length : narrow.length !== wide.length) return false;
  return wide.every((segment, at) => segment === "*" || segment === narrow[at]);
}

/** `[[resource, [action, ...]], ...]`, in the order of the first mention. */
function byResource(permissions) {
  const groups = new Map();
  for (const permission of permissions) {
    const cut = permission.lastIndexOf(":");
    const resource = cut < 0 ? "*" : permission.slice(0, cut);
    const action = permission.slice(cut + 1);
    if (!groups.has(resource)) groups.set(resource, []);
    groups.get(resource).push(action);
  }
  return [...groups];
}
