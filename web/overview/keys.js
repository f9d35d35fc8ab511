// The keys that need attention, by reason. Each number is that of the list behind its link: both are one query.

import { get, patch, post } from "../lib/api.js";
import { h } from "../lib/dom.js";
import { may, session } from "../lib/state.js";
import { day, parts, t } from "../lib/text.js";
import { timeAgo } from "../elements/time-ago.js";
import { rightsTo } from "../key/rights.js";
import { fact, mendButton } from "./parts.js";

const DAY_MS = 86_400_000;
const EXTENSION_DAYS = 90;
const LIFETIME_DAYS = 365;
/** The keys that are shown; the link leads to all. */
const SHOWN_MAX = 3;

/**
 * @typedef {object} Group
 * @property {"expiring" | "endless" | "unused" | "old_secret"} name
 * @property {Page.QueryOf<"/v1/keys", "get">} query
 * @property {string} address The address of the list with the same filters.
 * @property {(key: Api.Key) => Page.Child} detail
 * @property {((key: Api.Key) => import("./parts.js").Mend) | null} mend
 * @property {() => Page.Child} [rule] Where the cause is mended.
 */

/** @type {Group[]} */
const GROUPS = [
  {
    name: "expiring",
    query: { status: "active", expires_within: "30d", sort: "expires_at" },
    address: "status=active&expires=30d&sort=expires_at",
    detail: (key) => parts("overview.expires", { when: timeAgo(key.expires_at) }),
    mend: (key) => changeOfEnd(key, endAfter(key.expires_at, EXTENSION_DAYS), "overview.extend"),
  },
  {
    name: "old_secret",
    query: { status: "active", old_secret: "used" },
    address: "status=old_secret",
    detail: oldUse,
    mend: null,
  },
  {
    name: "unused",
    query: { status: "active", unused_for: "90d", sort: "last_used" },
    address: "status=active&used=90d&sort=last_used",
    detail: (key) =>
      key.last_used ? parts("overview.last_used", { when: timeAgo(key.last_used.at) }) : t("keys.never_used"),
    mend: disabling,
  },
  {
    name: "endless",
    query: { status: "active", expires: "never" },
    address: "status=active&expires=never",
    detail: (key) => parts("overview.created", { when: timeAgo(key.created_at) }),
    mend: (key) => changeOfEnd(key, endAfter(null, LIFETIME_DAYS), "overview.end"),
    rule: () =>
      may("keyhouse:organization:manage") && session.organization.key_lifetime_days_max === null
        ? h("p.small", {}, h("a", { href: "#/organization" }, t("overview.lifetime")))
        : null,
  },
];

/** Functions that load the cards. A card is drawn when its texts are there (`ready`). */
export const keyGroups = (/** @type {Promise<unknown>} */ ready) => GROUPS.map((group) => () => load(group, ready));

/**
 * @param {Group} group
 * @param {Promise<unknown>} ready
 */
async function load({ name, query, address, detail, mend, rule }, ready) {
  /** @type {[Page.ListPage<"/v1/keys">, unknown]} */
  const [page] = await Promise.all([get("/v1/keys", { ...query, limit: SHOWN_MAX }), ready]);
  const count = page.total;
  const href = `#/keys?${address}`;
  // overview.count_expiring, .count_old_secret, .count_unused, .count_endless
  // overview.none_expiring, .none_old_secret, .none_unused, .none_endless
  const title = count > 0 ? t(`overview.count_${name}`, { count }) : t(`overview.none_${name}`);
  const label = t("overview.show_of", { title });
  const link = count > 0 ? h("a.all", { href, "aria-label": label }, t("overview.show")) : null;
  const keys = page.items.filter((item) => "name" in item);
  const line = (/** @type {Api.Key} */ key) =>
    h(
      "li",
      {},
      h(
        "div.fact-key",
        {},
        h("a.key-name", { href: `#/keys/${key.id}`, dir: "auto", title: key.name }, key.name),
        h("span.small.soft", {}, detail(key)),
      ),
      mend && rightsTo(key, []).change ? mendButton(mend(key)) : null,
    );
  // Keys without an end may be a choice.
  const state = count === 0 ? "good" : name === "endless" ? "info" : "warn";
  return fact({ state, title, link }, count > 0 ? [h("ul.fact-keys", {}, keys.map(line)), rule?.()] : null);
}

/** @param {Api.Key} key */
function oldUse({ secrets: [, old] }) {
  if (!old?.last_used || !old.ends_at) return null;
  const ip = old.last_used.ip ?? t("keys.no_address");
  return parts("overview.old_used", { when: timeAgo(old.last_used.at), ip: h("code", {}, ip), end: day(old.ends_at) });
}

/**
 * The time a number of days after a time; after now if there is none.
 *
 * @param {string | null} iso
 * @param {number} days
 */
function endAfter(iso, days) {
  const from = iso ? Date.parse(iso) : Date.now();
  return new Date(from + days * DAY_MS).toISOString();
}

/**
 * @param {Api.Key} key
 * @param {string} end
 * @param {"overview.extend" | "overview.end"} text
 * @returns {import("./parts.js").Mend}
 */
function changeOfEnd(key, end, text) {
  const path = /** @type {const} */ (`/v1/keys/${key.id}`);
  const before = key.expires_at;
  let version = key.version;
  const save = async (/** @type {string | null} */ expires_at) => {
    ({ version } = await patch(path, { expires_at }, version));
  };
  return {
    text: t(text),
    label: t("overview.mend_of", { action: t(text), name: key.name }),
    act: async () => {
      await save(end);
      return t("overview.expires_on", { day: day(end) });
    },
    undo: () => save(before),
  };
}

/**
 * @param {Api.Key} key
 * @returns {import("./parts.js").Mend}
 */
function disabling({ id, name }) {
  return {
    text: t("overview.disable"),
    label: t("overview.mend_of", { action: t("overview.disable"), name }),
    act: async () => {
      await post(`/v1/keys/${id}/disable`);
      return t("status.disabled");
    },
    undo: () => post(`/v1/keys/${id}/enable`),
  };
}
