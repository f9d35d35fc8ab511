// What a gate would say to a request: asks, and says the answer, the route and the reasons in words.

import { post } from "../api.js";
import { fill, h } from "../dom.js";
import { explanation, whyWords } from "../explanation.js";
import { field, form, select, valueOf } from "../form.js";
import { card } from "../key/parts.js";
import { parts, t } from "../text.js";
import { routeName } from "./words.js";

const METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"];

export function trialCard(gate) {
  const answer = h("div.answer", { role: "status" });
  const submit = async (element) => {
    fill(answer);
    const asked = {};
    for (const name of ["method", "url", "key", "ip", "preflight_for"]) {
      const text = valueOf(element, name).trim();
      if (text !== "") asked[name] = text;
    }
    fill(answer, verdict(await post(`/v1/gates/${encodeURIComponent(gate.name)}/test`, asked)));
  };
  const methods = [...new Set([...METHODS, ...gate.routes.flatMap((route) => route.methods ?? [])])];
  // No name or password of a person goes in here, and nothing of it is kept for later.
  const typed = { autocomplete: "off", spellcheck: "false" };
  const secret = h("input.code", { ...typed, name: "key", type: "password", autocomplete: "one-time-code" });
  // Only OPTIONS can be a preflight; what was typed for it does not count for another method.
  const onchange = (event) => {
    announced.hidden = event.target.value !== "OPTIONS";
    if (announced.hidden) announced.querySelector("input").value = "";
  };
  const announced = field(t("gate.preflight_for"), h("input", { ...typed, name: "preflight_for" }), {
    optional: true,
    hint: t("gate.preflight_for_hint"),
  });
  announced.hidden = true;
  const element = form(
    { submit, button: t("gate.ask") },
    h("p.soft", {}, t("gate.try_what")),
    field(t("gate.method"), select("method", methods.map((one) => [one, one]), "GET", { class: "short", onchange })),
    announced,
    field(t("gate.url"), h("input.code", { ...typed, name: "url", inputmode: "url", required: true }), {
      hint: t("gate.url_hint"),
    }),
    h(
      "div.side-by-side",
      {},
      field(t("gate.key"), secret, { optional: true, hint: t("gate.key_hint") }),
      field(t("explain.address"), h("input", { ...typed, name: "ip" }), {
        optional: true,
        hint: t("explain.address_hint"),
      }),
    ),
  );
  return card(t("gate.try"), null, element, answer);
}

function verdict(told) {
  const badge = told.allowed ? h("span.badge.good", {}, t("gate.passes")) : h("span.badge.bad", {}, t("gate.refused"));
  return h(
    "div.notice.stack",
    {},
    h("p", {}, badge, " ", why(told)),
    told.route ? h("p", {}, parts("gate.by_route", { route: h("code", {}, routeName(told.route)) })) : null,
    // What the API adds is in English: which part of the request is not clear.
    told.detail && !told.explain ? h("p.small", { lang: "en" }, told.detail) : null,
    told.explain ? explanation(told.explain) : null,
    h("p.small.soft", {}, t("gate.answered", { status: String(told.status) })),
  );
}

function why({ code, route }) {
  if (code === "VALID" && route?.access === "public") return t("gate.why_public");
  if (code === "ROUTE_NOT_ALLOWED") return route ? t("gate.why_denied") : t("gate.why_no_route");
  if (code === "NO_CREDENTIAL") return t("gate.why_no_key");
  if (code === "REQUEST_REFUSED") return t("gate.why_unclear");
  return whyWords(code);
}
