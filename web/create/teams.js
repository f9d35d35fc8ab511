// The teams that a new key is shared with: a field that finds teams, and the chosen ones with their access.

import { replaceChildren, freshId, h } from "../lib/dom.js";
import { field, group, select } from "../lib/form.js";
import { icon, iconButton } from "../lib/icon.js";
import { announce } from "../lib/messages.js";
import { compareNames, normalizedForSearch, t } from "../lib/text.js";
import { currentOption } from "../elements/current-option.js";

const FOUND_MAX = 8;

/**
 * `wanted` are the accesses by team id. `shares()` returns the teams as in the request, `names()` their names.
 *
 * @param {Api.Team[]} teams
 * @param {Map<string, string>} wanted
 */
export function teamShares(teams, wanted) {
  if (teams.length === 0) return { element: null, shares: () => [], names: () => [] };
  const chosen = new Map(wanted);
  const list = h("ul.shared", {});
  const inOrder = teams.toSorted((one, other) => compareNames(one.name, other.name));
  const shared = () => inOrder.filter(({ id }) => chosen.has(id));
  const changed = () => {
    replaceChildren(list, shared().map(row));
    list.hidden = chosen.size === 0;
    element.dispatchEvent(new Event("change", { bubbles: true }));
  };
  const accesses = [
    ["read", t("new_key.share_read")],
    ["write", t("new_key.share_write")],
  ];
  const row = (/** @type {Api.Team} */ { id, name }) => {
    const control = select(freshId("access"), accesses, chosen.get(id), {
      "aria-label": name,
      onchange: () => chosen.set(id, control.value),
    });
    const leave = () => {
      chosen.delete(id);
      changed();
      finder.input.focus();
    };
    return h(
      "li",
      {},
      h("span.grow", { dir: "auto" }, name),
      h("span.row", {}, control, iconButton("close", t("new_key.unshare", { name }), { onclick: leave })),
    );
  };
  const finder = teamFinder(
    (text) => inOrder.filter(({ id, name }) => !chosen.has(id) && normalizedForSearch(name).includes(text)),
    ({ id, name }) => {
      chosen.set(id, "read");
      changed();
      announce(t("new_key.team_added", { name }));
    },
  );
  const element = group(
    "teams",
    t("new_key.teams"),
    h("p.hint", {}, t("new_key.teams_hint")),
    list,
    field(t("key.share_more"), finder.element),
  );
  changed();
  const shares = () => [...chosen].map(([id, access]) => ({ id, access }));
  return { element, shares, names: () => shared().map(({ name }) => name) };
}

/**
 * A field that finds teams. `find(text)` returns those with a text in their name.
 *
 * @param {(text: string) => Api.Team[]} find
 * @param {(team: Api.Team) => void} choose
 */
function teamFinder(find, choose) {
  const listbox = h("div.suggestions", {
    id: freshId("teams"),
    role: "listbox",
    "aria-label": t("new_key.teams"),
    // A press of the mouse keeps the focus in the field.
    onmousedown: (event) => event.preventDefault(),
  });
  const nothing = h("p.suggestions.soft", { role: "status" });
  const input = h("input", {
    type: "text",
    role: "combobox",
    autocomplete: "off",
    spellcheck: "false",
    "aria-controls": listbox.id,
    "aria-autocomplete": "list",
    placeholder: t("new_key.find_team"),
  });
  /** @type {Api.Team[]} */
  let found = [];
  const current = currentOption(input);
  const show = (/** @type {Api.Team[]} */ teams, isMissing = false) => {
    found = teams.slice(0, FOUND_MAX);
    const option = (/** @type {Api.Team} */ team) =>
      h("div.suggestion", { id: freshId("team"), role: "option", dir: "auto", onclick: () => take(team) }, team.name);
    const options = found.map(option);
    replaceChildren(listbox, options);
    listbox.hidden = found.length === 0;
    nothing.hidden = !isMissing;
    replaceChildren(nothing, isMissing ? t("palette.nothing") : null);
    current.show(options);
  };
  const search = () => {
    const text = normalizedForSearch(input.value.trim());
    const teams = find(text);
    show(teams, text !== "" && teams.length === 0);
  };
  const hide = () => show([]);
  const take = (/** @type {Api.Team} */ team) => {
    input.value = "";
    hide();
    choose(team);
  };
  hide();
  input.addEventListener("input", search);
  input.addEventListener("click", search);
  input.addEventListener("blur", hide);
  input.addEventListener("keydown", (event) => {
    // Enter and the arrow keys choose among the words of an input method.
    if (event.isComposing) return;
    const isArrow = event.key === "ArrowDown" || event.key === "ArrowUp";
    if (isArrow && found.length === 0) {
      event.preventDefault();
      return search();
    }
    current.follow(event);
    const chosen = found[current.at()];
    if (event.key === "Enter" && chosen) take(chosen);
    if (event.key === "Escape" && found.length > 0) {
      event.preventDefault();
      hide();
    }
  });
  const element = h("div.search-field.combobox", {}, icon("search"), input, listbox, nothing);
  return { element, input };
}
