// The gates of the instance, for operators.

import { all, post } from "../lib/api.js";
import { open } from "../lib/dialog.js";
import { h } from "../lib/dom.js";
import { field, form, valueOf } from "../lib/form.js";
import { pathsOf, pathLine } from "../gate/proxy.js";
import { DEFAULT_GATE, acceptedKeys } from "../gate/words.js";
import { list } from "../lib/list.js";
import { loadStyles } from "../lib/styles.js";
import { addRows, table } from "../lib/table.js";
import { formatList, t } from "../lib/text.js";

/** The placeholder for a gate's name in example paths. */
const ANY = { name: "{name}" };

export async function view() {
  // The request for organizations fails for users who are not operators.
  const [organizations] = await Promise.all([all("/v1/organizations"), loadStyles("gates")]);
  const columns = [t("gates.name"), t("gates.routes"), t("gates.accepted_keys"), t("gates.environments")];
  const cells = (/** @type {Api.Gate} */ gate) => [
    named(gate.name, null, gate.description),
    gate.routes.length > 0
      ? t("gates.count", { count: gate.routes.length })
      : h("span.badge.warn", {}, t("gates.no_routes")),
    acceptedKeys(gate, organizations),
    gate.environments ? formatList(gate.environments) : t("gates.all_environments"),
  ];
  const button = h("button.primary", { type: "button", onclick: make }, t("gates.new"));
  const card = (/** @type {Page.Child[][]} */ rows) =>
    h("div.card.flush", {}, table(t("gates.title"), columns, [builtIn(), ...rows]));
  const shown = list("/v1/gates", {
    show: (items) => card(items.map(cells)),
    more: (element, items) => addRows(element.querySelector("table"), columns, items.map(cells)).querySelector("a"),
    empty: () => {
      // The empty list has its own button.
      button.hidden = true;
      return h("div.stack.sections", {}, card([]), noneYet());
    },
  });
  return {
    title: t("gates.title"),
    actions: [button],
    body: h("div.stack", {}, h("p.soft", {}, t("gates.what")), shown.element),
  };
}

const named = (/** @type {string} */ name, /** @type {Page.Child} */ badge, /** @type {string} */ about) => [
  h("a.strong", { href: `#/gates/${name}` }, name),
  badge ? h("span.badges", {}, badge) : null,
  about ? h("span.below.small.soft", {}, about) : null,
];

/** The row of the built-in gate. */
function builtIn() {
  return [
    named(DEFAULT_GATE.name, h("span.badge", {}, t("gates.built_in")), t("gates.default_what")),
    t("gates.all_routes"),
    acceptedKeys(DEFAULT_GATE, []),
    t("gates.all_environments"),
  ];
}

function noneYet() {
  return h(
    "div.card.empty",
    {},
    h("h2", {}, t("gates.none")),
    h("p.soft", {}, t("gates.where")),
    h("div.stack.tight.paths", {}, pathsOf(ANY).map(pathLine)),
    h("button.primary", { type: "button", onclick: make }, t("gates.create_first")),
  );
}

async function make() {
  const made = await open(t("gates.new"), (close) => {
    const submit = async (/** @type {HTMLFormElement} */ element) => {
      const [name, description] = ["name", "description"].map((one) => valueOf(element, one).trim());
      close(await post("/v1/gates", { name, description }));
    };
    const name = h("input.code", { name: "name", autocomplete: "off", spellcheck: "false", required: true });
    return form(
      { submit, button: t("gates.create"), cancel: () => close() },
      field(t("gates.name"), name, { hint: t("gates.name_hint") }),
      field(t("gates.description"), h("input", { name: "description", autocomplete: "off" }), { optional: true }),
    );
  });
  if (made) location.hash = `#/gates/${made.name}`;
}
