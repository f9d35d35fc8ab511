// The user's organization: name, rules for keys, second factor, subscription.

import { get, patch } from "../lib/api.js";
import { h } from "../lib/dom.js";
import { icon } from "../lib/icon.js";
import { showCurrentValues, checkbox, field, form, group, valueOf } from "../lib/form.js";
import { planName } from "../lib/plans.js";
import { allRoles, roleName } from "../lib/roles.js";
import { problemNotice, announce } from "../lib/messages.js";
import { refresh } from "../shell.js";
import { instance, isOperator, may, reload, session } from "../lib/state.js";
import { day, formatList, number, t } from "../lib/text.js";

/** @type {Page.FeatureName[]} */
const FEATURES = ["api_access", "teams", "multiple_teams"];
/**
 * The limits of a plan, each with the name of its usage count.
 *
 * @type {[keyof Api.Limits, (keyof Api.Subscription["used"])?][]}
 */
const LIMITS = [["keys", "keys"], ["keys_per_user"], ["users", "users"], ["requests_per_10s"], ["requests_per_month"]];

/** @param {Page.Address} options */
export async function view({ redraw }) {
  const seesSubscription = may("keyhouse:subscription:read");
  const [organization, roles, subscription] = await Promise.all([
    get("/v1/organization"),
    allRoles(),
    seesSubscription ? get("/v1/subscription").then(subscriptionFacts, shownAlone) : null,
  ]);
  const body = h(
    "div.stack.account",
    {},
    organization.suspended ? h("p.notice.bad", {}, t("organization.suspended")) : null,
    h("section.card.stack", {}, h("h2", {}, t("organization.settings")), settings(organization)),
    h(
      "section.card.stack",
      {},
      h("h2", {}, t("organization.second_factor")),
      secondFactor(organization, roles, redraw),
    ),
    subscription ? h("section.card.stack", {}, h("h2", {}, t("subscription.title")), subscription) : null,
  );
  return { title: t("organization.title"), body };
}

/**
 * A problem of one part is shown in its place, so that the other part stays visible.
 *
 * @param {any} problem
 */
function shownAlone(problem) {
  if (!problem.members) throw problem;
  return problemNotice(problem);
}

/** @param {Api.Organization} organization */
function settings(organization) {
  if (!may("keyhouse:organization:manage")) return readOnly(organization);
  let shown = organization;
  const members = organization.members_create_keys;
  const submit = async (/** @type {HTMLFormElement} */ element) => {
    const days = valueOf(element, "key_lifetime_days_max").trim();
    const changed = {
      name: valueOf(element, "name"),
      members_create_keys: element.elements.namedItem("members_create_keys").checked,
      // Other input is sent unchanged, so that the server reports it at the field.
      key_lifetime_days_max: days === "" ? null : /^\d+$/.test(days) ? Number(days) : days,
    };
    try {
      shown = await patch("/v1/organization", changed, shown.version);
    } catch (problem) {
      if (problem.code === "version_conflict") {
        const now = await get("/v1/organization");
        showCurrentValues(element, typed(shown), typed(now));
        shown = now;
      }
      throw problem;
    }
    await reload();
    refresh();
    announce(t("organization.saved"));
  };
  const name = h("input", { name: "name", autocomplete: "organization", maxlength: 256, value: organization.name });
  const days = h("input.short", {
    name: "key_lifetime_days_max",
    inputmode: "numeric",
    autocomplete: "off",
    value: organization.key_lifetime_days_max ?? "",
  });
  return form(
    { submit, button: t("actions.save") },
    field(t("organization.name"), name),
    group(
      "members_create_keys",
      t("organization.key_creation"),
      checkbox("members_create_keys", t("organization.members_create_keys"), { checked: members }),
      h("p.hint", {}, t("organization.members_hint")),
    ),
    field(t("organization.lifetime"), days, { hint: t("organization.lifetime_hint"), optional: true }),
  );
}

/**
 * The values of the settings fields.
 *
 * @param {Api.Organization} options
 */
function typed({ name, members_create_keys, key_lifetime_days_max: days }) {
  return { name, members_create_keys, key_lifetime_days_max: String(days ?? "") };
}

/**
 * The roles that require a second factor. Only owners can change them.
 *
 * @param {Api.Organization} options
 * @param {Api.Role[]} roles
 * @param {Page.Redraw} redraw
 */
