// Tells people what happened: a line that screen readers read out, and that goes by itself; and the
// words for what went wrong.

import { h, fill } from "./dom.js";
import { planName } from "./plans.js";
import { known, t } from "./text.js";

const SHOWN_MS = 6000;

const line = h("p.said", { role: "status" });

/** The element that says things; the shell puts it on the page once. */
export const status = h("div.status", {}, line);

let timer;
/** Says something that went well, such as "Copied". */
export function say(text) {
  clearTimeout(timer);
  // A dialog lies above everything else: what is said while one is open is said in it.
  const place = [...document.querySelectorAll("dialog[open]")].at(-1) ?? document.body;
  if (status.parentElement !== place) place.append(status);
  fill(line, text);
  timer = setTimeout(() => fill(line), SHOWN_MS);
}

/** The words for a problem, in the person's language; the API's own where a code is new. */
export function problemText(problem) {
  const { plan, feature, limit } = problem.members ?? {};
  const members = {
    ...problem.members,
    count: problem.retryAfter ?? 1,
    plan: plan && planName(plan),
    // features.api_access, .teams, .multiple_teams
    feature: known(`features.${feature}`) ?? feature,
    // limits.keys_per_user, .keys, .users, .requests_per_10s, .requests_per_month
    limit: known(`limits.${limit}`) ?? limit,
  };
  return known(`problems.${problem.code}`, members) ?? problem.members?.detail ?? t("problems.internal");
}

/** The words for one fault of an input. */
export function faultText(fault) {
  const words = known(`faults.${fault.code}`, fault);
  if (words === undefined) return fault.detail;
  // Why a password is too easy to guess only the server knows, and it says so in English.
  return fault.code === "invalid_password" ? `${words} ${t("faults.reason", fault)}` : words;
}

/** A notice of what went wrong, with a way to try again where one is given. */
export function problemNotice(problem, retry) {
  // Of use only to who reads the log: what was refused says all there is to say.
  const id = problem.status >= 500 ? problem.members?.request_id : null;
  const prices = problem.members?.pricing_url;
  return h(
    "div.notice.bad",
    { role: "alert" },
    h("p", {}, problemText(problem)),
    prices ? h("p", {}, h("a", { href: prices, target: "_blank", rel: "noreferrer" }, t("problems.pricing"))) : null,
    id ? h("p.small", {}, t("problems.request", { id })) : null,
    again(problem, retry),
  );
}

function again(problem, retry) {
  const button = (onclick, text) => h("button", { type: "button", onclick }, text);
  if (problem.code === "outdated") return button(() => location.reload(), t("actions.reload"));
  return retry ? button(retry, t("actions.retry")) : null;
}
