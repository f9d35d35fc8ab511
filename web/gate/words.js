// Texts for gates: accepted keys and routes.

import { formatList, t } from "../lib/text.js";

/**
 * The built-in gate, with the same settings as on the server. Proxy recipes depend on it.
 *
 * @type {Page.GateSettings}
 */
export const DEFAULT_GATE = {
  name: "default",
  credentials: ["authorization", "x-api-key", "mc-api-key"],
  organizations: null,
  environments: null,
  preflight: "check",
  routes: [],
};

/**
 * The organizations whose keys a gate accepts.
 *
 * @param {{organizations: string[] | null}} gate
 * @param {{id: string, name: string}[]} organizations
 */
export function acceptedKeys(gate, organizations) {
  if (!gate.organizations) return t("gates.all_organizations");
  const nameOf = (/** @type {string} */ id) => organizations.find((one) => one.id === id)?.name ?? id;
  return formatList(gate.organizations.map(nameOf));
}

/** The host, if any, and the path of a route. */
export const placeOf = (/** @type {{host: string | null, path: string}} */ route) => `${route.host ?? ""}${route.path}`;

/**
 * The name of a route: its methods, host and path.
 *
 * @param {{host: string | null, path: string, methods: string[] | null}} route
 */
export function routeName(route) {
  const place = placeOf(route);
  return route.methods ? t("gate.named", { methods: route.methods.join(", "), place }) : t("gate.named_any", { place });
}

/**
 * Special paths that a route can allow.
 *
 * @type {Api.Route["allow"]}
 */
export const KINDS = ["encoded_slash", "double_slash", "semicolon", "utf8", "trailing_dot", "compatibility_form"];

// gate.allow_encoded_slash, .allow_double_slash, .allow_semicolon, .allow_utf8, .allow_trailing_dot,
// .allow_compatibility_form
export const kindName = (/** @type {string} */ kind) => t(`gate.allow_${kind}`);

export const listedKinds = (/** @type {string[]} */ kinds) => formatList(kinds.map(kindName));

/** The names in a text, separated by commas or spaces. */
export const namesIn = (/** @type {string} */ text) => text.split(/[\s,]+/).filter((name) => name !== "");

/**
 * The input as a whole number. Other input is sent unchanged, so that the server reports it at the field.
 *
 * @param {string} text
 */
export function wholeNumber(text) {
  const typed = text.trim();
  return /^\d+$/.test(typed) ? Number(typed) : typed;
}
