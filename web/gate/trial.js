// The card that tests a request against a gate, and shows the result, the route and the reasons.

import { post } from "../lib/api.js";
import { replaceChildren, h } from "../lib/dom.js";
import { explanation, whyText } from "../elements/explanation.js";
import { field, form, select, valueOf } from "../lib/form.js";
import { card } from "../key/parts.js";
import { parts, t } from "../lib/text.js";
import { routeName } from "./words.js";

const METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"];

/** @param {Page.GateSettings} gate */
export function trialCard(gate) {
  const answer = h("div.answer", { role: "status" });
  const submit = async (/** @type {HTMLFormElement} */ element) => {
    replaceChildren(answer);
    /** @type {Record<string, string>} */
    const test = {};
    for (const name of ["method", "url", "key", "ip", "preflight_for"]) {
      const text = valueOf(element, name).trim();
      if (text !== "") test[name] = text;
    }
    replaceChildren(answer, verdict(await post(`/v1/gates/${encodeURIComponent(gate.name)}/test`, test)));
  };
  const methods = [...new Set([...METHODS, ...gate.routes.flatMap((route) => route.methods ?? [])])];
  // Password managers must not fill in or store this form.
  const typed = { autocomplete: "off", spellcheck: "false" };
  const secret = h("input.code", { ...typed, name: "key", type: "password", autocomplete: "one-time-code" });
  // Only OPTIONS can be a preflight request. Ignore the announced method otherwise.
  const onchange = (/** @type {Page.ControlEvent} */ event) => {
    announced.hidden = event.target.value !== "OPTIONS";
    if (announced.hidden) announced.querySelector("input").value = "";
  };
  const announced = field(t("gate.preflight_for"), h("input", { ...typed, name: "preflight_for" }), {
    optional: true,
    hint: t("gate.preflight_for_hint"),
  });
  announced.hidden = true;
  const element = form(
    { submit, button: t("gate.send_test") },
    h("p.soft", {}, t("gate.test_what")),
    field(
      t("gate.method"),
      select(
        "method",
        methods.map((one) => [one, one]),
        "GET",
        { class: "short", onchange },
      ),
    ),
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
  return card(t("gate.test"), null, element, answer);
}

/** @param {Page.ResponseOf<`/v1/gates/${string}/test`, "post">} result */
function verdict(result) {
  const { allowed } = result;
  const badge = h(`span.badge.${allowed ? "good" : "bad"}`, {}, allowed ? t("gate.allowed") : t("gate.refused"));
  return h(
    "div.notice.stack",
    {},
    h("p", {}, badge, " ", why(result)),
    result.route ? h("p", {}, parts("gate.by_route", { route: h("code", {}, routeName(result.route)) })) : null,
    // The detail of the API is in English. It helps only where it names the ambiguous part of the request.
    result.detail && result.code === "REQUEST_REFUSED" ? h("p.small", { lang: "en" }, result.detail) : null,
    result.explain ? explanation(result.explain) : null,
    h("p.small.soft", {}, t("gate.proxy_status", { status: String(result.status) })),
  );
}

/** @param {Page.ResponseOf<`/v1/gates/${string}/test`, "post">} options */
function why({ code, route }) {
  if (code === "VALID" && route?.access === "public") return t("gate.why_public");
  if (code === "ROUTE_NOT_ALLOWED") return route ? t("gate.why_denied") : t("gate.why_no_route");
  if (code === "NO_CREDENTIAL") return t("gate.why_no_key");
  if (code === "REQUEST_REFUSED") return t("gate.why_unclear");
  return whyText(code);
}
