// What an explained check comes to, in words: which rule decided, and who grants what.

import { h } from "./dom.js";
import { codeName } from "./elements/usage-chart.js";
import { known, t } from "./text.js";

/** Why a check came to this: explain.why_VALID, .why_REVOKED, ... one for each outcome. */
export const whyWords = (code) => known(`explain.why_${code}`) ?? codeName(code);

/** What decided, who grants the permissions that were asked for, and all rules: a list of nodes. */
export function explanation(told) {
  const failed = told.rules.find((rule) => rule.outcome === "failed");
  const isAboutPermission = told.code === "INSUFFICIENT_PERMISSIONS";
  return [
    failed ? h("p", {}, t("explain.decided", { source: sourceName(told.source) })) : null,
    // What the API adds is in English, and names what was found: a network, a limit, a moment.
    told.detail && !isAboutPermission ? h("p.small", { lang: "en" }, told.detail) : null,
    (told.rules.find((rule) => rule.permissions.length > 0)?.permissions ?? []).map(granting),
    h("details", {}, h("summary", {}, t("explain.all_rules")), h("ol.rules", {}, told.rules.map(rule))),
  ];
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
