// The secrets of a key, shown by their hints, and the dialog that rotates the secret.

import { post } from "../lib/api.js";
import { open } from "../lib/dialog.js";
import { replaceChildren, h } from "../lib/dom.js";
import { form, group, radios, valueOf } from "../lib/form.js";
import { moment, parts, t } from "../lib/text.js";
import { showSecret } from "./secret-dialog.js";
import { timeAgo } from "../elements/time-ago.js";
import { lastUse } from "./facts.js";
import { card, fact } from "./parts.js";

/**
 * Overlaps: value for the API, seconds, text key.
 *
 * @type {[string, number, string][]}
 */
const OVERLAPS = [
  ["0s", 0, "rotate.stop_now"],
  ["1h", 3600, "rotate.hour"],
  ["24h", 86_400, "rotate.day"],
  ["7d", 7 * 86_400, "rotate.week"],
  ["30d", 30 * 86_400, "rotate.month"],
];
const PROPOSED = "24h";

/** @param {Page.KeyPage} page */
export function secretsCard(page) {
  const { key, rights } = page;
  const isOthers = !rights.rotate && key.kind === "personal" && rights.change && key.status !== "expired";
  return card(
    t("rotate.secrets"),
    null,
    replaced(key),
    h(
      "ul.secrets",
      {},
      key.secrets.map((secret, at) => h("li", {}, secretLines(secret, at === 0))),
    ),
    isOthers ? h("p.small.soft", {}, t("rotate.owner_only")) : null,
  );
}

const hasEnded = (/** @type {Page.KeySecret} */ secret) =>
  secret.ends_at !== null && new Date(secret.ends_at) <= new Date();

/**
 * The last use of the replaced secret, while it still works.
 *
 * @param {Api.Key} key
 */
function replaced(key) {
  const old = key.secrets[1];
  if (!old?.ends_at || hasEnded(old) || key.status === "revoked") return null;
  const hint = h("code", {}, t("key.hint", { hint: old.hint }));
  const last = old.last_used;
  const isUsed = last && last.at > key.secrets[0].created_at;
  return h(
    "div.notice",
    {},
    h("p", {}, parts("rotate.old_works", { hint, when: h("time", { datetime: old.ends_at }, moment(old.ends_at)) })),
    h(
      "p",
      {},
      isUsed
        ? parts("rotate.old_used", { when: timeAgo(last.at), ip: h("code", {}, last.ip ?? t("rotate.no_address")) })
        : t("rotate.old_unused"),
    ),
  );
}

/**
 * @param {Page.KeySecret} secret
 * @param {boolean} isNewest
 */
function secretLines(secret, isNewest) {
  let state = null;
  if (!isNewest) state = h("span.badge", {}, hasEnded(secret) ? t("rotate.ended") : t("rotate.replaced"));
  return [
    h("p.row", {}, h("code.strong", {}, t("key.hint", { hint: secret.hint })), state),
    h(
      "dl.facts.small",
      {},
      fact(t("rotate.created"), timeAgo(secret.created_at)),
      fact(t("key.last_used"), lastUse(secret.last_used)),
      secret.ends_at ? fact(t("key.expires"), h("time", { datetime: secret.ends_at }, moment(secret.ends_at))) : null,
    ),
  ];
}

/**
 * Asks for the overlap, rotates the secret, and shows the new secret once.
 *
 * @param {Page.KeyPage} page
 */
export async function rotate(page) {
  const { key } = page;
  const made = await open(t("rotate.title"), (close) => {
    const effect = h("p.consequence", { role: "status" });
    const choices = OVERLAPS.map(([span, , words]) => [span, t(words)]); // rotate.none, .hour, .day, .week, .month
    const showEffect = () => replaceChildren(effect, consequence(key, element.elements.namedItem("overlap").value));
    const submit = async (/** @type {HTMLFormElement} */ element) => {
      const { id, version } = page.key;
      close(await post(`/v1/keys/${id}/rotate`, { overlap: valueOf(element, "overlap") }, { version }));
    };
    const element = form(
      { submit, button: t("rotate.button"), cancel: () => close() },
      h("p", {}, parts("rotate.what", { name: h("strong", {}, key.name) })),
      group("overlap", t("rotate.overlap"), radios("overlap", choices, PROPOSED, showEffect)),
      effect,
    );
    showEffect();
    return element;
  });
  if (!made) return;
  await showSecret(made);
  page.update(made.key);
}

/**
 * @param {Api.Key} key
 * @param {string} span
 */
function consequence(key, span) {
  const [, seconds] = OVERLAPS.find(([name]) => name === span) ?? OVERLAPS[0];
  const hint = h("code", {}, t("key.hint", { hint: key.secrets[0].hint }));
  const older = key.secrets[1];
  const end = moment(new Date(Date.now() + seconds * 1000).toISOString());
  const stops = seconds === 0 ? parts("rotate.stops_now", { hint }) : parts("rotate.works_until", { hint, when: end });
  return [
    h("span", {}, stops),
    older && !hasEnded(older)
      ? h("span", {}, " ", parts("rotate.older_stops", { hint: h("code", {}, t("key.hint", { hint: older.hint })) }))
      : null,
  ];
}
