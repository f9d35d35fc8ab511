// The features and limits of plans, for operators.

import { all, patch } from "../lib/api.js";
import { open } from "../lib/dialog.js";
import { h } from "../lib/dom.js";
import { checkbox, field, form, group, valueOf } from "../lib/form.js";
import { live } from "../lib/live.js";
import { planName } from "../lib/plans.js";
import { announce } from "../lib/messages.js";
import { table } from "../lib/table.js";
import { number, t } from "../lib/text.js";

/** @type {Page.FeatureName[]} */
const FEATURES = ["api_access", "teams", "multiple_teams"];
/** @type {(keyof Api.Limits)[]} */
const LIMITS = ["keys_per_user", "keys", "users", "requests_per_10s", "requests_per_month"];
/** The known plans from the smallest to the largest. Other plans follow. */
const ORDER = ["free", "pro", "enterprise"];

// plans.feature_api_access, _teams, _multiple_teams
const featureName = (/** @type {string} */ name) => t(`plans.feature_${name}`);
// plans.limit_keys, _users and so on
const limitName = (/** @type {string} */ name) => t(`plans.limit_${name}`);

/**
 * The features of a plan.
 *
 * @param {Api.Features} given
 */
export function features(given) {
  const names = FEATURES.filter((name) => given[name]).map(featureName);
  if (names.length === 0) return h("span.soft", {}, t("plans.no_features"));
  return h(
    "span.badges",
    {},
    names.map((name) => h("span.badge", {}, name)),
  );
}

export async function view() {
  const body = await live(async (redraw) => {
    const plans = await all("/v1/plans");
    const place = (/** @type {Api.Plan} */ plan) => (ORDER.includes(plan.id) ? ORDER.indexOf(plan.id) : ORDER.length);
    plans.sort((one, other) => place(one) - place(other));
    return [h("p.soft", {}, t("plans.what")), h("div.card.flush", {}, compared(plans, redraw))];
  });
  return { title: t("plans.title"), body: body.element };
}

/**
 * One row per feature or limit, one column per plan, edit buttons in the last row.
 *
 * @param {Api.Plan[]} plans
 * @param {Page.Redraw} redraw
 */
function compared(plans, redraw) {
  const columns = [t("plans.feature_or_limit"), ...plans.map((plan) => planName(plan.id))];
  const yes = (/** @type {boolean} */ is) =>
    is ? h("span.badge.good", {}, t("plans.yes")) : h("span.soft", {}, t("plans.no"));
  const most = (/** @type {number | null} */ limit) =>
    limit === null ? h("span.soft", {}, t("plans.unlimited")) : number(limit);
  const button = (/** @type {Api.Plan} */ plan) => {
    const name = t("plans.edit_one", { plan: planName(plan.id) });
    const onclick = () => edit(plan, redraw);
    return h("button", { type: "button", "aria-label": name, onclick }, t("actions.edit"));
  };
  const rows = [
    ...FEATURES.map((name) => [featureName(name), ...plans.map((plan) => yes(plan.features[name]))]),
    ...LIMITS.map((name) => [limitName(name), ...plans.map((plan) => most(plan.limits[name]))]),
    [h("span.visually-hidden", {}, t("actions.edit")), ...plans.map(button)],
  ];
  return table(t("plans.title"), columns, rows);
}

/**
 * @param {Api.Plan} plan
 * @param {Page.Redraw} redraw
 */
async function edit(plan, redraw) {
  const name = planName(plan.id);
  const done = await open(t("plans.edit_one", { plan: name }), (close) => {
    const submit = async (/** @type {HTMLFormElement} */ element) => {
      const at = (/** @type {string} */ one) => element.elements.namedItem(one);
      const given = Object.fromEntries(FEATURES.map((one) => [one, at(one).checked]));
      const limits = Object.fromEntries(LIMITS.map((one) => [one, count(valueOf(element, one))]));
      close(await patch(`/v1/plans/${plan.id}`, { features: given, limits }, plan.version));
    };
    const box = (/** @type {Page.FeatureName} */ one) =>
      checkbox(one, featureName(one), { checked: plan.features[one] });
    const most = (/** @type {keyof Api.Limits} */ one) => {
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
  announce(t("plans.saved"));
  redraw();
}

/**
 * The input as a number; `null` for no limit. Other input is sent unchanged, so that the server rejects it.
 *
 * @param {string} text
 */
function count(text) {
  const typed = text.trim();
  if (typed === "") return null;
  // Accept thousands separators: 1,000, 1.000 or 1 000. Any other comma is not a whole number.
  const plain = /^\d{1,3}([\s.,'’]\d{3})+$/.test(typed) ? typed.replaceAll(/\D/g, "") : typed;
  return /^-?\d+$/.test(plain) ? Number(plain) : text;
}
