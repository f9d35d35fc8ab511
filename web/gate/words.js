// A gate in words: whose keys it takes, and its routes.

import { listed, t } from "../text.js";

/** The gate that every instance has, as the server has it: recipes for proxies count on it. */
export const DEFAULT_GATE = {
  name: "default",
  credentials: ["authorization", "x-api-key", "mc-api-key"],
  organizations: null,
  environments: null,
  preflight: "check",
  routes: [],
};

/** Whose keys a gate takes. */
export function whoseKeys(gate, organizations) {
  if (!gate.organizations) return t("gates.everybody");
  const nameOf = (id) => organizations.find((one) => one.id === id)?.name ?? id;
  return listed(gate.organizations.map(nameOf));
}

/** Where a route is: its host, where it has one, and its path. */
export const placeOf = (route) => `${route.host ?? ""}${route.path}`;

/** A route by what sets it apart from others. */
export function routeName(route) {
  const place = placeOf(route);
  return route.methods
    ? t("gate.named", { methods: route.methods.join(", "), place })
    : t("gate.named_any", { place });
}

/** What a route may allow in its paths. */
export const KINDS = ["encoded_slash", "double_slash", "semicolon", "utf8", "trailing_dot", "compatibility_form"];

/** One of them in words. */
// gate.allow_encoded_slash, .allow_double_slash, .allow_semicolon, .allow_utf8, .allow_trailing_dot,
// .allow_compatibility_form
export const kindName = (kind) => t(`gate.allow_${kind}`);

/** Several of them in words. */
export const listedKinds = (kinds) => listed(kinds.map(kindName));

/** The names in a text that separates them by commas or spaces. */
export const namesIn = (text) => text.split(/[\s,]+/).filter((name) => name !== "");

/** What was typed as a whole number; what is none is sent as it is, so that the answer says so at its field. */
export function wholeIn(text) {
  const typed = text.trim();
  return /^\d+$/.test(typed) ? Number(typed) : typed;
}
