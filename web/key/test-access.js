// The sheet that predicts what a check of a key would answer, and shows the rule that decides. It calls nothing.

import { all, post } from "../lib/api.js";
import { loadForDialog, open } from "../lib/dialog.js";
import { replaceChildren, h } from "../lib/dom.js";
import { icon } from "../lib/icon.js";
import { isOperator } from "../lib/state.js";
import { loadStyles } from "../lib/styles.js";
import { permissionNames } from "../elements/permission-names.js";
import { explanation, whyText } from "../elements/explanation.js";
import { field, form, select, valueOf } from "../lib/form.js";
import { parts, t } from "../lib/text.js";

const FIELDS = /** @type {const} */ (["permissions", "ip", "gate"]);
/** @typedef {Record<string, string>} Asked */

/** @param {Api.Key} key */
export async function testAccess(key) {
  // Only operators see gates.
  const gates = isOperator() ? await loadForDialog(t("explain.title"), () => all("/v1/gates")) : [];
  if (gates === undefined) return;
  await loadStyles("explanation");
  const names = gates.map((gate) => gate.name);
  await open(t("explain.title"), () => sheet(key, names), { isSheet: true });
}

/**
 * @param {Api.Key} key
 * @param {string[]} gates
 */
function sheet(key, gates) {
  const answer = h("div.answer", { role: "status" });
  const submit = async (/** @type {HTMLFormElement} */ element) => {
    replaceChildren(answer);
    /** @type {Asked} */
    const asked = {};
    for (const name of FIELDS) {
      const text = element.elements.namedItem(name) ? valueOf(element, name).trim() : "";
      if (text !== "") asked[name] = text;
    }
    replaceChildren(answer, verdict(await post(`/v1/keys/${key.id}/explain`, asked), asked));
    answer.scrollIntoView({ block: "nearest" });
  };
  const typed = { autocomplete: "off", spellcheck: "false" };
  const wanted = h("input.code", { ...typed, name: "permissions" });
  const address = h("input.code", { ...typed, name: "ip" });
  const choices = [["", t("explain.no_gate")], ...gates.map((name) => [name, name])];
  return form(
    { submit, button: t("explain.test") },
    h("p.row.nothing-happens", {}, icon("info"), h("span", {}, t("explain.what"))),
    h("p", {}, parts("explain.of_key", { name: h("strong", { dir: "auto" }, key.name) })),
    field(t("explain.permission"), wanted, { optional: true, hint: t("explain.permission_hint") }),
    field(t("explain.address"), address, { optional: true, hint: t("explain.address_hint") }),
    gates.length > 0
      ? field(t("explain.gate"), select("gate", choices, ""), { optional: true, hint: t("explain.gate_hint") })
      : null,
    permissionNames(wanted),
    answer,
  );
}

/**
 * @param {Api.Explanation} result
 * @param {Asked} asked
 */
function verdict(result, asked) {
  const { valid } = result;
  const fact = (/** @type {string} */ name, /** @type {string | undefined} */ value, /** @type {string} */ otherwise) =>
    h("div", {}, h("dt", {}, name), h("dd", {}, value ? h("code", {}, value) : otherwise));
  return h(
    `div.verdict.${valid ? "good" : "bad"}`,
    {},
    h(
      "p.row.outcome-line",
      {},
      icon(valid ? "check" : "revoke"),
      h("strong", {}, valid ? t("explain.would_allow") : t("explain.would_refuse")),
    ),
    valid ? null : h("p", {}, whyText(result.code)),
    h("p", {}, valid ? t("explain.would_reach") : t("explain.would_not_reach")),
    explanation(result),
    h(
      "dl.facts.small",
      {},
      fact(t("explain.permission"), asked.permissions, t("explain.no_permission")),
      fact(t("explain.address"), asked.ip, t("explain.unknown_address")),
      fact(t("explain.gate"), asked.gate, t("explain.no_gate")),
    ),
    h("p.small.soft", {}, t("explain.nothing_called")),
  );
}
