// Plans: what each gives, and changing that. For operators.

import { all, patch } from "../api.js";
import { open } from "../dialog.js";
import { h } from "../dom.js";
import { checkbox, field, form, group, valueOf } from "../form.js";
import { live } from "../live.js";
import { planName } from "../plans.js";
import { say } from "../say.js";
import { table } from "../table.js";
import { number, t } from "../text.js";

const FEATURES = ["api_access", "teams", "multiple_teams"];
const LIMITS = ["keys_per_user", "keys", "users", "requests_per_10s", "requests_per_month"];
/** From the smallest to the largest, whatever else there is behind. */
const ORDER = ["free", "pro", "enterprise"];

const featureName = (name) => t(`plans.feature_${name}`); // plans.feature_api_access, _teams, _multiple_teams
const limitName = (name) => t(`plans.limit_${name}`); // plans.limit_keys, _users and so on

/** The features that are given. */
export function features(given) {
  const names = FEATURES.filter((name) => given[name]).map(featureName);
  if (names.length === 0) return h("span.soft", {}, t("plans.no_features"));
  return h("span.badges", {}, names.map((name) => h("span.badge", {}, name)));
}

export async function view() {
  const body = await live(async (again) => {
    const plans = await all("/v1/plans");
    const place = (plan) => (ORDER.includes(plan.id) ? ORDER.indexOf(plan.id) : ORDER.length);
    plans.sort((one, other) => place(one) - place(other));
    return [h("p.soft", {}, t("plans.what")), h("div.card.flush", {}, compared(plans, again))];
  });
  return { title: t("plans.title"), body: body.element };
}

/** A line a feature and limit, a column a plan, the buttons below. */
function compared(plans, again) {
  const columns = [t("plans.gives"), ...plans.map((plan) => planName(plan.id))];
  const yes = (is) => (is ? h("span.badge.good", {}, t("plans.yes")) : h("span.soft", {}, t("plans.no")));
  const most = (limit) => (limit === null ? h("span.soft", {}, t("plans.unlimited")) : number(limit));
  const button = (plan) => {
    const name = t("plans.edit_one", { plan: planName(plan.id) });
    const onclick = () => edit(plan, again);
    return h("button", { type: "button", "aria-label": name, onclick }, t("actions.edit"));
  };
  const rows = [
    ...FEATURES.map((name) => [featureName(name), ...plans.map((plan) => yes(plan.features[name]))]),
    ...LIMITS.map((name) => [limitName(name), ...plans.map((plan) => most(plan.limits[name]))]),
    [h("span.said-only", {}, t("actions.edit")), ...plans.map(button)],
  ];
  return table(t("plans.title"), columns, rows);
}

async function edit(plan, again) {
  const name = planName(plan.id);
  const done = await open(t("plans.edit_one", { plan: name }), (close) => {
    const submit = async (element) => {
      const at = (one) => element.elements.namedItem(one);
      const given = Object.fromEntries(FEATURES.map((one) => [one, at(one).checked]));
      const limits = Object.fromEntries(LIMITS.map((one) => [one, count(valueOf(element, one))]));
      close(await patch(`/v1/plans/${plan.id}`, { features: given, limits }, plan.version));
    };
    const box = (one) => checkbox(one, featureName(one), { checked: plan.features[one] });
    const most = (one) => {
      const value = plan.limits[one];
      const input = h("input", { name: one, value: value === null ? "" : String(value), inputmode: "numeric" });
      return field(limitName(one), input);
    };
    return form(
      { submit, button: t("actions.save"), cancel: () => close() },
      h("p", {}, t("plans.edit_hint", { plan: name })),
      group("features", t("plans.features"), FEATURES.map(box)),
      group("limits", t("plans.limits"), h("p.hint", {}, t("plans.limits_hint")), h("div.stack", {}, LIMITS.map(most))),
    );
  });
  if (!done) return;
  say(t("plans.saved"));
  again();
}

/** What was typed as a count: nothing for no limit; what is no number is left to the server to refuse. */
function count(text) {
  const typed = text.trim();
  if (typed === "") return null;
  // As people write thousands: 1,000, 1.000 or 1 000. Anything else with a comma is no whole number.
  const plain = /^\d{1,3}([\s.,'’]\d{3})+$/.test(typed) ? typed.replaceAll(/\D/g, "") : typed;
  return /^-?\d+$/.test(plain) ? Number(plain) : text;
}
