// The places of the page: the entries of the navigation, in groups.

import { isOperator, may } from "../lib/state.js";

/** @typedef {{hash: string, title: string, icon: string, seen: () => boolean}} Place */

const always = () => true;

/**
 * Groups of entries. A group has the text key of its heading, or `null`.
 *
 * @type {[string | null, Place[]][]}
 */
const GROUPS = [
  [
    null,
    [
      {
        hash: "overview",
        title: "shell.overview",
        icon: "home",
        seen: () => may("keyhouse:keys:read") || isOperator(),
      },
      { hash: "keys", title: "keys.title", icon: "key", seen: always },
      { hash: "teams", title: "teams.title", icon: "team", seen: always },
      { hash: "people", title: "people.title", icon: "person", seen: () => may("keyhouse:users:read") },
    ],
  ],
  [
    "shell.access",
    [
      { hash: "roles", title: "roles.title", icon: "shield", seen: () => may("keyhouse:roles:read") },
      { hash: "permissions", title: "permissions.title", icon: "list", seen: always },
    ],
  ],
  [
    "shell.monitor",
    [
      { hash: "usage", title: "usage.title", icon: "chart", seen: () => may("keyhouse:usage:read") },
      { hash: "audit", title: "audit.title", icon: "clock", seen: () => may("keyhouse:audit:read") },
    ],
  ],
  [
    "shell.settings",
    [
      {
        hash: "organization",
        title: "organization.title",
        icon: "building",
        seen: () => may("keyhouse:organization:read"),
      },
    ],
  ],
  [
    "shell.instance",
    [
      { hash: "organizations", title: "organizations.title", icon: "buildings", seen: isOperator },
      { hash: "plans", title: "plans.title", icon: "card", seen: isOperator },
      { hash: "gates", title: "gates.title", icon: "gate", seen: isOperator },
    ],
  ],
];

/** The groups with the entries that the user sees. */
export const placeGroups = () =>
  GROUPS.map(([heading, places]) => ({ heading, places: places.filter((place) => place.seen()) })).filter(
    ({ places }) => places.length > 0,
  );

/**
 * The place of this name, if the user sees it.
 *
 * @param {string} hash
 */
export const placeOf = (hash) =>
  placeGroups()
    .flatMap(({ places }) => places)
    .find((place) => place.hash === hash);

/** The place of an address without one. */
export const home = () => (placeOf("overview") ? "overview" : "keys");