function secondFactor({ second_factor_required_of: named }, roles, redraw) {
  const nameOf = (/** @type {string} */ id) => (id === "operator" ? t("organization.operators") : roleName(id, roles));
  if (session.user.role !== "owner") {
    return h("p", {}, named.length > 0 ? formatList(named.map(nameOf)) : t("organization.second_factor_optional"));
  }
  const ids = [...new Set(["operator", ...roles.map((role) => role.id), ...named])];
  const submit = async (/** @type {HTMLFormElement} */ element) => {
    const required = ids.filter((id) => element.elements.namedItem(id).checked);
    await patch("/v1/organization", { second_factor_required_of: required });
    announce(t("organization.saved"));
    await reload();
    await redraw();
  };
  const boxes = ids.map((id) => checkbox(id, nameOf(id), { checked: named.includes(id) }));
  return form(
    { submit, button: t("organization.second_factor_save") },
    group(
      "second_factor_required_of",
      t("organization.second_factor_of"),
      h("div.choices", {}, boxes),
      h("p.hint", {}, t("organization.second_factor_hint")),
    ),
  );
}

/** @param {Api.Organization} organization */
function readOnly(organization) {
  const days = organization.key_lifetime_days_max;
  return [
    h(
      "dl.facts",
      {},
      h("dt", {}, t("organization.name")),
      h("dd", {}, organization.name),
      h("dt", {}, t("organization.members_create_keys")),
      h("dd", {}, organization.members_create_keys ? t("organization.yes") : t("organization.no")),
      h("dt", {}, t("organization.lifetime")),
      h("dd", {}, days ? t("organization.days", { count: days }) : t("organization.no_limit")),
    ),
    h("p.soft.small", {}, t("organization.read_only")),
  ];
}

/** @param {Api.Subscription} subscription */
function subscriptionFacts(subscription) {
  const { features, limits, used, status, current_period_end: end } = subscription;
  const tone = { active: "good", trialing: "accent", past_due: "warn", canceled: "bad" }[status];
  return [
    subscription.access ? null : h("p.notice.warn", {}, t("subscription.no_access")),
    h(
      "dl.facts",
      {},
      h("dt", {}, t("subscription.plan")),
      h("dd", {}, h("strong", {}, planName(subscription.plan))),
      h("dt", {}, t("subscription.status")),
      // subscription.trialing, .active, .past_due, .canceled
      h("dd", {}, h(tone ? `span.badge.${tone}` : "span.badge", {}, t(`subscription.${status}`))),
      h("dt", {}, t("subscription.period_end")),
      h("dd", {}, end ? day(end) : t("subscription.no_end")),
    ),
    h("h3", {}, t("subscription.features")),
    h(
      "ul.features",
      {},
      FEATURES.map((name) => feature(name, features[name])),
    ),
    h("h3", {}, t("subscription.limits")),
    h(
      "dl.facts",
      {},
      LIMITS.map(([name, count]) => limit(name, limits[name], count && used[count])),
      teams(features, used),
    ),
    changing(),
  ];
}

/**
 * @param {string} name
 * @param {boolean} has
 */
function feature(name, has) {
  // features.api_access, .teams, .multiple_teams
  const label = t(`features.${name}`);
  const words = has ? t("subscription.included") : t("subscription.not_included");
  const mark = icon(has ? "check" : "minus");
  return h(has ? "li.has" : "li", {}, mark, label, h("span.visually-hidden", {}, ` (${words})`));
}

/**
 * @param {string} name
 * @param {number | null} maximum
 * @param {number | undefined} used
 */
function limit(name, maximum, used) {
  // limits.keys_per_user, .keys, .users, .requests_per_10s, .requests_per_month
  return [h("dt", {}, t(`limits.${name}`)), h("dd", {}, amount(used, maximum))];
}

/**
 * @param {Api.Features} features
 * @param {{teams: number}} used
 */
function teams(features, used) {
  const maximum = features.multiple_teams ? null : features.teams ? 1 : 0;
  return [h("dt", {}, t("subscription.teams")), h("dd", {}, amount(used.teams, maximum))];
}

/**
 * @param {number | undefined} used
 * @param {number | null} maximum
 */
function amount(used, maximum) {
  if (used === undefined) return maximum === null ? t("subscription.unlimited") : number(maximum);
  if (maximum === null) return t("subscription.used_unlimited", { used });
  // The text shows the numbers. The usage can exceed the limit after a change of plan.
  const filled = { min: 0, max: maximum, value: Math.min(used, maximum), "aria-hidden": "true" };
  return [h("span", {}, t("subscription.used_of", { used, maximum })), maximum > 0 ? h("meter", filled) : null];
}

function changing() {
  const { id } = session.organization;
  const toPlan = isOperator() ? h("p", {}, h("a", { href: `#/organizations/${id}` }, t("subscription.change"))) : null;
  const prices = instance.pricing_url
    ? h("p", {}, h("a", { href: instance.pricing_url, target: "_blank", rel: "noreferrer" }, t("subscription.pricing")))
    : null;
  return [toPlan ?? h("p.soft.small", {}, t("subscription.operators")), prices];
}
