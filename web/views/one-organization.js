// One organization, for operators: subscription, domains, maximum permissions, suspension.

import { all, get, patch } from "../lib/api.js";
import { confirm, open } from "../lib/dialog.js";
import { h } from "../lib/dom.js";
import { field, form, select, valueOf } from "../lib/form.js";
import { live } from "../lib/live.js";
import { planName } from "../lib/plans.js";
import { announce } from "../lib/messages.js";
import { setTitle } from "../shell.js";
import { session } from "../lib/state.js";
import { loadTexts, moment, number, t } from "../lib/text.js";
import { organizationBadges } from "./organizations.js";
import { features } from "./plans.js";

/** @typedef {`/v1/organizations/${string}`} OrganizationPath */

const STATUSES = ["trialing", "active", "past_due", "canceled"];

/** @param {Page.Address} options */
export async function view({ params: [id] }) {
  const path = /** @type {const} */ (`/v1/organizations/${encodeURIComponent(id)}`);
  /** @type {Api.Organization | undefined} */
  let organization;
  const body = await live(async (redraw) => {
    const isFirst = organization === undefined;
    const [loaded, subscription, plans] = await Promise.all([
      get(path),
      get(`${path}/subscription`),
      all("/v1/plans"),
      loadTexts("one-organization"),
    ]);
    organization = loaded;
    if (!isFirst) setTitle(loaded.name);
    return [
      organizationBadges(loaded),
      // Keys of a suspended organization are refused, whatever its subscription.
      subscriptionOf(path, { ...subscription, access: subscription.access && !loaded.suspended }, plans, redraw),
      domainsOf(path, loaded, redraw),
      maximumOf(path, loaded, redraw),
      suspension(path, loaded, redraw),
    ];
  });
  const rename = () => {
    const name = h("input", { name: "name", value: organization?.name, autocomplete: "off" });
    const save = (/** @type {HTMLFormElement} */ element) =>
      patch(path, { name: valueOf(element, "name") }, organization?.version);
    return edit(t("one_organization.rename"), [field(t("organizations.name"), name)], save, body.redraw);
  };
  const button = h("button", { type: "button", onclick: rename }, t("one_organization.rename"));
  return { title: organization?.name ?? "", actions: [button], body: body.element };
}

/**
 * Opens a form in a dialog and redraws the view after it was saved.
 *
 * @param {string} title
 * @param {Page.Child[]} content
 * @param {(form: HTMLFormElement) => Promise<unknown>} save
 * @param {Page.Redraw} redraw
 */
async function edit(title, content, save, redraw) {
  const done = await open(title, (close) => {
    const submit = async (/** @type {HTMLFormElement} */ element) => close(await save(element));
    return form({ submit, button: t("actions.save"), cancel: () => close() }, ...content);
  });
  if (!done) return;
  announce(t("one_organization.saved"));
  redraw();
}

/**
 * @param {OrganizationPath} path
 * @param {Api.Subscription} seen
 * @param {Api.Plan[]} plans
 * @param {Page.Redraw} redraw
 */
function subscriptionOf(path, seen, plans, redraw) {
  const fact = (/** @type {string} */ label, /** @type {Page.Child} */ value) => [
    h("dt", {}, label),
    h("dd", {}, value),
  ];
  const of = (/** @type {number} */ used, /** @type {number | null} */ maximum) =>
    maximum === null ? number(used) : t("one_organization.used_of", { used, maximum });
  const end = seen.current_period_end ? moment(seen.current_period_end) : t("one_organization.no_end");
  const access = seen.access
    ? h("span.badge.good", {}, t("one_organization.access_yes"))
    : h("span.badge.bad", {}, t("one_organization.access_no"));
  const change = () => {
    const choices = plans.map((plan) => [plan.id, planName(plan.id)]);
    const value = local(seen.current_period_end);
    const end = h("input", { name: "current_period_end", type: "datetime-local", value });
    const save = (/** @type {HTMLFormElement} */ element) => {
      const until = valueOf(element, "current_period_end");
      const current_period_end = until ? new Date(until).toISOString() : null;
      const [plan, status] = ["plan", "status"].map((name) => valueOf(element, name));
      return patch(`${path}/subscription`, { plan, status, current_period_end }, seen.version);
    };
    const content = [
      field(t("organizations.plan"), select("plan", choices, seen.plan)),
      field(
        t("one_organization.status"),
        select(
          "status",
          STATUSES.map((one) => [one, statusName(one)]),
          seen.status,
        ),
      ),
      field(t("one_organization.period_end"), end, { optional: true, hint: t("one_organization.period_end_hint") }),
      h("p.hint", {}, t("one_organization.loses_nothing")),
    ];
    return edit(t("one_organization.change_subscription"), content, save, redraw);
  };
  const label = t("one_organization.change_subscription");
  return h(
    "section.card.stack",
    {},
    h("h2", {}, t("subscription.title")),
    h(
      "dl.facts",
      {},
      fact(t("one_organization.access"), access),
      fact(t("organizations.plan"), [planName(seen.plan), " ", features(seen.features)]),
      fact(t("one_organization.status"), statusName(seen.status)),
      fact(t("one_organization.period_end"), end),
      fact(t("one_organization.keys"), of(seen.used.keys, seen.limits.keys)),
      fact(t("one_organization.people"), of(seen.used.users, seen.limits.users)),
      fact(t("one_organization.teams"), number(seen.used.teams)),
    ),
    h("div", {}, h("button", { type: "button", onclick: change }, label)),
  );
}

