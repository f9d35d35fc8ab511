// The secrets of a key, shown by their hints, and the dialog that rotates the secret.

import { post } from "../lib/api.js";
import { open } from "../lib/dialog.js";
import { replaceChildren, h } from "../lib/dom.js";
import { form, group, radios, valueOf } from "../lib/form.js";
import { moment, parts, t } from "../lib/text.js";
import { showSecret } from "./secret-dialog.js";
import { timeAgo } from "../elements/time-ago.js";
import { table } from "../lib/table.js";
import { hasEnded } from "./notices.js";
import { card, lastUse } from "./parts.js";

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

/**
 * @param {Page.KeyPage} page
 * @returns {Page.KeyPanel}
 */
export function panel(page) {
  const element = h("div.stack", {});
  const draw = () => replaceChildren(element, secretsCard(page));
  draw();
  return { element, draw };
}

/** @param {Page.KeyPage} page */
function secretsCard(page) {
  const { key, rights } = page;
  const isOthers = !rights.rotate && key.kind === "personal" && rights.change && key.status !== "expired";
  const columns = [
    t("rotate.secret"),
    t("keys.status"),
    t("rotate.created"),
    t("key.last_used"),
    t("rotate.works_until_head"),
  ];
  const rows = key.secrets.map((secret, at) => [
    h("code.strong", {}, t("key.hint", { hint: secret.hint })),
    state(secret, at === 0),
    timeAgo(secret.created_at),
    h("span", {}, lastUse(secret.last_used)),
    secret.ends_at ? h("time", { datetime: secret.ends_at }, moment(secret.ends_at)) : "–",
  ]);
  return card(
    t("rotate.secrets"),
    null,
    h("p.soft", {}, t("rotate.kept")),
    h("div.secrets", {}, table(t("rotate.secrets"), columns, rows)),
    isOthers ? h("p.small.soft", {}, t("rotate.owner_only")) : null,
  );
}

/**
 * @param {Page.KeySecret} secret
 * @param {boolean} isNewest
 */
function state(secret, isNewest) {
  if (hasEnded(secret)) return h("span.badge", {}, t("rotate.ended"));
  return isNewest ? h("span.badge.good", {}, t("rotate.current")) : h("span.badge.warn", {}, t("rotate.replaced"));
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
    const choices = OVERLAPS.map(([span, , words]) => [span, t(words)]);
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
