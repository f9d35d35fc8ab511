// The dialog that shows a new secret once: masked, with copy buttons and examples of its use, cleared on close.

import { open } from "../lib/dialog.js";
import { replaceChildren, freshId, h } from "../lib/dom.js";
import { icon, iconButton } from "../lib/icon.js";
import { copyButton } from "../elements/copy-button.js";
import { checkbox, radios } from "../lib/form.js";
import { announce } from "../lib/messages.js";
import { instance } from "../lib/state.js";
import { t } from "../lib/text.js";
import { EXAMPLES, HAS_SECRET } from "./examples.js";

/**
 * Shows the secret of a created or rotated key. With `canRepeat`, a second button offers to create another key.
 * Resolves when the dialog closes, to whether the user chose that button.
 *
 * @param {{key: Api.Key, secret: string}} options
 * @param {{canRepeat?: boolean}} [offered]
 */
export async function showSecret({ key, secret }, { canRepeat = false } = {}) {
  const handlers = { leave: (/** @type {Event} */ event) => event.preventDefault() };
  const onEscape = (/** @type {KeyboardEvent} */ event) => {
    if (event.key === "Escape") handlers.leave(event);
  };
  addEventListener("beforeunload", warn);
  // On the window: a click beside the buttons moves the focus out of the dialog.
  addEventListener("keydown", onEscape);
  try {
    const shown = (/** @type {(value?: boolean) => void} */ close) => content(key, secret, close, handlers, canRepeat);
    return (await open(t("secret.title"), shown, { stays: true, wide: true })) ?? false;
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
 * @param {(value?: boolean) => void} close
 * @param {{leave: (event: Event) => void}} handlers
 * @param {boolean} canRepeat
 */
function content(key, secret, close, handlers, canRepeat) {
  const masked = t("secret.masked", { hint: key.hint });
  const text = h("textarea.code", {
    id: freshId("secret"),
    readonly: true,
    rows: 1,
    autofocus: true,
    autocomplete: "off",
    spellcheck: "false",
  });
  const example = exampleOf(secret, masked, () => show(true));
  let isShown = false;
  const show = (/** @type {boolean} */ shown) => {
    isShown = shown;
    text.value = shown ? secret : masked;
    const label = shown ? t("secret.hide") : t("secret.show");
    eye.setAttribute("aria-label", label);
    eye.title = label;
    replaceChildren(eye, icon(shown ? "eye" : "hidden"));
    example.reveal(shown);
  };
  const eye = iconButton("hidden", t("secret.show"), { onclick: () => show(!isShown) });
  // If copying is not available, the text is selected, so it must be visible.
  const revealed = () => {
    show(true);
    return text;
  };
  show(false);
  const saved = checkbox("stored", t("secret.saved"), { onchange: () => follow() });
  const box = saved.querySelector("input");
  const end = h("button.primary", { type: "submit" });
  const again = h("button", { type: "button", onclick: () => leave(null, true) }, t("secret.another"));
  const follow = () => {
    replaceChildren(end, box.checked ? t("secret.close") : t("secret.copy_close"));
    again.setAttribute("aria-disabled", String(!box.checked));
  };
  follow();
  let closes = false;
  const copied = () => {
    box.checked = true;
    follow();
  };
  const submit = (/** @type {Event} */ event) => {
    event.preventDefault();
    if (box.checked) finish(false);
    else copy.click();
  };
  const leave = (/** @type {Event | null} */ event, repeats = false) => {
    event?.preventDefault();
    if (box.checked) return finish(repeats);
    box.focus();
    announce(t("secret.save_first"));
  };
  handlers.leave = leave;
  const finish = (/** @type {boolean} */ repeats) => {
    // Remove the secret from the document.
    text.value = "";
    example.clear();
    close(repeats);
  };
  const copy = copyButton(() => secret, revealed, t("secret.copy"));
  // Only the last button clicks by script. If copying is not available, the dialog stays open.
  copy.addEventListener("click", ({ isTrusted }) => (closes = !isTrusted));
  copy.addEventListener("copied", () => {
    copied();
    if (closes) finish(false);
  });
  example.element.addEventListener("copied", () => example.hasSecret() && copied());
  return h(
    "form",
    { onsubmit: submit },
    h(
      "div.fields",
      {},
      h("p.notice.warn", {}, t("secret.once")),
      h(
        "div.field",
        {},
        h("label", { for: text.id }, t("secret.of", { name: key.name })),
        h("div.row.secret", {}, text, eye, copy),
      ),
      example.element,
      saved,
    ),
    h("div.buttons", {}, canRepeat ? again : null, end),
  );
}

/**
 * The examples, one at a time. `reveal(is)` shows or masks the secret in them.
 *
 * @param {string} secret
 * @param {string} masked
 * @param {() => void} revealAll
 */
function exampleOf(secret, masked, revealAll) {
  const lines = h("code", { tabindex: "0" });
  const url = `${instance.public_url}/v1/whoami`;
  const boxes = radios(
    freshId("example"),
    Object.entries(EXAMPLES).map(([name, { label }]) => [name, label]),
    "curl",
    () => show(),
  );
  const inputs = boxes.map((box) => box.querySelector("input"));
  const chosen = () => inputs.find((input) => input.checked)?.value ?? "curl";
  const hasSecret = () => HAS_SECRET.includes(chosen());
  const textWith = (/** @type {string} */ shown) => EXAMPLES[chosen()].lines(url, shown).join("\n");
  const hint = h("p.hint", {}, t("secret.from_environment"));
  let isShown = false;
  const show = () => {
    replaceChildren(lines, textWith(isShown ? secret : masked));
    hint.hidden = hasSecret();
  };
  const reveal = (/** @type {boolean} */ is) => {
    isShown = is;
    show();
  };
  const revealed = () => {
    revealAll();
    return lines;
  };
  const heading = h("p.strong", { id: freshId("examples") }, t("secret.try"));
  const element = h(
    "div.field.examples",
    {},
    h(
      "div.examples-head",
      {},
      heading,
      h("div.segmented", { role: "radiogroup", "aria-labelledby": heading.id }, boxes),
    ),
    h("pre", {}, lines),
    hint,
    h(
      "div.row",
      {},
      copyButton(() => textWith(secret), revealed, t("secret.copy_line")),
    ),
  );
  return { element, reveal, hasSecret, clear: () => replaceChildren(lines) };
}
