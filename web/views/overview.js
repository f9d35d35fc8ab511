// The overview, the home page of users with `keyhouse:keys:read` and of operators: the first steps, calls, and what
// needs attention, with the usual mend beside it.

import { get } from "../lib/api.js";
import { h } from "../lib/dom.js";
import { icon } from "../lib/icon.js";
import { problemNotice } from "../lib/messages.js";
import { createsKeys, isOperator, may, session } from "../lib/state.js";
import { loadStyles } from "../lib/styles.js";
import { loadTexts, t } from "../lib/text.js";
import { lastBackup } from "../overview/backup.js";
import { callsPart } from "../overview/calls.js";
import { firstSteps } from "../overview/first-steps.js";
import { keyGroups } from "../overview/keys.js";
import { inOrder } from "../overview/parts.js";
import { secondFactors } from "../overview/people.js";

/** @param {Page.Address} options */
export async function view({ query }) {
  const ready = Promise.all([loadStyles("overview"), loadStyles("chart"), loadTexts("overview")]);
  const seesFacts = isOperator() || may("keyhouse:users:read");
  const [steps, calls, keys, others] = await Promise.all([
    firstSteps(ready),
    may("keyhouse:usage:read") ? part(() => callsPart(query, ready)) : null,
    may("keyhouse:keys:read") ? Promise.all(keyGroups(ready).map((group) => part(group))) : null,
    seesFacts ? part(() => loadFacts(ready)) : null,
    ready,
  ]);
  const about = others?.matches(".both") ? [...others.children] : others ? [others] : [];
  const facts = [...(keys ?? []), ...about];
  const body = h("div.stack.overview", {}, steps?.element, calls, facts.length > 0 ? attention(facts) : null);
  // Users who see no facts have only the first steps here.
  if (!body.hasChildNodes()) body.append(nothingHere());
  const creates = session.organization.api_access && createsKeys();
  const create = creates ? h("a.button.primary", { href: "#/keys/new" }, icon("plus"), t("keys.new")) : null;
  return { title: t("shell.overview"), actions: [steps?.opener, create], body, shown: steps?.begin };
}

/** @param {Element[]} facts */
const attention = (facts) => [
  h("h2", { id: "attention" }, t("overview.attention")),
  h("div.attention", { role: "group", "aria-labelledby": "attention" }, inOrder(facts)),
];

function nothingHere() {
  const link = h("a.button", { href: "#/keys" }, icon("key"), t("first_steps.to_keys"));
  return h("div.card.empty", {}, icon("check"), h("p", {}, t("first_steps.none")), link);
}

/**
 * The parts about members and about the backup: one request.
 *
 * @param {Promise<unknown>} ready
 */
async function loadFacts(ready) {
  const [{ users, backup }] = await Promise.all([get("/v1/overview"), ready]);
  return h("div.both", {}, users ? await secondFactors(users) : null, backup ? lastBackup(backup) : null);
}

/**
 * A part of the view, or the problem that prevented it: the other parts are shown.
 *
 * @param {() => Promise<HTMLElement>} load
 * @returns {Promise<HTMLElement>}
 */
async function part(load) {
  try {
    return await load();
  } catch (problem) {
    if (!problem.members) throw problem;
    /** @type {HTMLElement} */
    const notice = problemNotice(problem, async () => notice.replaceWith(await part(load)));
    return notice;
  }
}
