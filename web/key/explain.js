// The card that tests what a key can access, and shows the rule that decided.

import { post } from "../lib/api.js";
import { replaceChildren, h } from "../lib/dom.js";
import { permissionNames } from "../elements/permission-names.js";
import { explanation, whyText } from "../elements/explanation.js";
import { field, form, valueOf } from "../lib/form.js";
import { t } from "../lib/text.js";
import { card } from "./parts.js";

/** @param {Api.Key} key */
export function explainCard(key) {
  const answer = h("div.answer", { role: "status" });
  const submit = async (/** @type {HTMLFormElement} */ element) => {
    replaceChildren(answer);
    /** @type {Record<string, string>} */
    const test = {};
    for (const name of ["permissions", "ip"]) {
      const text = valueOf(element, name).trim();
      if (text !== "") test[name] = text;
    }
    const result = await post(`/v1/keys/${key.id}/explain`, test);
    replaceChildren(answer, verdict(result, test));
  };
  const wanted = h("input", { name: "permissions", autocomplete: "off", spellcheck: "false" });
  const address = h("input", { name: "ip", autocomplete: "off", spellcheck: "false" });
  const element = form(
    { submit, button: t("explain.test") },
    h("p.soft", {}, t("explain.what")),
    h(
      "div.side-by-side",
      {},
      field(t("explain.permission"), wanted, { optional: true, hint: t("explain.permission_hint") }),
      field(t("explain.address"), address, { optional: true, hint: t("explain.address_hint") }),
    ),
    permissionNames(wanted),
  );
  return card(t("explain.title"), null, element, answer);
}

/**
 * @param {Api.Explanation} result
 * @param {Record<string, string>} test
 */
function verdict(result, test) {
  const badge = result.valid ? h("span.badge.good", {}, t("explain.yes")) : h("span.badge.bad", {}, t("explain.no"));
  return h(
    "div.notice.stack",
    {},
    h("p", {}, badge, " ", whyText(result.code)),
    test.ip || test.permissions ? null : h("p.small.soft", {}, t("explain.tested_nothing")),
    explanation(result),
  );
}
