// Templates of permissions that the user saved in this browser.

import { keep, kept } from "../lib/kept.js";
import { session } from "../lib/state.js";

export const TEMPLATES_MAX = 20;
/** The templates of the users that saved one most recently. */
const USERS_MAX = 5;

/** @typedef {{name: string, permissions: string[]}} Template */

/**
 * The templates of the signed-in user, in the order of their names.
 *
 * @returns {Template[]}
 */
export function savedTemplates() {
  const saved = stored()[session.user.id];
  return Array.isArray(saved) ? saved.filter(isTemplate).slice(0, TEMPLATES_MAX) : [];
}

/**
 * Saves a template in the place of one with the same name.
 *
 * @param {Template} template
 */
export function saveTemplate(template) {
  store([...savedTemplates().filter(({ name }) => name !== template.name), template]);
}

/** @param {string} name */
export function removeTemplate(name) {
  store(savedTemplates().filter((template) => template.name !== name));
}

/** @param {Template[]} templates */
function store(templates) {
  const others = Object.entries(stored()).filter(([id]) => id !== session.user.id);
  const latest = others.slice(1 - USERS_MAX);
  const all = templates.length > 0 ? [...latest, [session.user.id, templates]] : latest;
  keep("templates", all.length > 0 ? JSON.stringify(Object.fromEntries(all)) : null);
}

/**
 * What the browser keeps, by user id.
 *
 * @returns {Record<string, unknown>}
 */
function stored() {
  try {
    return Object(JSON.parse(kept("templates") ?? "{}"));
  } catch {
    return {};
  }
}

/** @param {any} value */
const isTemplate = (value) =>
  typeof value?.name === "string" &&
  Array.isArray(value.permissions) &&
  value.permissions.every((/** @type {unknown} */ one) => typeof one === "string");
