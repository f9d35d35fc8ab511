// Says in words what a list of permissions lets somebody do.

import { covers } from "./roles.js";
import { known, listed, t } from "./text.js";

const WORDS_MAX = 2;
const SENTENCE_MAX = 8;

/** In a few words, for a list: the first resources, and how many more there are. */
export function inFewWords(permissions) {
  if (permissions === null) return t("permission_words.follows_owner");
  const said = told(permissions);
  return said.length === 0 ? t("permission_words.nothing") : inWords(said, WORDS_MAX);
}

/** As a whole sentence: "This key may ...". Without a list it follows its owner. */
export function inSentence(permissions) {
  if (permissions === null) return t("permission_words.may_as_owner");
  const said = told(permissions);
  if (said.length === 0) return t("permission_words.may_nothing");
  return t("permission_words.may", { what: inWords(said, SENTENCE_MAX) });
}

/** The same of a role: "This role may ...". */
export function inRolesSentence(permissions) {
  const said = told(permissions);
  if (said.length === 0) return t("permission_words.role_may_nothing");
  return t("permission_words.role_may", { what: inWords(said, SENTENCE_MAX) });
}

/**
 * Without what another permission says already, or what is none yet, for want of a colon. The
 * management of Keyhouse comes first: it is never among "and 3 more" where the rest is shown.
 */
function told(permissions) {
  const wide = permissions.filter((permission) => permission.includes("*"));
  const isSaid = (permission) => wide.some((pattern) => pattern !== permission && covers(pattern, permission));
  const isWhole = (permission) => permission === "*" || permission.includes(":");
  const manages = (permission) => permission.startsWith("keyhouse:");
  const said = permissions.filter((permission) => isWhole(permission) && !isSaid(permission));
  return [...said.filter(manages), ...said.filter((permission) => !manages(permission))];
}

/** What may be done with the first `max` resources, and how many more there are. */
function inWords(permissions, max) {
  const resources = byResource(permissions);
  const count = resources.length - max;
  const names = count > 0 ? (items) => items.join(", ") : listed;
  const said = byActions(resources.slice(0, max)).map(([actions, named]) => phrase(actions, named, names));
  const what = said.reduce((first, second) => t("permission_words.both", { first, second }));
  return count > 0 ? t("permission_words.and_more", { what, count }) : what;
}

function phrase(actions, resources, names) {
  const [isAll, isEverywhere] = [actions.includes("*"), resources[0] === "*"];
  if (isAll && isEverywhere) return t("permission_words.everything");
  const resource = names(resources);
  if (isAll) return t("permission_words.all_of", { resource });
  const said = listed(actions.map(inWord));
  if (isEverywhere) return t("permission_words.on_all", { actions: said });
  return t("permission_words.some_of", { resource, actions: said });
}

/** The usual actions are words; others stand as they are. */
const inWord = (action) => known(`permission_words.actions.${action}`) ?? action;

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

/** Resources with which the same may be done, together: `[[actions, [resource, ...]], ...]`. */
function byActions(resources) {
  const groups = new Map();
  for (const [resource, actions] of resources) {
    // What is said of all resources stands alone.
    const key = [resource === "*", ...actions].join(" ");
    if (!groups.has(key)) groups.set(key, [actions, []]);
    groups.get(key)[1].push(resource);
  }
  return [...groups.values()];
}
