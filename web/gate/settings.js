// The settings of a gate: accepted credentials, organizations, environments and the cost of a call.

import { get, patch } from "../lib/api.js";
import { open } from "../lib/dialog.js";
import { h } from "../lib/dom.js";
import { showCurrentValues, checkbox, field, form, group, radios, valueOf } from "../lib/form.js";
import { card } from "../key/parts.js";
import { announce } from "../lib/messages.js";
import { compareNames, formatList, t } from "../lib/text.js";
import { namesIn, acceptedKeys, wholeNumber } from "./words.js";

/** @param {Page.GatePage} page */
export function settingsCard(page) {
  const { gate, organizations } = page;
  const fact = (/** @type {string} */ name, /** @type {Page.Child} */ value) => [h("dt", {}, name), h("dd", {}, value)];
  const headers = gate.credentials.map((header) => h("li", {}, h("code", {}, header)));
  const edit = h("button", { type: "button", onclick: () => change(page) }, t("gate.edit"));
  return card(
    t("gate.settings"),
    edit,
    h(
      "dl.facts",
      {},
      gate.description ? fact(t("gates.description"), gate.description) : null,
      fact(t("gate.credentials"), h("ul.inline", {}, headers)),
      fact(t("gates.accepted_keys"), acceptedKeys(gate, organizations)),
      fact(t("gates.environments"), gate.environments ? formatList(gate.environments) : t("gates.all_environments")),
      fact(t("gate.cost"), t("gate.units", { count: gate.cost })),
      fact(t("gate.preflight"), gate.preflight === "allow" ? t("gate.preflight_allow") : t("gate.preflight_check")),
    ),
  );
}

/** @param {Page.GatePage} page */
async function change(page) {
  // Keep organizations that no longer exist until the user unchecks them.
  const gone = (page.gate.organizations ?? []).filter((id) => !page.organizations.some((one) => one.id === id));
  const organizations = [...page.organizations, ...gone.map((id) => ({ id, name: id }))];
  organizations.sort((one, other) => compareNames(one.name, other.name));
  let shown = page.gate;
  const done = await open(t("gate.edit"), (close) => {
    const submit = async (/** @type {HTMLFormElement} */ element) => {
      try {
        close(await patch(page.path, typedIn(element, organizations), shown.version));
      } catch (problem) {
        if (problem.code === "version_conflict") {
          const now = await get(page.path);
          showCurrentValues(element, typed(shown, organizations), typed(now, organizations));
          shown = now;
        }
        throw problem;
      }
    };
    return form({ submit, button: t("actions.save"), cancel: () => close() }, fields(shown, organizations));
  });
  if (!done) return;
  announce(t("gate.saved"));
  page.redraw();
}

/**
 * @param {Api.Gate} gate
 * @param {{id: string, name: string}[]} organizations
 */
function fields(gate, organizations) {
  const now = typed(gate, organizations);
  const input = (/** @type {string} */ name, properties = {}) =>
    h("input", { name, value: now[name], autocomplete: "off", spellcheck: "false", ...properties });
  const whose = [
    ["all", t("gates.all_organizations"), t("gate.all_organizations_hint")],
    ["these", t("gate.these_organizations")],
  ];
  const preflights = [
    ["check", t("gate.preflight_check"), t("gate.preflight_check_hint")],
    ["allow", t("gate.preflight_allow"), t("gate.preflight_allow_hint")],
  ];
  const boxes = organizations.map((one) => checkbox(one.id, one.name, { checked: now[one.id] }));
  return [
    field(t("gates.description"), input("description", { spellcheck: "true" }), { optional: true }),
    field(t("gate.credentials"), input("credentials"), { hint: t("gate.credentials_hint") }),
    group(
      "organizations",
      t("gates.accepted_keys"),
      radios("whose", whose, now.whose),
      h("div.choices.these", {}, boxes),
    ),
    field(t("gates.environments"), input("environments"), { optional: true, hint: t("gate.environments_hint") }),
    field(t("gate.cost"), input("cost", { inputmode: "numeric" }), { hint: t("gate.cost_hint") }),
    group("preflight", t("gate.preflight"), radios("preflight", preflights, now.preflight)),
  ];
}

/**
 * The values of the settings fields.
 *
 * @param {Api.Gate} options
 * @param {{id: string, name: string}[]} organizations
 */
function typed({ description, credentials, organizations: whose, environments, cost, preflight }, organizations) {
  const ticked = organizations.map(({ id }) => [id, whose?.includes(id) ?? false]);
  return {
    description,
    credentials: credentials.join(", "),
    whose: whose ? "these" : "all",
    environments: (environments ?? []).join(", "),
    cost: String(cost),
    preflight,
    ...Object.fromEntries(ticked),
  };
}

/**
 * The fields of the request. "These" without a checked organization is sent as an empty list, not as "all".
 *
 * @param {HTMLFormElement} element
 * @param {{id: string, name: string}[]} organizations
 */
function typedIn(element, organizations) {
  const ticked = organizations.map(({ id }) => id).filter((id) => element.elements.namedItem(id).checked);
  const environments = namesIn(valueOf(element, "environments"));
  return {
    description: valueOf(element, "description").trim(),
    credentials: namesIn(valueOf(element, "credentials")),
    organizations: valueOf(element, "whose") === "all" ? null : ticked,
    environments: environments.length > 0 ? environments : null,
    cost: wholeNumber(valueOf(element, "cost")),
    preflight: valueOf(element, "preflight"),
  };
}
