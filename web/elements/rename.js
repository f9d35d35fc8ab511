// Renames a thing where its name stands: the name gives way to a field, Enter saves, Escape leaves.

import { h } from "../dom.js";
import { field, form, valueOf } from "../form.js";
import { t } from "../text.js";

/**
 * A button that renames. `place()` is the element that shows the name, and that the field takes the
 * place of; `name()` is the name now; `label` names the field; `save(name)` may throw a `Problem`.
 */
export function renameButton({ label, field: fieldLabel, place, name, save }) {
  const begin = () => {
    const shown = place();
    const input = h("input", {
      name: "name",
      value: name(),
      required: true,
      autocomplete: "off",
      dir: "auto",
    });
    // A view keeps its heading for those who don't see it.
    const hide = (is) => (shown.matches("h1") ? shown.classList.toggle("said-only", is) : (shown.hidden = is));
    const leave = () => {
      element.remove();
      hide(false);
      button.hidden = false;
      button.focus();
    };
    const submit = async (element) => {
      const wanted = valueOf(element, "name");
      if (wanted !== name()) await save(wanted);
      leave();
    };
    const element = form({ submit, button: t("actions.save"), cancel: leave }, field(fieldLabel, input));
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
