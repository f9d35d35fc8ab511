// A field for a password: paste and password managers are welcome, and it can be looked at.

import { fill, h } from "../dom.js";
import { field } from "../form.js";
import { t } from "../text.js";

/** Fewest characters of a password, and beside a second factor; the server decides. */
export const CHARACTERS_MIN = 15;
export const CHARACTERS_MIN_WITH_CODE = 8;

/**
 * The field. A `fresh` one is for a password that is chosen now: it counts what is typed against
 * `charactersMin`, without complaining.
 */
export function passwordField(label, name, options = {}) {
  const { fresh = false, charactersMin = CHARACTERS_MIN, hint, ...properties } = options;
  const autocomplete = fresh ? "new-password" : "current-password";
  const count = h("span.soft.small.count", {});
  const show = () => {
    const characters = [...input.value].length;
    fill(count, characters > 0 ? t("password.characters", { count: characters }) : "");
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
      "aria-label": t("password.show", { label }),
      onclick: () => look(input.type === "password"),
    },
    t("password.look"),
  );
  const look = (seen) => {
    input.type = seen ? "text" : "password";
    eye.setAttribute("aria-label", seen ? t("password.hide", { label }) : t("password.show", { label }));
    fill(eye, seen ? t("password.unlook") : t("password.look"));
  };
  const control = h("div.stack.tight", {}, h("div.with-button", {}, input, eye), fresh ? count : null);
  return field(label, control, { hint: hint ?? (fresh ? t("password.hint", { count: charactersMin }) : undefined) });
}
