// The first steps: what each is for, and what the user needs for it.

import { all } from "../lib/api.js";
import { h, replaceChildren } from "../lib/dom.js";
import { field, select } from "../lib/form.js";
import { icon } from "../lib/icon.js";
import { problemNotice } from "../lib/messages.js";
import { instance, isOperator, session } from "../lib/state.js";
import { loadTexts, t } from "../lib/text.js";
import { copyButton } from "../elements/copy-button.js";
import { headerNotes, proxyChoice, showFiles } from "../gate/proxy.js";
import { DEFAULT_GATE } from "../gate/words.js";
import { EXAMPLES } from "../key/examples.js";
import { creationNotice } from "../views/keys.js";

/** @typedef {"key" | "call" | "proxy" | "colleague"} Name */
/** @typedef {{name: Name, content: () => Page.Child}} Step */

/**
 * The steps in order.
 *
 * @type {Step[]}
 */
export const STEPS = [
  { name: "key", content: createKey },
  { name: "call", content: callWithCurl },
  { name: "proxy", content: putProxy },
  { name: "colleague", content: inviteColleague },
];

/** The shell replaces the variable with the key. The history of the shell then has only the name of the variable. */
const KEY = "$API_KEY";

function createKey() {
  const notice = creationNotice();
  const link = h("a.button.primary", { href: "#/keys/new" }, icon("plus"), t("keys.create_first"));
  return [h("p", {}, t("first_steps.key_what")), notice ?? h("div.row", {}, link)];
}

function callWithCurl() {
  const line = EXAMPLES.curl.lines(`${instance.public_url}/v1/whoami`, KEY).join("\n");
  const code = h("code", { tabindex: "0" }, line);
  const copy = copyButton(
    () => line,
    () => code,
    t("first_steps.call_copy"),
  );
  return [
    h("p", {}, t("first_steps.call_what", { variable: KEY })),
    h("div.command", {}, h("pre", {}, code), copy),
    h("p.small.soft", {}, t("first_steps.call_answer")),
  ];
}

function putProxy() {
  const [files, choices, notes] = [h("div.stack", {}), h("div.step-choices", {}), h("div.stack.tight", {})];
  const load = async () => {
    const [gates] = await Promise.all([isOperator() ? gatesOfOrganization() : [], loadTexts("gate")]);
    /** @type {Page.GateSettings[]} */
    const offered = [...gates, DEFAULT_GATE];
    let [gate] = offered;
    const show = () => {
      replaceChildren(notes, headerNotes(gate));
      showFiles(files, gate);
    };
    const onchange = (/** @type {Page.ControlEvent} */ event) => {
      gate = offered.find(({ name }) => name === event.target.value) ?? gate;
      show();
    };
    const names = offered.map(({ name }) => [name, name]);
    const which = field(t("first_steps.gate"), select("gate", names, gate.name, { class: "short", onchange }));
    replaceChildren(choices, proxyChoice(show), offered.length > 1 ? which : null);
  };
  const begin = async () => {
    try {
      await load();
    } catch (problem) {
      if (!problem.members) throw problem;
      replaceChildren(choices, problemNotice(problem, begin));
    }
  };
  begin();
  const gates = isOperator() ? h("a", { href: "#/gates" }, t("first_steps.to_gates")) : null;
  return [
    h("p", {}, t("first_steps.proxy_what")),
    choices,
    notes,
    files,
    h("p.small.soft", {}, t("first_steps.proxy_done"), " ", gates),
  ];
}

/** The gates that accept keys of the user's organization. */
async function gatesOfOrganization() {
  const gates = await all("/v1/gates");
  return gates.filter(({ organizations }) => organizations?.includes(session.organization.id) ?? true);
}

function inviteColleague() {
  const link = h("a.button", { href: "#/people" }, icon("person"), t("first_steps.to_people"));
  return [h("p", {}, t("first_steps.colleague_what")), h("div.row", {}, link)];
}
