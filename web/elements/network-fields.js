// Fields for the allowed and the denied networks of a key.

import { h } from "../lib/dom.js";
import { field } from "../lib/form.js";
import { announce } from "../lib/messages.js";
import { session } from "../lib/state.js";
import { t } from "../lib/text.js";

/** Returns `{element, rules}`; `rules()` returns the entered networks. */
export function networkFields({ allow, deny }) {
  const lines = (name, networks) =>
    h("textarea.code", { name, rows: 3, spellcheck: "false", autocomplete: "off", value: networks.join("\n") });
  const allowed = lines("ip_rules/allow", allow);
  const denied = lines("ip_rules/deny", deny);
  const addMine = () => {
    if (!listIn(allowed).includes(session.address)) {
      allowed.value = [...listIn(allowed), session.address].join("\n");
    }
    allowed.focus();
    announce(t("networks.added", { address: session.address }));
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

const listIn = (area) => area.value.split(/[\s,]+/).filter((text) => text !== "");
