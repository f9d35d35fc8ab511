// Renames a resource in place: a field replaces the name, Enter saves, Escape cancels.

import { h } from "../lib/dom.js";
import { field, form, valueOf } from "../lib/form.js";
import { t } from "../lib/text.js";

/**
 * A rename button with the content `label`. `place()` returns the element with the name, which a field labelled
 * `field` replaces; `name()` returns the current name; `save(name)` may throw a `Problem`.
 *
 * @param {{
 * label: Page.Child,
 * field: string,
 * place: () => HTMLElement,
 * name: () => string,
 * save: (name: string) => Promise<void>,
 * isCompact?: boolean,
 * }} options
 */
export function renameButton({ label, field: fieldLabel, place, name, save, isCompact }) {
  const begin = () => {
    const shown = place();
    const input = h("input", {
      name: "name",
      value: name(),
      required: true,
      autocomplete: "off",
      dir: "auto",
    });
    // A hidden `h1` would leave screen readers without a page heading.
    const hide = (/** @type {boolean} */ is) =>
      shown.matches("h1") ? shown.classList.toggle("visually-hidden", is) : (shown.hidden = is);
    const leave = () => {
      element.remove();
      hide(false);
      button.hidden = false;
      button.focus();
      // On a narrow screen, the button is hidden and the row menu starts the rename. The name gets the focus
      // instead.
      if (document.activeElement !== button) shown.focus();
    };
    const submit = async (/** @type {HTMLFormElement} */ element) => {
      const wanted = valueOf(element, "name");
      if (wanted !== name()) await save(wanted);
      leave();
    };
    const element = form(
      { submit, button: t("actions.save"), cancel: leave, inPage: true, isCompact },
      field(fieldLabel, input),
    );
    element.classList.add("rename");
    element.addEventListener("keydown", (event) => {
      if (event.key !== "Escape") return;
      event.preventDefault();
      leave();
    });
    hide(true);
    button.hidden = true;
    shown.before(element);
    input.focus();
    input.select();
  };
  const button = h("button", { type: "button", onclick: begin }, label);
  return button;
}
