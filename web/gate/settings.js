// What a gate is beside its routes: which headers carry the key, whose keys it takes, what a call costs.

import { get, patch } from "../api.js";
import { open } from "../dialog.js";
import { h } from "../dom.js";
import { catchUp, checkbox, field, form, group, radios, valueOf } from "../form.js";
import { card } from "../key/parts.js";
import { say } from "../say.js";
import { inOrder, listed, t } from "../text.js";
import { namesIn, whoseKeys, wholeIn } from "./words.js";

export function settingsCard(page) {
  const { gate, organizations } = page;
  const fact = (name, value) => [h("dt", {}, name), h("dd", {}, value)];
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
      fact(t("gates.whose"), whoseKeys(gate, organizations)),
      fact(t("gates.environments"), gate.environments ? listed(gate.environments) : t("gates.all_environments")),
      fact(t("gate.cost"), t("gate.units", { count: gate.cost })),
      fact(t("gate.preflight"), gate.preflight === "allow" ? t("gate.preflight_allow") : t("gate.preflight_check")),
    ),
  );
}

async function change(page) {
  // One that is no longer listed stays until somebody unticks it.
  const gone = (page.gate.organizations ?? []).filter((id) => !page.organizations.some((one) => one.id === id));
  const organizations = [...page.organizations, ...gone.map((id) => ({ id, name: id }))];
  organizations.sort((one, other) => inOrder(one.name, other.name));
  let shown = page.gate;
  const done = await open(t("gate.edit"), (close) => {
    const submit = async (element) => {
      try {
        close(await patch(page.path, typedIn(element, organizations), shown.version));
      } catch (problem) {
        if (problem.code === "version_conflict") {
          const now = await get(page.path);
          catchUp(element, typed(shown, organizations), typed(now, organizations));
          shown = now;
        }
        throw problem;
      }
    };
    return form({ submit, button: t("actions.save"), cancel: () => close() }, fields(shown, organizations));
  });
  if (!done) return;
  say(t("gate.saved"));
  page.again();
}

function fields(gate, organizations) {
  const now = typed(gate, organizations);
  const input = (name, properties = {}) =>
    h("input", { name, value: now[name], autocomplete: "off", spellcheck: "false", ...properties });
  const whose = [
    ["all", t("gates.everybody"), t("gate.everybody_hint")],
    ["these", t("gate.these")],
  ];
  const preflights = [
    ["check", t("gate.preflight_check"), t("gate.preflight_check_hint")],
    ["allow", t("gate.preflight_allow"), t("gate.preflight_allow_hint")],
  ];
  const boxes = organizations.map((one) => checkbox(one.id, one.name, { checked: now[one.id] }));
  return [
    field(t("gates.description"), input("description", { spellcheck: "true" }), { optional: true }),
    field(t("gate.credentials"), input("credentials"), { hint: t("gate.credentials_hint") }),
    group("organizations", t("gates.whose"), radios("whose", whose, now.whose), h("div.choices.these", {}, boxes)),
    field(t("gates.environments"), input("environments"), { optional: true, hint: t("gate.environments_hint") }),
    field(t("gate.cost"), input("cost", { inputmode: "numeric" }), { hint: t("gate.cost_hint") }),
    group("preflight", t("gate.preflight"), radios("preflight", preflights, now.preflight)),
  ];
}

/** The settings as their fields hold them. */
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

/** What to send of what is typed. "These" with none ticked is sent as it is: nobody means everybody by it. */
function typedIn(element, organizations) {
  const ticked = organizations.map(({ id }) => id).filter((id) => element.elements.namedItem(id).checked);
  const environments = namesIn(valueOf(element, "environments"));
  return {
    description: valueOf(element, "description").trim(),
    credentials: namesIn(valueOf(element, "credentials")),
    organizations: valueOf(element, "whose") === "all" ? null : ticked,
    environments: environments.length > 0 ? environments : null,
    cost: wholeIn(valueOf(element, "cost")),
    preflight: valueOf(element, "preflight"),
  };
}
