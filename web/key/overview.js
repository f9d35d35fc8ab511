// The overview of a key: calls of the last day, last use, expiry, owner, what it can access, and its details.

import { replaceChildren, h } from "../lib/dom.js";
import { problemNotice } from "../lib/messages.js";
import { keySentence } from "../lib/permission-words.js";
import { callsOf, refusedOf } from "../lib/usage.js";
import { session } from "../lib/state.js";
import { compareNames, day, formatList, moment, number, parts, t } from "../lib/text.js";
import { copyButton } from "../elements/copy-button.js";
import { expiryChoice } from "../elements/expiry-choice.js";
import { sparkline } from "../elements/sparkline.js";
import { timeAgo } from "../elements/time-ago.js";
import { field, valueOf } from "../lib/form.js";
import { limitTexts, networksOf } from "./limits.js";
import { action, card, change, fact } from "./parts.js";

const DESCRIPTION_CHARACTERS_MAX = 1000;
/** Networks named before "and more". */
const NETWORKS_MAX = 3;

/**
 * @param {Page.KeyPage} page
 * @returns {Page.KeyPanel}
 */
export function panel(page) {
  const element = h("div.stack", {});
  // The calls are loaded once: they do not depend on changes of the key.
  const calls = callsTile(page);
  const draw = () => {
    const tiles = h("div.card.tiles-row", {}, calls, useTile(page.key), expiryTile(page), ownerTile(page.key));
    replaceChildren(element, tiles, h("div.columns", {}, accessSummary(page), details(page)));
  };
  draw();
  return { element, draw };
}

/**
 * @param {string} name
 * @param {...Page.Child} children
 */
const tile = (name, ...children) =>
  h("div.tile-part", { role: "group", "aria-label": name }, h("p.small.soft", {}, name), children);

const value = (/** @type {Page.Child[]} */ ...children) => h("p.value", {}, children);

/** @param {Page.KeyPage} page */
function callsTile(page) {
  const place = h("div.stack.tight", {}, value("–"));
  const load = async () => {
    try {
      const { usage, buckets } = await callsOf("24h", page.key.id);
      const { calls } = usage.totals;
      const refused = refusedOf(usage.totals);
      const words = t("usage.refused", { count: refused });
      const label = t("usage.sum", { count: calls, refused: words });
      replaceChildren(
        place,
        h("div.row", {}, value(number(calls)), calls > 0 ? sparkline(buckets.map(allowedIn), label) : null),
        h(refused > 0 ? "p.small.refused-count" : "p.small.soft", {}, words),
      );
    } catch (problem) {
      if (!problem.members) throw problem;
      replaceChildren(place, problemNotice(problem, load));
    }
  };
  load();
  const link = h("a.small", { href: page.addressOf("usage") }, t("key.show_usage"));
  return tile(t("usage.hours"), place, link);
}

/** @param {Page.Bucket} bucket */
const allowedIn = (bucket) => ({ calls: bucket.calls, allowed: bucket.calls - refusedOf(bucket) });

/** @param {Api.Key} key */
function useTile({ last_used: last }) {
  if (!last) return tile(t("key.last_used"), value(t("key.never_used")));
  const agent = last.user_agent
    ? h("p.small.soft.agent-line", { title: last.user_agent, dir: "auto" }, last.user_agent)
    : null;
  return tile(t("key.last_used"), value(timeAgo(last.at)), last.ip ? h("p", {}, h("code", {}, last.ip)) : null, agent);
}

/** @param {Page.KeyPage} page */
function expiryTile(page) {
  const { key, rights } = page;
  const edit = rights.change
    ? h(
        "p",
        {},
        action("end", t("key.change_expiry"), () => changeEnd(page), { class: "link" }),
      )
    : null;
  if (!key.expires_at) return tile(t("key.expires"), value(t("key.never_expires")), edit);
  const exact = h("time", { datetime: key.expires_at, title: moment(key.expires_at) }, day(key.expires_at));
  return tile(t("key.expires"), value(exact), h("p.small.soft", {}, timeAgo(key.expires_at)), edit);
}

/** @param {Api.Key} key */
function ownerTile(key) {
  return tile(
    t("key.owner"),
    value(h("span", { dir: "auto" }, ownerName(key))),
    h("p.small.soft", {}, t("key.created"), " ", created(key)),
  );
}

/** @param {Page.KeyPage} page */
function accessSummary(page) {
  const { key } = page;
  const link = h("a", { href: page.addressOf("access") }, t("key.show_access"));
  const limits = limitTexts(key);
  const names = key.teams.map((team) => team.name).sort(compareNames);
  return card(
    t("key.access"),
    link,
    h(
      "dl.facts",
      {},
      fact(t("key.permissions"), keySentence(key.permissions)),
      fact(t("key.networks"), networkWords(networksOf(key))),
      fact(
        t("key.limits"),
        limits.length > 0
          ? h(
              "ul.plain",
              {},
              limits.map((one) => h("li", {}, one)),
            )
          : t("key.no_limits"),
      ),
      fact(t("key.teams"), names.length > 0 ? formatList(names) : t("key.no_teams")),
    ),
  );
}

