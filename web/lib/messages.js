// Messages for the user: announcements that disappear by themselves and are read out by screen readers, and the
// texts of problems.

import { h, replaceChildren } from "./dom.js";
import { planName } from "./plans.js";
import { optionalText, t } from "./text.js";

const SHOWN_MS = 6000;

const line = h("p.announcement", { role: "status" });

/** The live region of announcements. The shell adds it to the page. */
export const status = h("div.status", {}, line);

/** @type {ReturnType<typeof setTimeout>} */
let timer;
/**
 * Announces a success, such as "Copied".
 *
 * @param {string} text
 */
export function announce(text) {
  clearTimeout(timer);
  // A modal dialog covers the rest of the page, so the announcement moves into it.
  const place = [...document.querySelectorAll("dialog[open]")].at(-1) ?? document.body;
  if (status.parentElement !== place) place.append(status);
  replaceChildren(line, text);
  timer = setTimeout(() => replaceChildren(line), SHOWN_MS);
}

/**
 * The text of a problem; the API's own detail if there is no text for its code.
 *
 * @param {any} problem
 */
export function problemText(problem) {
  const { plan, feature, limit } = problem.members ?? {};
  const members = {
    ...problem.members,
    count: problem.retryAfter ?? 1,
    plan: plan && planName(plan),
    // features.api_access, .teams, .multiple_teams
    feature: optionalText(`features.${feature}`) ?? feature,
    // limits.keys_per_user, .keys, .users, .requests_per_10s, .requests_per_month
    limit: optionalText(`limits.${limit}`) ?? limit,
  };
  return optionalText(`problems.${problem.code}`, members) ?? problem.members?.detail ?? t("problems.internal");
}

/**
 * Runs an action, and announces the problem that stopped it.
 *
 * @param {() => unknown} act
 */
export async function orAnnounce(act) {
  try {
    await act();
  } catch (problem) {
    if (!problem.members) throw problem;
    announce(problemText(problem));
  }
}

/**
 * The text of one fault of the input.
 *
 * @param {Page.Fault} fault
 * @returns {string}
 */
export function faultText(fault) {
  const words = optionalText(`faults.${fault.code}`, fault);
  if (words === undefined) return fault.detail;
  if (fault.code !== "invalid_password") return words;
  return `${words} ${t("faults.reason", { detail: passwordReasons(fault) })}`;
}

/**
 * Why a password was rejected, in the user's language; the server's English for a reason without a text.
 *
 * @param {Page.Fault} fault
 */
function passwordReasons(fault) {
  const texts = (fault.reasons ?? []).map((reason) => optionalText(`password_reasons.${reason}`));
  return texts.length > 0 && !texts.includes(undefined) ? texts.join(" ") : fault.detail;
}

/**
 * A notice with a problem, and a button to retry if `retry` is given.
 *
 * @param {any} problem
 * @param {() => unknown} [retry]
 */
export function problemNotice(problem, retry) {
  // The request id helps only to find an error in the server log.
  const id = problem.status >= 500 ? problem.members?.request_id : null;
  const prices = problem.members?.pricing_url;
  return h(
    "div.notice.bad",
    { role: "alert" },
    h("p", {}, problemText(problem)),
    prices ? h("p", {}, h("a", { href: prices, target: "_blank", rel: "noreferrer" }, t("problems.pricing"))) : null,
    id ? h("p.small", {}, t("problems.request", { id })) : null,
    retryButton(problem, retry),
  );
}

/**
 * @param {any} problem
 * @param {() => unknown} [retry]
 */
function retryButton(problem, retry) {
  /**
   * @param {() => unknown} onclick
   * @param {string} text
   */
  const button = (onclick, text) => h("button", { type: "button", onclick }, text);
  if (problem.code === "outdated") return button(() => location.reload(), t("actions.reload"));
  return retry ? button(retry, t("actions.retry")) : null;
}
