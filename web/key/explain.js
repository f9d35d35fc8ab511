// "May this key do X from Y?": asks, and says the answer and what decided it in words.

import { post } from "../api.js";
import { fill, h } from "../dom.js";
import { permissionNames } from "../elements/permission-names.js";
import { explanation, whyWords } from "../explanation.js";
import { field, form, valueOf } from "../form.js";
import { t } from "../text.js";
import { card } from "./parts.js";

export function explainCard(key) {
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
  const wanted = h("input", { name: "permissions", autocomplete: "off", spellcheck: "false" });
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
    permissionNames(wanted),
  );
  return card(t("explain.title"), null, element, answer);
}

function verdict(told, asked) {
  const badge = told.valid ? h("span.badge.good", {}, t("explain.yes")) : h("span.badge.bad", {}, t("explain.no"));
  return h(
    "div.notice.stack",
    {},
    h("p", {}, badge, " ", whyWords(told.code)),
    asked.ip || asked.permissions ? null : h("p.small.soft", {}, t("explain.asked_nothing")),
    explanation(told),
  );
}
