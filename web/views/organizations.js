// The organizations of the instance, for operators.

import { all, post } from "../lib/api.js";
import { open } from "../lib/dialog.js";
import { h } from "../lib/dom.js";
import { oneTimeLink } from "../elements/one-time-link.js";
import { field, form, select, valueOf } from "../lib/form.js";
import { list } from "../lib/list.js";
import { planName } from "../lib/plans.js";
import { session } from "../lib/state.js";
import { addRows, table } from "../lib/table.js";
import { day, t } from "../lib/text.js";

export async function view() {
  const plans = (await all("/v1/plans")).map((plan) => [plan.id, planName(plan.id)]);
  const columns = [t("organizations.name"), t("organizations.plan"), t("organizations.since")];
  const cells = (/** @type {Api.Organization} */ one) => [
    [h("a.strong", { href: `#/organizations/${one.id}` }, one.name), organizationBadges(one)],
    planName(one.plan),
    day(one.created_at),
  ];
  const shown = list("/v1/organizations", {
    show: (items) => h("div.card.flush", {}, table(t("organizations.title"), columns, items.map(cells))),
    more: (element, items) => addRows(element.querySelector("table"), columns, items.map(cells)).querySelector("a"),
    empty: () => h("p.soft", {}, t("organizations.none")),
  });
  const start = () => make(plans, shown.reload);
  const button = h("button.primary", { type: "button", onclick: start }, t("organizations.new"));
  return { title: t("organizations.title"), actions: [button], body: shown.element };
}

/**
 * Badges of an organization.
 *
 * @param {Api.Organization} one
 */
export function organizationBadges(one) {
  const is = [];
  if (one.id === session.organization.id) is.push(h("span.badge.accent", {}, t("organizations.yours")));
  if (one.suspended) is.push(h("span.badge.bad", {}, t("organizations.suspended")));
  return is.length > 0 ? h("span.badges", {}, is) : null;
}

/**
 * @param {Page.Choice[]} plans
 * @param {Page.Redraw} reload
 */
async function make(plans, reload) {
  const made = await open(t("organizations.new"), (close) => {
    const submit = async (/** @type {HTMLFormElement} */ element) => {
      const [name, plan, owner_email] = ["name", "plan", "owner_email"].map((one) => valueOf(element, one));
      close(await post("/v1/organizations", { name, plan, owner_email }));
    };
    const email = h("input", { name: "owner_email", type: "email", autocomplete: "off", required: true });
    return form(
      { submit, button: t("organizations.create"), cancel: () => close() },
      field(t("organizations.name"), h("input", { name: "name", autocomplete: "off", required: true })),
      field(t("organizations.plan"), select("plan", plans, "free")),
      field(t("organizations.owner_email"), email, { hint: t("organizations.owner_hint") }),
    );
  });
  if (!made) return;
  await oneTimeLink({
    title: t("people.link_title"),
    body: t("people.link_body", { email: made.invitation.email }),
    url: made.url,
    endsAt: made.invitation.expires_at,
  });
  reload();
}
