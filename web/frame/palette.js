// The command palette: one field that finds places, actions, keys, people and teams.

import { all, request } from "../lib/api.js";
import { open } from "../lib/dialog.js";
import { freshId, h, replaceChildren } from "../lib/dom.js";
import { icon } from "../lib/icon.js";
import { may, session } from "../lib/state.js";
import { loadStyles } from "../lib/styles.js";
import { normalizedForSearch, t } from "../lib/text.js";
import { currentOption } from "../elements/current-option.js";
import { placeGroups } from "./places.js";

const TYPING_MS = 120;
const FOUND_MAX = 5;

export const styled = () => loadStyles("palette");

/**
 * What the palette offers: an address or an action.
 *
 * @typedef {{icon: string, text: string, more?: string, href?: string, act?: () => unknown}} Entry
 * @typedef {{title: string, entries: Entry[]}} Group
 */

/**
 * Opens the palette. `actions` are entries besides the places.
 *
 * @param {Entry[]} actions
 */
export async function palette(actions) {
  const chosen = await open(t("palette.title"), (close) => content(actions, close));
  if (chosen?.href) location.hash = chosen.href;
  await chosen?.act?.();
}

/**
 * @param {Entry[]} actions
 * @param {(entry?: Entry) => void} close
 */
function content(actions, close) {
  const places = placeGroups().flatMap((group) => group.places);
  /** @type {Entry[]} */
  const fixed = [
    ...places.map((place) => ({ icon: place.icon, text: t(place.title), href: `#/${place.hash}` })),
    { icon: "person", text: t("profile.title"), href: "#/profile" },
  ];
  /** @type {Promise<[Api.User[], Api.Team[]]> | undefined} */
  let lists;
  // Loaded at the first letter. An error of a request leaves its list out.
  const peopleAndTeams = () =>
    (lists ??= Promise.all([
      may("keyhouse:users:read") ? all("/v1/users").catch(() => []) : [],
      all("/v1/teams").catch(() => []),
    ]));
  const results = h("div.results", { id: freshId("results"), role: "listbox", "aria-label": t("palette.results") });
  const nothing = h("p.empty.soft", { hidden: true }, t("palette.nothing"));
  const none = h("p.visually-hidden", { role: "status" });
  const input = h("input", {
    type: "text",
    role: "combobox",
    autocomplete: "off",
    spellcheck: "false",
    autofocus: true,
    "aria-label": t("palette.field"),
    "aria-expanded": "true",
    "aria-controls": results.id,
    "aria-autocomplete": "list",
    placeholder: t("palette.field"),
  });
  /** @type {{entry: Entry, element: HTMLElement}[]} */
  let options = [];
  const current = currentOption(input);
  const option = (/** @type {Entry} */ entry) => {
    const element = h(
      "div.option",
      { id: freshId("option"), role: "option", onclick: () => close(entry) },
      icon(entry.icon),
      h("span.line", { dir: "auto" }, entry.text),
      entry.more ? h("span.line.small.soft", {}, entry.more) : null,
    );
    options.push({ entry, element });
    return element;
  };
  const show = (/** @type {Group[]} */ groups) => {
    options = [];
    const found = groups.filter(({ entries }) => entries.length > 0);
    const drawn = found.map(({ title, entries }) => {
      const heading = h("p.part", { id: freshId("group"), role: "presentation" }, title);
      return h("div", { role: "group", "aria-labelledby": heading.id }, heading, entries.map(option));
    });
    replaceChildren(results, drawn);
    const isEmpty = options.length === 0;
    results.hidden = isEmpty;
    nothing.hidden = !isEmpty;
    replaceChildren(none, t("palette.count", { count: options.length }));
    current.show(options.map(({ element }) => element));
  };
  /** @type {ReturnType<typeof setTimeout>} */
  let timer;
  let turn = 0;
  /** Whether the results are older than what the user typed. */
  let isDue = false;
  const search = async () => {
    const thisTurn = ++turn;
    clearTimeout(timer);
    const wanted = normalizedForSearch(input.value.trim());
    const fits = (/** @type {(string | undefined)[]} */ ...texts) =>
      texts.some((text) => normalizedForSearch(text ?? "").includes(wanted));
    const own = [
      { title: t("palette.actions"), entries: actions.filter(({ text }) => fits(text)) },
      { title: t("palette.places"), entries: fixed.filter(({ text }) => fits(text)) },
    ];
    isDue = wanted !== "";
    if (!isDue) return show(own);
    const [keys, [persons, groups]] = await Promise.all([keysWith(input.value.trim()), peopleAndTeams()]);
    // The user has typed on.
    if (thisTurn !== turn) return undefined;
    isDue = false;
    const named = persons.filter(({ name, email }) => fits(name, email)).slice(0, FOUND_MAX);
    const inTeams = groups.filter(({ name }) => fits(name)).slice(0, FOUND_MAX);
    return show([
      { title: t("keys.title"), entries: keys },
      { title: t("people.title"), entries: named.map(personEntry) },
      {
        title: t("teams.title"),
        entries: inTeams.map(({ id, name }) => ({ icon: "team", text: name, href: `#/teams/${id}` })),
      },
      ...own,
    ]);
  };
  input.addEventListener("input", () => {
    isDue = true;
    clearTimeout(timer);
    timer = setTimeout(search, TYPING_MS);
  });
  input.addEventListener("keydown", async (event) => {
    // Enter and the arrow keys choose among the words of an input method.
    if (event.isComposing) return;
    current.follow(event);
    if (event.key === "Enter") {
      event.preventDefault();
      if (isDue) await search();
      const chosen = options[current.at()];
      if (!isDue && chosen) close(chosen.entry);
    }
  });
  search();
  const element = h("div.palette", {}, h("div.search-field", {}, icon("search"), input), results, nothing, none);
  // A click beside the palette closes it.
  queueMicrotask(() => {
    const dialog = element.closest("dialog");
    dialog?.addEventListener("click", (/** @type {Event} */ event) => {
      if (event.target === dialog) close();
    });
  });
  return element;
}

/** @param {Api.User} person */
const personEntry = ({ id, name, email }) => ({ icon: "person", text: name, more: email, href: `#/people/${id}` });

/**
 * Keys that contain a text. An error of the search leaves them out.
 *
 * @param {string} search
 * @returns {Promise<Entry[]>}
 */
async function keysWith(search) {
  try {
    const page = await request("GET", "/v1/keys", {
      query: { search, status: "all", limit: FOUND_MAX },
      quietly: true,
    });
    /** @type {Page.ItemOf<"/v1/keys">[]} */
    const items = page.items;
    const seen = items.filter((item) => "name" in item);
    const owner = (/** @type {Api.Key} */ key) =>
      key.kind === "service" ? session.organization.name : (key.owner_name ?? "");
    return seen.map((key) => ({ icon: "key", text: key.name, more: owner(key), href: `#/keys/${key.id}` }));
  } catch (problem) {
    if (!problem.members) throw problem;
    return [];
  }
}
