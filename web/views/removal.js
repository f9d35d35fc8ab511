// The dialog that removes a person: shows their keys, and asks what becomes of them.

import { all, remove } from "../api.js";
import { loaded, open } from "../dialog.js";
import { h } from "../dom.js";
import { field, form, group, radios, select, valueOf } from "../form.js";
import { say } from "../say.js";
import { may, session } from "../state.js";
import { inOrder, t } from "../text.js";

const SHOWN_MAX = 8;

/** Asks and removes; then leads back to the list. */
export async function removePerson(user) {
  const hands = may("keyhouse:keys:manage");
  const asked = () => Promise.all([all(`/v1/users/${user.id}/keys`), hands ? all("/v1/users") : []]);
  const told = await loaded(t("person.remove"), asked);
  if (told === undefined) return;
  const [ofUser, people] = told;
  // What is over already is nothing that could be handed on.
  const keys = ofUser.filter((key) => !["revoked", "expired"].includes(key.status));
  const heirs = people.filter((one) => one.id !== user.id && !one.disabled);
  heirs.sort((one, other) => inOrder(one.name, other.name));
  const done = await open(t("person.remove_title", { name: user.name }), (close) => {
    const submit = async (element) => {
      await remove(`/v1/users/${user.id}`, keys.length > 0 ? chosen(element) : {}, user.version);
      close(true);
    };
    return form(
      { submit, button: t("person.remove_button"), cancel: () => close(), danger: true },
      h("p", {}, t("person.remove_body", { email: user.email })),
      keys.length > 0 ? questions(keys, hands, heirs) : h("p", {}, t("person.remove_no_keys")),
    );
  });
  if (!done) return;
  say(t("person.removed", { name: user.name }));
  // Who removed themselves is nobody here from now on.
  if (user.id === session.user.id) location.reload();
  else location.hash = "#/people";
}

function questions(keys, hands, heirs) {
  const names = keys.slice(0, SHOWN_MAX).map((key) => h("li", {}, key.name ?? t("person.key_unnamed")));
  const more = keys.length - names.length;
  const shown = h(
    "div.stack.tight",
    {},
    h("p.strong", {}, t("person.remove_keys", { count: keys.length })),
    h("ul.bullets", {}, names, more > 0 ? h("li.soft", {}, t("person.remove_more", { count: more })) : null),
  );
  if (!hands) return [shown, h("p", {}, t("person.remove_revokes"))];
  const named = heirs.map((one) => [one.id, `${one.name} (${one.email})`]);
  const heir = field(t("person.heir"), select("to", named, named[0]?.[0]));
  const handed = h("p.hint", { hidden: true }, t("person.transfer_means"));
  heir.hidden = true;
  const choose = (event) => {
    heir.hidden = event.target.value !== "person";
    handed.hidden = event.target.value === "revoke";
  };
  const choices = [
    ["revoke", t("person.keys_revoke"), t("person.keys_revoke_hint")],
    ["organization", t("person.keys_organization"), t("person.keys_organization_hint")],
  ];
  if (heirs.length > 0) choices.push(["person", t("person.keys_person"), t("person.keys_person_hint")]);
  const asked = group("keys", t("person.keys_question"), radios("keys", choices, "revoke", choose));
  return [shown, asked, heir, handed];
}

function chosen(element) {
  const choice = element.elements.namedItem("keys")?.value ?? "revoke";
  if (choice === "revoke") return { keys: "revoke" };
  return { keys: "transfer", to: choice === "organization" ? "organization" : valueOf(element, "to") };
}