const statusName = (/** @type {string} */ status) => t(`one_organization.status_${status}`);

/**
 * Date and time in the format of a `datetime-local` field, in the user's time zone.
 *
 * @param {string | null} iso
 */
function local(iso) {
  if (!iso) return "";
  const at = new Date(iso);
  return new Date(at.getTime() - at.getTimezoneOffset() * 60_000).toISOString().slice(0, 16);
}

/**
 * @param {OrganizationPath} path
 * @param {Api.Organization} organization
 * @param {Page.Redraw} redraw
 */
function domainsOf(path, organization, redraw) {
  const { domains, id } = organization;
  // Emails of the operators' own organization do not depend on domains.
  const isOwn = id === session.organization.id;
  const change = () => {
    const list = h("textarea.code", { name: "domains", value: domains.join("\n"), rows: "4", spellcheck: "false" });
    const save = (/** @type {HTMLFormElement} */ element) => {
      const typed = valueOf(element, "domains")
        .split(/[\s,]+/)
        .filter((one) => one !== "");
      return patch(path, { domains: typed }, organization.version);
    };
    const content = [field(t("one_organization.domains"), list, { hint: t("one_organization.domains_edit_hint") })];
    return edit(t("one_organization.change_domains"), content, save, redraw);
  };
  const shown = h(
    "ul.inline",
    {},
    domains.map((one) => h("li", {}, h("code", {}, one))),
  );
  return h(
    "section.card.stack",
    {},
    h("h2", {}, t("one_organization.domains")),
    h("p.soft.small", {}, isOwn ? t("one_organization.domains_own") : t("one_organization.domains_hint")),
    domains.length === 0 && !isOwn ? h("p", {}, t("one_organization.domains_none")) : shown,
    h("div", {}, h("button", { type: "button", onclick: change }, t("one_organization.change_domains"))),
  );
}

/**
 * @param {OrganizationPath} path
 * @param {Api.Organization} organization
 * @param {Page.Redraw} redraw
 */
function maximumOf(path, organization, redraw) {
  const change = () => {
    const lines = organization.permissions.join("\n");
    const list = h("textarea.code", { name: "permissions", value: lines, rows: "6", spellcheck: "false" });
    const save = (/** @type {HTMLFormElement} */ element) => {
      const permissions = [
        ...new Set(
          valueOf(element, "permissions")
            .split(/[\s,]+/)
            .filter((one) => one !== ""),
        ),
      ];
      return patch(path, { permissions }, organization.version);
    };
    const hint = t("one_organization.maximum_edit_hint");
    const content = [field(t("one_organization.maximum"), list, { hint })];
    return edit(t("one_organization.change_maximum"), content, save, redraw);
  };
  const { permissions } = organization;
  const shown =
    permissions.length > 0
      ? h(
          "ul.inline",
          {},
          permissions.map((one) => h("li", {}, h("code", {}, one))),
        )
      : h("p", {}, t("one_organization.maximum_nothing"));
  return h(
    "section.card.stack",
    {},
    h("h2", {}, t("one_organization.maximum")),
    h("p.soft.small", {}, t("one_organization.maximum_hint")),
    permissions.includes("*") ? h("p", {}, t("one_organization.maximum_all")) : shown,
    h("div", {}, h("button", { type: "button", onclick: change }, t("one_organization.change_maximum"))),
  );
}

/**
 * @param {OrganizationPath} path
 * @param {Api.Organization} organization
 * @param {Page.Redraw} redraw
 */
function suspension(path, organization, redraw) {
  const { name, suspended, version } = organization;
  const button = suspended ? t("one_organization.resume") : t("one_organization.suspend");
  const hint = suspended ? t("one_organization.resume_hint") : t("one_organization.suspend_hint");
  const titleKey = suspended ? "one_organization.resume_title" : "one_organization.suspend_title";
  const confirmChange = async () => {
    const title = t(titleKey, { name });
    const words = { title, body: hint, button, done: t("one_organization.saved"), safe: suspended };
    if (await confirm(words, () => patch(path, { suspended: !suspended }, version))) redraw();
  };
  return h(
    "section.card",
    {},
    h(
      "div.setting",
      {},
      h("div", {}, h("h2", {}, button), h("p.soft.small", {}, hint)),
      h(suspended ? "button" : "button.danger", { type: "button", onclick: confirmChange }, button),
    ),
  );
}
