// The details of a key: owner, creation, expiry, last use.

import { h } from "../lib/dom.js";
import { expiryChoice } from "../elements/expiry-choice.js";
import { keyStatus } from "../elements/key-status.js";
import { timeAgo } from "../elements/time-ago.js";
import { field, valueOf } from "../lib/form.js";
import { session } from "../lib/state.js";
import { day, moment, parts, t } from "../lib/text.js";
import { action, change, fact } from "./parts.js";

const DESCRIPTION_CHARACTERS_MAX = 1000;

/** @param {Page.KeyPage} page */
export function factsCard(page) {
  const { key, rights } = page;
  return h(
    "section.card.stack",
    { "aria-label": t("key.about") },
    h(
      "p.row",
      {},
      keyStatus(key),
      key.hint ? h("code", {}, t("key.hint", { hint: key.hint })) : null,
      h("span.badge", {}, key.kind === "service" ? t("key.service") : t("key.personal")),
      // Environments are named by the organization, so they have no text.
      h("span.badge", {}, key.environment),
      key.origin === "imported" ? h("span.badge", {}, t("key.imported")) : null,
    ),
    description(page),
    h(
      "dl.facts-wide",
      {},
      fact(t("key.owner"), ownerName(key)),
      fact(t("key.created"), created(key)),
      key.not_before
        ? fact(t("key.valid_from"), h("time", { datetime: key.not_before }, moment(key.not_before)))
        : null,
      fact(
        t("key.expires"),
        end(key),
        rights.change ? action("end", t("key.change_expiry"), () => changeEnd(page), { class: "link" }) : null,
      ),
      fact(t("key.last_used"), lastUse(key.last_used)),
      fact(t("key.id"), h("code", {}, key.id)),
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
function end(key) {
  if (!key.expires_at) return t("key.never_expires");
  const exact = h("time", { datetime: key.expires_at }, moment(key.expires_at));
  return [exact, h("span.soft", {}, " · ", timeAgo(key.expires_at))];
}

/**
 * Time, address and user agent of the last use of a key or a secret.
 *
 * @param {Api.Use | null} last
 */
export function lastUse(last) {
  if (!last) return t("key.never_used");
  return [
    timeAgo(last.at),
    last.ip ? [" · ", h("code", {}, last.ip)] : null,
    last.user_agent ? h("span.agent.small.soft", {}, last.user_agent) : null,
  ];
}

/** @param {Api.Key} key */
function metadata(key) {
  if (Object.keys(key.metadata).length === 0) return null;
  const text = JSON.stringify(key.metadata, null, 2);
  return h("div.wide", {}, h("dt", {}, t("key.metadata")), h("dd", {}, h("pre", {}, text)));
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
