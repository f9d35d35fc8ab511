// "May this key do X from Y?": asks, and says the answer and what decided it in words.

import { all, post } from "../api.js";
import { fill, freshId, h } from "../dom.js";
import { codeName } from "../elements/usage-chart.js";
import { field, form, valueOf } from "../form.js";
import { known, t } from "../text.js";
import { card } from "./parts.js";

export function explainCard(key) {
  const names = h("datalist", { id: freshId("names") });
  const offer = async () => {
    // An offer, no more: without it the name is typed.
    const items = await all("/v1/permissions").catch(() => []);
    fill(names, items.map((item) => h("option", { value: item.name })));
  };
  const answer = h("div.answer", { role: "status" });
  const submit = async (element) => {
    fill(answer);
    const asked = {};
    for (const name of ["permissions", "ip"]) {
      const text = valueOf(element, name).trim();
      if (text !== "") asked[name] = text;
    }
    const told = await post(`/v1/keys/${key.id}/explain`, asked);
    fill(answer, verdict(told, asked));
  };
  const wanted = h("input", { name: "permissions", list: names.id, autocomplete: "off", spellcheck: "false" });
  wanted.addEventListener("focus", offer, { once: true });
  const address = h("input", { name: "ip", autocomplete: "off", spellcheck: "false" });
  const element = form(
    { submit, button: t("explain.ask") },
    h("p.soft", {}, t("explain.what")),
    h(
      "div.side-by-side",
      {},
      field(t("explain.permission"), wanted, { optional: true, hint: t("explain.permission_hint") }),
      field(t("explain.address"), address, { optional: true, hint: t("explain.address_hint") }),
    ),
    names,
  );
  return card(t("explain.title"), null, element, answer);
}

function verdict(told, asked) {
  const badge = told.valid ? h("span.badge.good", {}, t("explain.yes")) : h("span.badge.bad", {}, t("explain.no"));
  const failed = told.rules.find((rule) => rule.outcome === "failed");
  // explain.why_VALID, explain.why_REVOKED, ... : one for each outcome of a check
  const why = known(`explain.why_${told.code}`) ?? codeName(told.code);
  const isAboutPermission = told.code === "INSUFFICIENT_PERMISSIONS";
  return h(
    "div.notice.stack",
    {},
    h("p", {}, badge, " ", why),
    asked.ip || asked.permissions ? null : h("p.small.soft", {}, t("explain.asked_nothing")),
    failed ? h("p", {}, t("explain.decided", { source: sourceName(told.source) })) : null,
    // What the API adds is in English, and names what was found: a network, a limit, a moment.
    told.detail && !isAboutPermission ? h("p.small", { lang: "en" }, told.detail) : null,
    (told.rules.find((rule) => rule.permissions.length > 0)?.permissions ?? []).map(granting),
    h("details", {}, h("summary", {}, t("explain.all_rules")), h("ol.rules", {}, told.rules.map(rule))),
  );
}

// explain.source_key, .source_secret, .source_role, ... : one for each source
const sourceName = (source) => known(`explain.source_${source}`) ?? source;

/** How one permission is granted, or who does not grant it. */
function granting({ permission, granted, by }) {
  const stage = (one) => {
    const source = stageName(one);
    const words = one.granted ? t("explain.grants", { source }) : t("explain.grants_not", { source });
    return h("li", {}, words, one.pattern ? [" ", h("code", {}, one.pattern)] : null);
  };
  const word = granted ? t("explain.granted") : t("explain.not_granted");
  return h(
    "div",
    {},
    h("p", {}, h("code.strong", {}, permission), " ", h("span.soft", {}, word)),
    h("ul.bullets", {}, by.map(stage)),
  );
}

function stageName({ source, name }) {
  if (source !== "role" || !name) return sourceName(source);
  if (name === "operator") return t("explain.operator");
  // roles_builtin.owner, .administrator, .user, .guest
  return t("explain.role", { name: known(`roles_builtin.${name}`) ?? t("explain.own_role") });
}

const MARKS = { passed: "✓", failed: "✗", not_reached: "–" };

function rule({ code, outcome }) {
  const mark = h("span.outcome", { "aria-hidden": "true" }, MARKS[outcome] ?? "–");
  // explain.rule_REVOKED, ... : what each rule asks; explain.outcome_passed, ..._failed, ..._not_reached
  const asks = known(`explain.rule_${code}`) ?? codeName(code);
  return h("li", { class: outcome }, mark, asks, h("span.soft", {}, t(`explain.outcome_${outcome}`)));
}
