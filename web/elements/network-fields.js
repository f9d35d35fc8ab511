// Fields for the allowed and the denied networks of a key.

import { h } from "../lib/dom.js";
import { field } from "../lib/form.js";
import { announce } from "../lib/messages.js";
import { session } from "../lib/state.js";
import { t } from "../lib/text.js";

/**
 * Returns `{element, rules}`; `rules()` returns the entered networks.
 *
 * @param {Page.Networks} options
 */
export function networkFields({ allow, deny }) {
  const lines = (/** @type {string} */ name, /** @type {string[]} */ networks) =>
    h("textarea.code", { name, rows: 3, spellcheck: "false", autocomplete: "off", value: networks.join("\n") });
  const allowed = lines("ip_rules/allow", allow);
  const denied = lines("ip_rules/deny", deny);
  const addMine = () => {
    const address = session.address ?? "";
    if (!listIn(allowed).includes(address)) {
      allowed.value = [...listIn(allowed), address].join("\n");
    }
    allowed.focus();
    announce(t("networks.added", { address }));
  };
  const mine = session.address
    ? h("button", { type: "button", onclick: addMine }, t("networks.mine", { address: session.address }))
    : null;
  const element = h(
    "div.stack",
    {},
    field(t("networks.allow"), allowed, { hint: t("networks.allow_hint"), optional: true }),
    mine ? h("div.row", {}, mine) : null,
    field(t("networks.deny"), denied, { hint: t("networks.deny_hint"), optional: true }),
  );
  return { element, rules: () => ({ allow: listIn(allowed), deny: listIn(denied) }) };
}

const listIn = (/** @type {HTMLTextAreaElement} */ area) => area.value.split(/[\s,]+/).filter((text) => text !== "");
