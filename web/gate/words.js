// Texts for gates: accepted keys and routes.

import { formatList, t } from "../lib/text.js";

/** The built-in gate, with the same settings as on the server. Proxy recipes depend on it. */
export const DEFAULT_GATE = {
  name: "default",
  credentials: ["authorization", "x-api-key", "mc-api-key"],
  organizations: null,
  environments: null,
  preflight: "check",
  routes: [],
};

/** The organizations whose keys a gate accepts. */
export function acceptedKeys(gate, organizations) {
  if (!gate.organizations) return t("gates.all_organizations");
  const nameOf = (id) => organizations.find((one) => one.id === id)?.name ?? id;
  return formatList(gate.organizations.map(nameOf));
}

/** The host, if any, and the path of a route. */
export const placeOf = (route) => `${route.host ?? ""}${route.path}`;

/** The name of a route: its methods, host and path. */
export function routeName(route) {
  const place = placeOf(route);
  return route.methods ? t("gate.named", { methods: route.methods.join(", "), place }) : t("gate.named_any", { place });
}

/** Special paths that a route can allow. */
export const KINDS = ["encoded_slash", "double_slash", "semicolon", "utf8", "trailing_dot", "compatibility_form"];

// gate.allow_encoded_slash, .allow_double_slash, .allow_semicolon, .allow_utf8, .allow_trailing_dot,
// .allow_compatibility_form
export const kindName = (kind) => t(`gate.allow_${kind}`);

export const listedKinds = (kinds) => formatList(kinds.map(kindName));

/** The names in a text, separated by commas or spaces. */
export const namesIn = (text) => text.split(/[\s,]+/).filter((name) => name !== "");

/** The input as a whole number. Other input is sent unchanged, so that the server reports it at the field. */
export function wholeNumber(text) {
  const typed = text.trim();
  return /^\d+$/.test(typed) ? Number(typed) : typed;
}
