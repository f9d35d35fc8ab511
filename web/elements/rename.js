// Renames a thing where its name stands: the name gives way to a field, Enter saves, Escape leaves.

import { h } from "../dom.js";
import { field, form, valueOf } from "../form.js";
import { t } from "../text.js";

const NAME_CHARACTERS_MAX = 256;

/**
 * A button that renames. `place()` is the element that shows the name, and that the field takes the
 * place of; `name()` is the name now; `label` names the field; `save(name)` may throw a `Problem`.
 */
export function renameButton({ label, field: fieldLabel, place, name, save }) {
  const begin = () => {
    const shown = place();
    const input = h("input", {
      name: "name", value: name(), maxlength: NAME_CHARACTERS_MAX, required: true, autocomplete: "off", dir: "auto",
    });
    const leave = () => {
      element.remove();
      shown.hidden = false;
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
    shown.hidden = true;
    button.hidden = true;
    shown.before(element);
    input.focus();
    input.select();
  };
  const button = h("button", { type: "button", onclick: begin }, label);
  return button;
}
