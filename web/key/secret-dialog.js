// The dialog that shows a new secret once: masked, with a copy button, cleared on close.

import { open } from "../lib/dialog.js";
import { replaceChildren, freshId, h } from "../lib/dom.js";
import { icon, iconButton } from "../lib/icon.js";
import { copyButton } from "../elements/copy-button.js";
import { checkbox } from "../lib/form.js";
import { announce } from "../lib/messages.js";
import { instance } from "../lib/state.js";
import { t } from "../lib/text.js";

/**
 * Shows the secret of a created or rotated key. Resolves when the dialog closes.
 *
 * @param {{key: Api.Key, secret: string}} options
 */
export async function showSecret({ key, secret }) {
  const handlers = { leave: (/** @type {Event} */ event) => event.preventDefault() };
  const onEscape = (/** @type {KeyboardEvent} */ event) => {
    if (event.key === "Escape") handlers.leave(event);
  };
  addEventListener("beforeunload", warn);
  // On the window: a click beside the buttons moves the focus out of the dialog.
  addEventListener("keydown", onEscape);
  try {
    await open(t("secret.title"), (close) => content(key, secret, close, handlers), { stays: true, wide: true });
  } finally {
    removeEventListener("beforeunload", warn);
    removeEventListener("keydown", onEscape);
  }
}

/** Reloading the page now would lose the secret. */
const warn = (/** @type {Event} */ event) => event.preventDefault();

/**
 * @param {Api.Key} key
 * @param {string} secret
 * @param {() => void} close
 * @param {{leave: (event: Event) => void}} handlers
 */
function content(key, secret, close, handlers) {
  const input = h("input.code", {
    id: freshId("secret"),
    type: "password",
    readonly: true,
    autofocus: true,
    autocomplete: "off",
    spellcheck: "false",
    value: secret,
  });
  const line = h("code", { tabindex: "0" });
  const show = (/** @type {boolean} */ shown) => {
    input.type = shown ? "text" : "password";
    const label = shown ? t("secret.hide") : t("secret.show");
    eye.setAttribute("aria-label", label);
    eye.title = label;
    replaceChildren(eye, icon(shown ? "eye" : "hidden"));
    replaceChildren(line, curlLine(shown ? secret : t("secret.masked", { hint: key.hint })));
  };
  const eye = iconButton("hidden", t("secret.show"), { onclick: () => show(input.type === "password") });
  // If copying is not available, the text is selected, so it must be visible.
  const revealed = (/** @type {HTMLElement} */ element) => {
    show(true);
    return element;
  };
  show(false);
  const saved = checkbox("stored", t("secret.saved"), { onchange: () => follow() });
  const done = h("button.primary", { type: "submit" }, t("secret.close"));
  const box = saved.querySelector("input");
  const follow = () => done.setAttribute("aria-disabled", String(!box.checked));
  follow();
  const leave = (/** @type {Event} */ event) => {
    event.preventDefault();
    if (box.checked) return finish();
    box.focus();
    announce(t("secret.save_first"));
  };
  handlers.leave = leave;
  const finish = () => {
    // Remove the secret from the document.
    input.value = "";
    replaceChildren(line);
    close();
  };
  return h(
    "form",
    { onsubmit: leave },
    h("p.notice.warn", {}, t("secret.once")),
    h(
      "div.field",
      {},
      h("label", { for: input.id }, t("secret.of", { name: key.name })),
      h(
        "div.row.secret",
        {},
        input,
        eye,
        copyButton(
          () => secret,
          () => revealed(input),
          t("secret.copy"),
        ),
      ),
    ),
    h(
      "div.field",
      {},
      h("p.strong", {}, t("secret.try")),
      h("pre", {}, line),
      h(
        "div.row",
        {},
        copyButton(
          () => curlLine(secret),
          () => revealed(line),
          t("secret.copy_line"),
        ),
      ),
    ),
    saved,
    h("div.buttons", {}, done),
  );
}

/**
 * A command that tests the key. It sends the secret only to this instance.
 *
 * @param {string} secret
 */
function curlLine(secret) {
  return `curl -H "Authorization: Bearer ${secret}" ${instance.public_url}/v1/whoami`;
}
