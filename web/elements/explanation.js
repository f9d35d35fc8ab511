// The result of a test of a check: the rule that decided, and where each permission is granted.

import { h } from "../lib/dom.js";
import { icon } from "../lib/icon.js";
import { codeName } from "./usage-chart.js";
import { optionalText, t } from "../lib/text.js";

/** The reason for an outcome: explain.why_VALID, .why_REVOKED, ... one for each code. */
export const whyText = (/** @type {string} */ code) => optionalText(`explain.why_${code}`) ?? codeName(code);

/**
 * The deciding rule, the source of each required permission and all rules, as a list of nodes.
 *
 * @param {Api.Explanation} result
 */
export function explanation(result) {
  const failed = result.rules.find((rule) => rule.outcome === "failed");
  const isAboutPermission = result.code === "INSUFFICIENT_PERMISSIONS";
  const permissions = result.rules.find((rule) => rule.permissions.length > 0)?.permissions ?? [];
  return [
    failed ? h("p", {}, t("explain.decided", { source: sourceName(result.source) })) : null,
    // The detail of the API is in English. The detail names the network, the limit or the time that
    // decided.
    result.detail && !isAboutPermission ? h("p.small", { lang: "en" }, result.detail) : null,
    permissions.map(granting),
    h("details", {}, h("summary", {}, t("explain.all_rules")), h("ol.rules", {}, result.rules.map(rule))),
  ];
}

// explain.source_key, .source_secret, .source_role, ... : one for each source
const sourceName = (/** @type {string | null} */ source) => optionalText(`explain.source_${source}`) ?? source;

/**
 * The sources that grant or do not grant one permission.
 *
 * @param {Api.Explanation["rules"][number]["permissions"][number]} options
 */
function granting({ permission, granted, by }) {
  const stage = (/** @type {Api.Explanation["rules"][number]["permissions"][number]["by"][number]} */ one) => {
    const source = stageName(one);
    const words = one.granted ? t("explain.grants", { source }) : t("explain.grants_not", { source });
    return h("li", {}, words, one.pattern ? [" ", h("code", {}, one.pattern)] : null);
  };
  const word = h(
    `span.badge.${granted ? "good" : "bad"}`,
    {},
    granted ? t("explain.granted") : t("explain.not_granted"),
  );
  return h("div", {}, h("p", {}, h("code.strong", {}, permission), " ", word), h("ul.bullets", {}, by.map(stage)));
}

/** @param {{source: string, name: string | null}} options */
function stageName({ source, name }) {
  if (source !== "role" || !name) return sourceName(source);
  if (name === "operator") return t("explain.operator");
  // roles_builtin.owner, .administrator, .user, .guest
  return t("explain.role", { name: optionalText(`roles_builtin.${name}`) ?? t("explain.own_role") });
}

const MARKS = { passed: "check", failed: "close", not_reached: "minus" };

/** @param {Api.Explanation["rules"][number]} options */
function rule({ code, outcome }) {
  const mark = h("span.outcome", {}, icon(MARKS[outcome] ?? "minus"));
  // explain.rule_REVOKED, ... : one for each rule; explain.outcome_passed, ..._failed, ..._not_reached
  // A failed rule is not named by what it requires, which would read as if it were met.
  const text = outcome === "failed" ? whyText(code) : (optionalText(`explain.rule_${code}`) ?? codeName(code));
  return h("li", { class: outcome }, mark, text, h("span.soft", {}, t(`explain.outcome_${outcome}`)));
}
