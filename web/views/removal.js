// The dialog that removes a user and revokes or transfers their keys.

import { all, remove } from "../lib/api.js";
import { loadForDialog, open } from "../lib/dialog.js";
import { h } from "../lib/dom.js";
import { field, form, group, radios, select, valueOf } from "../lib/form.js";
import { announce } from "../lib/messages.js";
import { may, session } from "../lib/state.js";
import { compareNames, t } from "../lib/text.js";

const SHOWN_MAX = 8;

/**
 * Removes a user after confirmation, then shows the list of people.
 *
 * @param {Api.User} user
 */
export async function removePerson(user) {
  const canTransfer = may("keyhouse:keys:manage");
  const load = () => Promise.all([all(`/v1/users/${user.id}/keys`), canTransfer ? all("/v1/users") : []]);
  const loaded = await loadForDialog(t("person.remove"), load);
  if (loaded === undefined) return;
  const [ofUser, people] = loaded;
  // Revoked and expired keys need no choice.
  const keys = ofUser.filter((key) => !["revoked", "expired"].includes(key.status));
  const candidates = people.filter((one) => one.id !== user.id && !one.disabled);
  candidates.sort((one, other) => compareNames(one.name, other.name));
  const done = await open(t("person.remove_title", { name: user.name }), (close) => {
    const submit = async (/** @type {HTMLFormElement} */ element) => {
      await remove(`/v1/users/${user.id}`, keys.length > 0 ? chosen(element) : {}, user.version);
      close(true);
    };
    return form(
      { submit, button: t("person.remove_button"), cancel: () => close(), danger: true },
      h("p", {}, t("person.remove_body", { email: user.email })),
      keys.length > 0 ? questions(keys, canTransfer, candidates) : h("p", {}, t("person.remove_no_keys")),
    );
  });
  if (!done) return;
  announce(t("person.removed", { name: user.name }));
  // The user removed their own account.
  if (user.id === session.user.id) location.reload();
  else location.hash = "#/people";
}

/**
 * @param {Page.ItemOf<`/v1/users/${string}/keys`>[]} keys
 * @param {boolean} canTransfer
 * @param {Api.User[]} candidates
 */
function questions(keys, canTransfer, candidates) {
  const names = keys
    .slice(0, SHOWN_MAX)
    .map((key) => h("li", {}, ("name" in key ? key.name : null) ?? t("person.key_unnamed")));
  const more = keys.length - names.length;
  const shown = h(
    "div.stack.tight",
    {},
    h("p.strong", {}, t("person.remove_keys", { count: keys.length })),
    h("ul.bullets", {}, names, more > 0 ? h("li.soft", {}, t("person.remove_more", { count: more })) : null),
  );
  if (!canTransfer) return [shown, h("p", {}, t("person.remove_revokes"))];
  const named = candidates.map((one) => [one.id, `${one.name} (${one.email})`]);
  const newOwner = field(t("person.new_owner"), select("to", named, named[0]?.[0]));
  const transferred = h("p.hint", { hidden: true }, t("person.transfer_means"));
  newOwner.hidden = true;
  const choose = (/** @type {Page.ControlEvent} */ event) => {
    newOwner.hidden = event.target.value !== "person";
    transferred.hidden = event.target.value === "revoke";
  };
  const choices = [
    ["revoke", t("person.keys_revoke"), t("person.keys_revoke_hint")],
    ["organization", t("person.keys_organization"), t("person.keys_organization_hint")],
  ];
  if (candidates.length > 0) choices.push(["person", t("person.keys_person"), t("person.keys_person_hint")]);
  const choice = group("keys", t("person.keys_question"), radios("keys", choices, "revoke", choose));
  return [shown, choice, newOwner, transferred];
}

/** @param {HTMLFormElement} element */
function chosen(element) {
  const choice = element.elements.namedItem("keys")?.value ?? "revoke";
  if (choice === "revoke") return { keys: "revoke" };
  return { keys: "transfer", to: choice === "organization" ? "organization" : valueOf(element, "to") };
}
