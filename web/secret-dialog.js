// Shows a new secret, once: masked, to be copied, and gone when the dialog closes.

import { open } from "./dialog.js";
import { fill, freshId, h, svg } from "./dom.js";
import { copyButton } from "./elements/copy-button.js";
import { checkbox } from "./form.js";
import { say } from "./say.js";
import { instance } from "./state.js";
import { t } from "./text.js";

/** Shows the secret of a key that was just made or renewed; resolves when it is closed. */
export async function showSecret({ key, secret }) {
  const asked = {};
  const onEscape = (event) => {
    if (event.key === "Escape") asked.leave(event);
  };
  addEventListener("beforeunload", warn);
  // Wherever the focus is: a click beside the buttons leaves it outside of the dialog.
  addEventListener("keydown", onEscape);
  try {
    await open(t("secret.title"), (close) => content(key, secret, close, asked), { stays: true, wide: true });
  } finally {
    removeEventListener("beforeunload", warn);
    removeEventListener("keydown", onEscape);
  }
}

/** Whoever reloads now loses the secret. */
const warn = (event) => event.preventDefault();

function content(key, secret, close, asked) {
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
  const show = (shown) => {
    input.type = shown ? "text" : "password";
    const label = shown ? t("secret.hide") : t("secret.show");
    eye.setAttribute("aria-label", label);
    eye.title = label;
    fill(eye, eyeDrawing(shown));
    fill(line, curlLine(shown ? secret : t("secret.masked", { hint: key.hint })));
  };
  const eye = h("button.icon", {
    type: "button",
    onclick: () => show(input.type === "password"),
  });
  // Where a page may not copy, the text is selected: so it must be seen.
  const revealed = (element) => {
    show(true);
    return element;
  };
  show(false);
  const stored = checkbox("stored", t("secret.stored"), { onchange: () => follow() });
  const done = h("button.primary", { type: "submit" }, t("secret.close"));
  const box = stored.querySelector("input");
  const follow = () => done.setAttribute("aria-disabled", String(!box.checked));
  follow();
  const leave = (event) => {
    event.preventDefault();
    if (box.checked) return finish();
    box.focus();
    say(t("secret.store_first"));
  };
  asked.leave = leave;
  const finish = () => {
    // Nothing of it stays in what the browser keeps of this page.
    input.value = "";
    fill(line);
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
    stored,
    h("div.buttons", {}, done),
  );
}

/** An eye, crossed out while there is nothing for it to see. */
function eyeDrawing(open) {
  return svg(
    "svg.drawn",
    { viewBox: "0 0 24 24", "aria-hidden": "true" },
    svg("path", { d: "M2 12c2.5-4.5 6-6.5 10-6.5s7.5 2 10 6.5c-2.5 4.5-6 6.5-10 6.5s-7.5-2-10-6.5z" }),
    svg("circle", { cx: 12, cy: 12, r: 3 }),
    open ? null : svg("path", { d: "M4 4l16 16" }),
  );
}

/** What asks the key who it is; the secret goes to nobody but this instance. */
function curlLine(secret) {
  return `curl -H "Authorization: Bearer ${secret}" ${instance.public_url}/v1/whoami`;
}
