// Describes a list of permissions in words.

import { covers } from "./roles.js";
import { optionalText, formatList, t } from "./text.js";

const WORDS_MAX = 2;
const SENTENCE_MAX = 8;

/**
 * A short description for lists: the first resources, and the number of others.
 *
 * @param {string[] | null} permissions
 */
export function shortPermissions(permissions) {
  if (permissions === null) return t("permission_words.follows_owner");
  const shown = uncovered(permissions);
  if (shown.length === 0) return t("permission_words.nothing");
  return shown.join() === "*" ? t("permission_words.all") : inWords(shown, WORDS_MAX);
}

/**
 * The permissions without those that another one covers; none for a key that follows its owner.
 *
 * @param {string[] | null} permissions
 */
export const sparePermissions = (permissions) => (permissions === null ? [] : uncovered(permissions));

/**
 * A sentence: "This key can ...". A key without a list of permissions has those of its owner.
 *
 * @param {string[] | null} permissions
 */
export function keySentence(permissions) {
  if (permissions === null) return t("permission_words.key_as_owner");
  const shown = uncovered(permissions);
  if (shown.length === 0) return t("permission_words.key_nothing");
  return t("permission_words.key", { what: inWords(shown, SENTENCE_MAX) });
}

/**
 * A sentence about a role: "This role can ...".
 *
 * @param {string[]} permissions
 */
export function roleSentence(permissions) {
  const shown = uncovered(permissions);
  if (shown.length === 0) return t("permission_words.role_nothing");
  return t("permission_words.role", { what: inWords(shown, SENTENCE_MAX) });
}

/**
 * The permissions without those that another one covers, and without incomplete ones that have no colon yet.
 * Permissions to manage Keyhouse come first, so that "and 3 more" never hides them.
 *
 * @param {string[]} permissions
 */
function uncovered(permissions) {
  const wide = permissions.filter((permission) => permission.includes("*"));
  const isCovered = (/** @type {string} */ permission) =>
    wide.some((pattern) => pattern !== permission && covers(pattern, permission));
  const isComplete = (/** @type {string} */ permission) => permission === "*" || permission.includes(":");
  const manages = (/** @type {string} */ permission) => permission.startsWith("keyhouse:");
  const shown = permissions.filter((permission) => isComplete(permission) && !isCovered(permission));
  return [...shown.filter(manages), ...shown.filter((permission) => !manages(permission))];
}

/**
 * The actions on the first `max` resources, and the number of other resources.
 *
 * @param {string[]} permissions
 * @param {number} max
 */
function inWords(permissions, max) {
  const resources = byResource(permissions);
  const count = resources.length - max;
  const names = count > 0 ? (/** @type {string[]} */ items) => items.join(", ") : formatList;
  const phrases = byActions(resources.slice(0, max)).map(([actions, named]) => phrase(actions, named, names));
  const what = phrases.reduce((first, second) => t("permission_words.both", { first, second }));
  return count > 0 ? t("permission_words.and_more", { what, count }) : what;
}

/**
 * @param {string[]} actions
 * @param {string[]} resources
 * @param {(items: string[]) => string} names
 */
function phrase(actions, resources, names) {
  const [isAll, isEverywhere] = [actions.includes("*"), resources[0] === "*"];
  if (isAll && isEverywhere) return t("permission_words.everything");
  const resource = names(resources);
  if (isAll) return t("permission_words.all_of", { resource });
  const verbs = formatList(actions.map(actionWord));
  if (isEverywhere) return t("permission_words.on_all", { actions: verbs });
  return t("permission_words.some_of", { resource, actions: verbs });
}

/**
 * The word for a usual action; other actions keep their name.
 *
 * @param {string} action
 */
export const actionWord = (action) => optionalText(`permission_words.actions.${action}`) ?? action;

/**
 * `[[resource, [action, ...]], ...]`, in the order of first occurrence.
 *
 * @param {string[]} permissions
 * @returns {[string, string[]][]}
 */
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

/**
 * Resources with equal actions, grouped: `[[actions, [resource, ...]], ...]`.
 *
 * @param {[string, string[]][]} resources
 * @returns {[string[], string[]][]}
 */
function byActions(resources) {
  const groups = new Map();
  for (const [resource, actions] of resources) {
    // `*` is not grouped with other resources.
    const key = [resource === "*", ...actions].join(" ");
    if (!groups.has(key)) groups.set(key, [actions, []]);
    groups.get(key)[1].push(resource);
  }
  return [...groups.values()];
}
