// Offers the names of the catalogue of permissions where one is typed.

import { all } from "../api.js";
import { fill, freshId, h } from "../dom.js";

/** The list to put beside `input`; it is fetched once somebody is there. */
export function permissionNames(input) {
  const names = h("datalist", { id: freshId("names") });
  const offer = async () => {
    // An offer, no more: without it the name is typed.
    const items = await all("/v1/permissions").catch(() => []);
    fill(names, items.map((item) => h("option", { value: item.name })));
  };
  input.setAttribute("list", names.id);
  input.addEventListener("focus", offer, { once: true });
  return names;
}
