// The current option of a combobox, as in the ARIA Authoring Practices: the focus stays in the field.

/**
 * Marks the current option of the list that `input` controls. `show(options)` begins with the first of these elements,
 * `follow(event)` moves with the arrow keys, `at()` is the current place.
 *
 * @param {HTMLInputElement} input
 */
export function currentOption(input) {
  let options = /** @type {HTMLElement[]} */ ([]);
  let at = 0;
  const mark = () => {
    options.forEach((option, index) => option.setAttribute("aria-selected", String(index === at)));
    const current = options[at];
    if (current) input.setAttribute("aria-activedescendant", current.id);
    else input.removeAttribute("aria-activedescendant");
    input.setAttribute("aria-expanded", String(options.length > 0));
    current?.scrollIntoView({ block: "nearest" });
  };
  return {
    at: () => at,
    show(/** @type {HTMLElement[]} */ shown) {
      options = shown;
      at = 0;
      mark();
    },
    follow(/** @type {KeyboardEvent} */ event) {
      const by = { ArrowDown: 1, ArrowUp: -1 }[event.key];
      if (!by || options.length === 0) return;
      event.preventDefault();
      at = (at + by + options.length) % options.length;
      mark();
    },
  };
}