/** @param {Page.Networks} networks */
function networkWords({ allow, deny }) {
  const named = (/** @type {string[]} */ list) => {
    const more = list.length - NETWORKS_MAX;
    const codes = list.slice(0, NETWORKS_MAX).map((one) => h("li", {}, h("code", {}, one)));
    return h("ul.patterns", {}, codes, more > 0 ? h("li", {}, t("keys.more", { count: more })) : null);
  };
  if (allow.length === 0 && deny.length === 0) return t("key.any_network");
  return [
    allow.length > 0 ? named(allow) : t("key.any_network_but"),
    deny.length > 0 && allow.length > 0 ? h("p.small.soft", {}, t("networks.deny")) : null,
    deny.length > 0 ? named(deny) : null,
  ];
}

/** @param {Page.KeyPage} page */
function details(page) {
  const { key } = page;
  const id = h("code", { tabindex: "-1" }, key.id);
  const copy = copyButton(
    () => key.id,
    () => id,
    t("keys.copy_id"),
    true,
  );
  return card(
    t("key.about"),
    null,
    description(page),
    h(
      "dl.facts",
      {},
      key.not_before
        ? fact(t("key.valid_from"), h("time", { datetime: key.not_before }, moment(key.not_before)))
        : null,
      fact(t("key.id"), h("span.copied", {}, id, copy)),
      metadata(key),
    ),
  );
}

/** @param {Page.KeyPage} page */
function description(page) {
  const { key, rights } = page;
  if (!rights.label) return key.description ? h("p", { dir: "auto" }, key.description) : null;
  const label = key.description ? t("key.edit_description") : t("key.add_description");
  return h(
    "p",
    {},
    key.description ? h("span", { dir: "auto" }, key.description, " ") : null,
    action("description", label, () => changeDescription(page), { class: "link" }),
  );
}

/** @param {Page.KeyPage} page */
function changeDescription(page) {
  const value = page.key.description;
  const text = h("textarea", { name: "description", maxlength: DESCRIPTION_CHARACTERS_MAX, value });
  // The API accepts only one line. The field is taller, so that a long line is visible.
  const changes = (/** @type {HTMLFormElement} */ form) => ({
    description: valueOf(form, "description").replaceAll(/\s+/g, " ").trim(),
  });
  const title = value ? t("key.edit_description") : t("key.add_description");
  return change(page, title, changes, field(t("key.description"), text, { hint: t("key.description_hint") }));
}

/** @param {Api.Key} key */
function ownerName(key) {
  if (key.kind === "service") return session.organization.name;
  if (key.owner === session.user.id) return t("key.you", { name: session.user.name || session.user.email });
  return key.owner_name ?? h("code", {}, key.owner);
}

/**
 * The time of creation, and the creator if the user may see it.
 *
 * @param {Api.Key} key
 */
function created(key) {
  const when = timeAgo(key.created_at);
  const who = creator(key);
  return who ? parts("key.created_when", { when, who }) : when;
}

/** @param {Api.Key} key */
function creator(key) {
  if (key.created_by === session.user.id) return session.user.name || session.user.email;
  if (key.created_by === "local") return t("events.actor_local");
  if (key.created_by.startsWith("key_")) return h("a", { href: `#/keys/${key.created_by}` }, t("key.another_key"));
  return key.created_by === key.owner ? key.owner_name : null;
}

/** @param {Api.Key} key */
function metadata(key) {
  if (Object.keys(key.metadata).length === 0) return null;
  const text = JSON.stringify(key.metadata, null, 2);
  return fact(t("key.metadata"), h("pre", {}, text));
}

/** @param {Page.KeyPage} page */
function changeEnd(page) {
  const { key } = page;
  const choice = expiryChoice(key.expires_at ? localDay(key.expires_at) : "never");
  // To remove an expiry, the request must contain `null`.
  const changes = () => {
    const fields = choice.fields();
    return Object.keys(fields).length > 0 ? fields : { expires_at: null };
  };
  const now = key.expires_at
    ? t("key.expires_currently", { day: day(key.expires_at) })
    : t("key.never_expires_currently");
  return change(page, t("key.change_expiry"), changes, h("p", {}, now), choice.element);
}

/**
 * A date in the format of a date field, in the user's time zone.
 *
 * @param {string} iso
 */
function localDay(iso) {
  const then = new Date(iso);
  const two = (/** @type {number} */ part) => String(part).padStart(2, "0");
  return `${then.getFullYear()}-${two(then.getMonth() + 1)}-${two(then.getDate())}`;
}
