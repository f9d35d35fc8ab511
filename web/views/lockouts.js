// Sign-in lockouts after failed sign-ins, for owners and operators, who can lift them.

import { get, remove } from "../lib/api.js";
import { confirm } from "../lib/dialog.js";
import { h } from "../lib/dom.js";
import { timeAgo } from "../elements/time-ago.js";
import { isOperator, session } from "../lib/state.js";
import { table } from "../lib/table.js";
import { t } from "../lib/text.js";

/** Whether the user may see lockouts. */
export const seesLockouts = () => isOperator() || session.user.role === "owner";

/** All current lockouts. */
export const allLockouts = async () => (await get("/v1/sign-in-lockouts", { limit: 100 })).items;

/**
 * The list, or `null` if there are no lockouts.
 *
 * @param {Api.Lockout[]} items
 * @param {Page.Redraw} redraw
 */
export function lockouts(items, redraw) {
  if (items.length === 0) return null;
  const columns = [
    t("lockouts.account_or_network"),
    t("lockouts.failures"),
    t("lockouts.until"),
    { hidden: t("lockouts.lift") },
  ];
  const row = (/** @type {Api.Lockout} */ item) => [
    named(item),
    item.failures ?? "",
    item.until ? timeAgo(item.until) : t("lockouts.not_blocked"),
    liftButton(item, redraw),
  ];
  return h(
    "section.stack",
    {},
    h("h2", {}, t("lockouts.title")),
    h("p.soft", {}, t("lockouts.lead")),
    h("div.card.flush", {}, table(t("lockouts.title"), columns, items.map(row))),
  );
}

const nameOf = (/** @type {Api.Lockout} */ item) => item.user?.email ?? item.network ?? t("lockouts.unknown");

/** @param {Api.Lockout} item */
function named(item) {
  if (item.kind === "network") return nameOf(item);
  const isHere = item.user?.organization === session.organization.id;
  return isHere ? h("a", { href: `#/people/${item.user?.id}` }, nameOf(item)) : nameOf(item);
}

/**
 * @param {Api.Lockout} item
 * @param {Page.Redraw} redraw
 */
function liftButton(item, redraw) {
  const lift = async () => {
    const words = {
      title: t("lockouts.lift_title", { name: nameOf(item) }),
      body: t("lockouts.lift_body"),
      button: t("lockouts.lift"),
      done: t("lockouts.lifted"),
      safe: true,
    };
    if ((await confirm(words, () => remove(`/v1/sign-in-lockouts/${item.id}`))) !== undefined) redraw();
  };
  const label = t("lockouts.lift_one", { name: nameOf(item) });
  return h("div.row.end", {}, h("button", { type: "button", "aria-label": label, onclick: lift }, t("lockouts.lift")));
}
