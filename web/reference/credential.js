// The credential of "Try it": the session, a pasted key, or none. The key is only in the memory of this page: it is
// not stored, is in no address, and goes only to this instance.

import { h, replaceChildren } from "../lib/dom.js";
import { field, group, radios } from "../lib/form.js";
import { session } from "../lib/state.js";
import { t } from "../lib/text.js";

/** The pasted key. It stays while the reader opens other operations, and is gone with the page. */
let key = "";
/** The reader's last choice, where an operation offers several. */
let chosen = "";

/**
 * The choice of the credential for an operation. `credential()` returns what to send, or `null` if a key is to be
 * sent and none is filled in.
 *
 * @param {import("./description.js").Operation} operation
 */
export function credentialChoice({ takesSession, takesKey, takesNothing }) {
  /** @type {[string, string][]} */
  const choices = [];
  if (takesSession && session) choices.push(["session", t("reference.as_user", { name: session.user.name })]);
  if (takesKey) choices.push(["key", t("reference.as_key")]);
  if (takesNothing) choices.push(["nothing", t("reference.as_anonymous")]);
  const kinds = choices.map(([kind]) => kind);
  let kind = kinds.includes(chosen) ? chosen : (kinds[0] ?? "");
  const input = h("input", {
    name: "key",
    type: "password",
    autocomplete: "off",
    spellcheck: "false",
    value: key,
    oninput: (/** @type {Page.ControlEvent} */ event) => (key = event.target.value.trim()),
  });
  const keyField = h("div", {}, field(t("reference.key"), input, { hint: t("reference.key_hint") }));
  const place = h("div.stack.tight", {});
  const show = () => {
    keyField.hidden = kind !== "key";
  };
  const onchange = (/** @type {Page.ControlEvent} */ event) => {
    kind = event.target.value;
    chosen = kind;
    show();
  };
  const signIn = h("a", { href: "./" }, t("reference.sign_in"));
  const needsSession = takesSession && !session;
  replaceChildren(
    place,
    choices.length > 1
      ? group("credential", t("reference.send_as"), radios("credential", choices, kind, onchange))
      : null,
    choices.length === 1 ? h("p.small.soft", {}, `${t("reference.send_as")}: ${choices[0][1]}`) : null,
    keyField,
    needsSession && choices.length === 0 ? h("p", {}, t("reference.session_only")) : null,
    needsSession ? h("p.small", {}, signIn) : null,
  );
  show();
  const credential = () => {
    if (kind === "key") return key === "" ? null : { key, session: false };
    return { key: null, session: kind === "session" };
  };
  return { element: place, credential, isPossible: choices.length > 0, isSession: () => kind === "session" };
}
