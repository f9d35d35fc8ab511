// Says in words what a list of permissions lets somebody do.

import { listed, t } from "./text.js";

const SHOWN_MAX = 2;

/** In a few words, for a list: the first permissions, and how many more there are. */
export function inFewWords(permissions) {
  if (permissions === null) return t("permission_words.follows_owner");
  if (permissions.length === 0) return t("permission_words.nothing");
  if (permissions.includes("*")) return t("permission_words.everything");
  const shown = byResource(permissions).map(([resource, actions]) => phrase(resource, actions));
  const more = shown.length - SHOWN_MAX;
  if (more <= 0) return listed(shown);
  return t("permission_words.and_more", { what: shown.slice(0, SHOWN_MAX).join(", "), count: more });
}

/** As a whole sentence: "This key may ...". */
export function inSentence(permissions) {
  if (permissions.length === 0) return t("permission_words.may_nothing");
  // "*" stops before Keyhouse's own management, which is always named.
  const rest = permissions.includes("*")
    ? permissions.filter((one) => one.startsWith("keyhouse:") || one === "*")
    : permissions;
  const phrases = byResource(rest).map(([resource, actions]) => phrase(resource, actions));
  return t("permission_words.may", { what: listed(phrases) });
}

function phrase(resource, actions) {
  if (resource === "*" && actions.includes("*")) return t("permission_words.everything");
  if (actions.includes("*")) return t("permission_words.all_of", { resource });
  if (resource === "*") return t("permission_words.on_all", { actions: listed(actions) });
  return t("permission_words.some_of", { resource, actions: listed(actions) });
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
