// Suggests permissions of the catalogue for a text field.

import { all } from "../lib/api.js";
import { replaceChildren, freshId, h } from "../lib/dom.js";

/**
 * The `datalist` of `input`. It is loaded when the field first gets the focus.
 *
 * @param {HTMLInputElement} input
 */
export function permissionNames(input) {
  const names = h("datalist", { id: freshId("names") });
  const offer = async () => {
    // Without suggestions the user can still type a name.
    const items = await all("/v1/permissions").catch(() => []);
    replaceChildren(
      names,
      items.map((item) => h("option", { value: item.name })),
    );
  };
  input.setAttribute("list", names.id);
  input.addEventListener("focus", offer, { once: true });
  return names;
}
