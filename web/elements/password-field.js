// A password field that can show the password. Paste and password managers work.

import { replaceChildren, h } from "../lib/dom.js";
import { field } from "../lib/form.js";
import { t } from "../lib/text.js";

/** Minimum lengths of a password, without and with a second factor. The server enforces them. */
export const CHARACTERS_MIN = 15;
export const CHARACTERS_MIN_WITH_CODE = 8;

/**
 * A password field. With `fresh`, for a new password, it shows the number of characters and marks when
 * `charactersMin` is reached.
 *
 * @param {string} label
 * @param {string} name
 * @param {{fresh?: boolean, charactersMin?: number, hint?: string, [name: string]: unknown}} [options]
 */
export function passwordField(label, name, options = {}) {
  const { fresh = false, charactersMin = CHARACTERS_MIN, hint, ...properties } = options;
  const autocomplete = fresh ? "new-password" : "current-password";
  const count = h("span.soft.small.count", {});
  const show = () => {
    const characters = [...input.value].length;
    replaceChildren(count, characters > 0 ? t("password.characters", { count: characters }) : "");
    count.classList.toggle("enough", characters >= charactersMin);
  };
  const input = h("input", {
    name,
    type: "password",
    autocomplete,
    spellcheck: "false",
    autocapitalize: "none",
    required: true,
    oninput: fresh ? show : null,
    ...properties,
  });
  const eye = h(
    "button.look",
    {
      type: "button",
      "aria-label": t("password.show_label", { label }),
      onclick: () => look(input.type === "password"),
    },
    t("password.show"),
  );
  const look = (/** @type {boolean} */ seen) => {
    input.type = seen ? "text" : "password";
    eye.setAttribute("aria-label", seen ? t("password.hide_label", { label }) : t("password.show_label", { label }));
    replaceChildren(eye, seen ? t("password.hide") : t("password.show"));
  };
  const control = h("div.stack.tight", {}, h("div.with-button", {}, input, eye), fresh ? count : null);
  return field(label, control, { hint: hint ?? (fresh ? t("password.hint", { count: charactersMin }) : undefined) });
}
