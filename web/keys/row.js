// One row of the list of keys.

import { replaceChildren, h } from "../lib/dom.js";
import { icon } from "../lib/icon.js";
import { shortPermissions, sparePermissions } from "../lib/permission-words.js";
import { session } from "../lib/state.js";
import { ago, day, exactMoment, formatList, t } from "../lib/text.js";
import { timeAgo } from "../elements/time-ago.js";

const SOON_MS = 7 * 86_400_000;
const USUAL_ENVIRONMENT = "live";
/** A longer address, of IPv6, is cut in its middle. */
const ADDRESS_CHARACTERS_MAX = 20;

/** @type {Record<string, string>} */
const TONES = { active: "good", not_yet_valid: "accent", disabled: "soft", expired: "bad", revoked: "soft" };

/** @param {{status: string}} key */
export const toneOf = (key) => TONES[key.status] ?? "soft";

/**
 * The cells of a key, and `show()`, which shows its current values. `select` and `actions` are put into the cells.
 * `calls` is the place for the calls of the last 24 hours.
 *
 * @param {Api.Key} key
 * @param {{select: Element | null, actions: Element | null}} parts
 */
export function rowOf(key, { select, actions }) {
  const name = h("a.key-name", { href: `#/keys/${key.id}`, dir: "auto" });
  const hint = h("code.hint", {});
  const [owner, permissions, status, used, expires] = [0, 1, 2, 3, 4].map(() => h("div.cell", {}));
  const calls = h("div.calls", {});
  const show = () => {
    replaceChildren(name, key.name);
    name.title = key.name;
    replaceChildren(hint, key.hint ?? "", environmentOf(key));
    replaceChildren(owner, ownerOf(key), teamsOf(key));
    replaceChildren(permissions, chipsOf(key.permissions));
    replaceChildren(status, statusOf(key));
    replaceChildren(used, lastUseOf(key));
    replaceChildren(expires, expiryOf(key));
  };
  show();
  const first = h("div.named", {}, select ?? h("span.no-box", {}), h("div.name-and-hint", {}, name, hint));
  return { name, show, calls, cells: [first, owner, permissions, status, calls, used, expires, actions] };
}

/** @param {Api.Key} key */
function environmentOf({ environment }) {
  return environment === USUAL_ENVIRONMENT ? null : h("span.badge.warn", {}, environment);
}

/** @param {Api.Key} key */
function ownerOf(key) {
  if (key.kind === "service") return h("span.line", {}, t("keys.organization"));
  if (key.owner === session.user.id) return h("span.line", {}, t("keys.you"));
  if (key.owner_name) return h("span.line", { dir: "auto", title: key.owner_name }, key.owner_name);
  return h("span.line.soft", {}, t("keys.former_member"));
}

/** @param {Api.Key} key */
function teamsOf(key) {
  if (key.teams.length === 0) return null;
  const teams = formatList(key.teams.map((team) => team.name));
  return h("span.line.small.soft", { title: teams }, t("keys.shared_with", { teams }));
}

/**
 * The first permission, and the number of the others. All are in the title.
 *
 * @param {string[] | null} permissions
 */
function chipsOf(permissions) {
  const inWords = shortPermissions(permissions);
  const spare = sparePermissions(permissions);
  // Patterns over everything are clearer in words.
  if (spare.length === 0 || spare.some((one) => one.startsWith("*"))) return h("span.chip-text", {}, inWords);
  const [first, ...others] = spare;
  const more = others.length > 0 ? h("span.tag", {}, t("keys.more", { count: others.length })) : null;
  return h("span.tags", { title: spare.join("\n") }, h("code.tag", {}, first), more);
}

/** @param {Api.Key} key */
function statusOf(key) {
  const end = key.secrets[1]?.ends_at;
  const rotating = key.status === "active" && end && new Date(end) > new Date() ? end : null;
  if (rotating) {
    const when = ago(rotating, { style: "narrow" });
    return [
      dot("warn", t("keys.rotating")),
      h("span.below.small.soft", { title: exactMoment(rotating) }, t("keys.old_ends", { when })),
    ];
  }
  // status.active, status.disabled, status.expired, status.not_yet_valid, status.revoked
  const word = dot(toneOf(key), t(`status.${key.status}`));
  if (key.status !== "not_yet_valid" || !key.not_before) return word;
  return [word, h("span.below.small.soft", {}, t("keys.starts", { day: day(key.not_before) }))];
}

const dot = (/** @type {string} */ tone, /** @type {string} */ word) => h(`span.dot.${tone}`, {}, word);

/** @param {Api.Key} key */
function expiryOf(key) {
  if (!key.expires_at) return h("span.soft", {}, t("keys.no_expiry"));
  const left = new Date(key.expires_at).getTime() - Date.now();
  const title = exactMoment(key.expires_at);
  if (key.status !== "active" || left > SOON_MS) return h("span", { title }, day(key.expires_at));
  return h("span.warned", { title }, timeAgo(key.expires_at));
}

/** @param {Api.Key} key */
function lastUseOf(key) {
  if (!key.last_used) return h("span.soft", {}, t("keys.never_used"));
  const ip = key.last_used.ip;
  return [
    h("span.line", {}, timeAgo(key.last_used.at)),
    h("code.line.hint", { title: ip }, ip ? cutAddress(ip) : t("keys.no_address")),
  ];
}

/**
 * An address without its middle, if it is long.
 *
 * @param {string} ip
 */
function cutAddress(ip) {
  if (ip.length <= ADDRESS_CHARACTERS_MAX) return ip;
  const half = (ADDRESS_CHARACTERS_MAX - 1) / 2;
  return `${ip.slice(0, Math.ceil(half))}…${ip.slice(-Math.floor(half))}`;
}

/**
 * One line for the keys that the user may not open. Their number may be unknown (`null`).
 *
 * @param {number | null} count
 */
export function hiddenLine(count) {
  const text = count === null ? t("keys.hidden_some") : t("keys.hidden", { count });
  return h("p.hidden-keys", {}, icon("hidden"), h("span", {}, text));
}
