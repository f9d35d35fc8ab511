// The routes of a gate, and the dialogs that add, change and remove a route.

import { get, patch, Problem } from "../lib/api.js";
import { confirm, open } from "../lib/dialog.js";
import { h } from "../lib/dom.js";
import { permissionNames } from "../elements/permission-names.js";
import { checkbox, field, form, group, radios, valueOf } from "../lib/form.js";
import { card } from "../key/parts.js";
import { announce } from "../lib/messages.js";
import { table } from "../lib/table.js";
import { number, parts, t } from "../lib/text.js";
import { kindName, KINDS, listedKinds, namesIn, placeOf, routeName, wholeNumber } from "./words.js";

const LOOKS = { key: "span.badge.accent", public: "span.badge.warn", denied: "span.badge.bad" };

/** @param {Page.GatePage} page */
export function routesCard(page) {
  const { routes } = page.gate;
  const add = h("button", { type: "button", onclick: () => edit(page, null) }, t("gate.add_route"));
  if (routes.length === 0) {
    const nothing = h("p.notice.warn", {}, t("gate.no_routes"));
    return card(t("gates.routes"), add, nothing, h("p.soft", {}, t("gate.order")));
  }
  const columns = [
    t("gate.route"),
    t("gate.methods"),
    t("gate.access"),
    t("gate.permission"),
    t("gate.cost_short"),
    { hidden: t("gate.actions") },
  ];
  const rows = routes.map((route) => cells(page, route));
  return card(
    t("gates.routes"),
    add,
    h("p.soft", {}, t("gate.order")),
    h("div.routes", {}, table(t("gates.routes"), columns, rows)),
  );
}

/**
 * @param {Page.GatePage} page
 * @param {Api.Route} route
 */
function cells(page, route) {
  const isOpen = route.access !== "key";
  const none = () => h("span.soft.none", {}, "–");
  const anyKey = () => h("span.soft", {}, t("gate.any_key"));
  const needs = route.permissions ? h("code", {}, route.permissions) : anyKey();
  const named = (/** @type {string} */ action) => ({
    type: "button",
    "aria-label": t("gate.of", { action, route: routeName(route) }),
  });
  return [
    h("div", {}, h("code.strong", {}, placeOf(route)), allowed(route)),
    route.methods ? route.methods.join(", ") : h("span.soft", {}, t("gate.any_method")),
    h(LOOKS[route.access], {}, accessName(route.access)),
    isOpen ? none() : needs,
    isOpen ? none() : number(route.cost ?? page.gate.cost),
    h(
      "div.row.end",
      {},
      h("button.quiet", { ...named(t("actions.edit")), onclick: () => edit(page, route) }, t("actions.edit")),
      h(
        "button.quiet",
        { ...named(t("actions.remove")), onclick: () => removeRoute(page, route) },
        t("actions.remove"),
      ),
    ),
  ];
}

/** The special paths that a route allows, if any. */
const allowed = (/** @type {Api.Route} */ { allow }) =>
  allow.length > 0 ? h("div.small.soft", {}, t("gate.allows", { kinds: listedKinds(allow) })) : null;

// gate.access_key, .access_public, .access_denied
const accessName = (/** @type {string} */ access) => t(`gate.access_${access}`);

/**
 * The current index of a route. The routes may have been changed elsewhere.
 *
 * @param {Api.Route[]} routes
 * @param {Api.Route} route
 */
function placeIn(routes, route) {
  const written = JSON.stringify(route);
  const at = routes.findIndex((one) => JSON.stringify(one) === written);
  if (at < 0) throw new Problem(409, { code: "route_gone" });
  return at;
}

/**
 * Saves the result of `changed(routes)`.
 *
 * @param {Page.GatePage} page
 * @param {(routes: Api.Route[]) => object[]} changed
 */
async function save(page, changed) {
  try {
    page.gate = await patch(page.path, { routes: changed(page.gate.routes) }, page.gate.version);
  } catch (problem) {
    // After the conflict was shown, the next attempt starts from the current routes.
    if (problem.code === "version_conflict") page.gate = await get(page.path);
    throw problem;
  }
}

/**
 * @param {Page.GatePage} page
 * @param {Api.Route | null} route
 */
async function edit(page, route) {
  const title = route ? t("gate.edit_route") : t("gate.new_route");
  const done = await open(title, (close) => {
    const submit = async (/** @type {HTMLFormElement} */ element) => {
      const typed = typedIn(element);
      const { routes } = page.gate;
      const at = route ? placeIn(routes, route) : routes.length;
      const changed = [...routes.slice(0, at), typed, ...routes.slice(at + 1)];
      try {
        await save(page, () => changed);
      } catch (problem) {
        problem.faults?.forEach((/** @type {Page.Fault} */ fault) => nameEqual(fault, at, changed));
        throw problem;
      }
      close(true);
    };
    const button = route ? t("actions.save") : t("gate.create_route");
    return form({ submit, button, cancel: () => close() }, fields(page.gate, route));
  });
  if (!done) return;
  announce(t("gate.saved"));
  page.redraw();
}

/**
 * Names the equal route in the fault, whichever of the two routes the API reports.
 *
 * @param {Page.Fault} fault
 * @param {number} at
 * @param {{host: string | null, path: string, methods: string[] | null}[]} routes
 */
function nameEqual(fault, at, routes) {
  if (fault.code !== "equal_route") return;
  const places = `${fault.pointer} ${fault.detail}`.match(/(?<=\/routes\/)\d+/g)?.map(Number);
  const other = places?.find((place) => place !== at);
  if (other !== undefined) Object.assign(fault, { code: "equal_to", route: routeName(routes[other]) });
  fault.pointer = `/routes/${at}/path`;
}

/**
 * @param {Api.Gate} gate
 * @param {Api.Route | null} route
 */
function fields(gate, route) {
  const access = route?.access ?? "key";
  const allow = route?.allow ?? [];
  const input = (/** @type {string} */ name, /** @type {unknown} */ value, /** @type {Page.Properties} */ more = {}) =>
    h("input.code", { name, value, autocomplete: "off", spellcheck: "false", ...more });
  const requirement = input("permissions", route?.permissions);
  const names = permissionNames(requirement);
  const choices = [
    ["key", accessName("key"), t("gate.access_key_hint")],
    ["public", accessName("public"), t("gate.access_public_hint")],
    ["denied", accessName("denied"), t("gate.access_denied_hint")],
  ];
  const ofKey = h(
    "div.stack",
    { hidden: access !== "key" },
    field(t("gate.permission"), requirement, { optional: true, hint: t("gate.permission_hint") }),
    field(t("gate.cost_short"), input("cost", route?.cost, { inputmode: "numeric" }), {
      optional: true,
      hint: t("gate.route_cost_hint", { count: gate.cost }),
    }),
  );
  const choose = (/** @type {Page.ControlEvent} */ event) => (ofKey.hidden = event.target.value !== "key");
  return [
    field(t("gate.path"), input("path", route?.path), { hint: t("gate.path_hint") }),
    field(t("gate.methods"), input("methods", (route?.methods ?? []).join(", ")), {
      optional: true,
      hint: t("gate.methods_hint"),
    }),
    field(t("gate.host"), input("host", route?.host), { optional: true, hint: t("gate.host_hint") }),
    group("access", t("gate.access"), radios("access", choices, access, choose)),
    ofKey,
    group(
      "allow",
      t("gate.allow"),
      h("p.small.soft", {}, t("gate.allow_hint")),
      h("div.choices", {}, ...KINDS.map((kind) => checkbox(kind, kindName(kind), { checked: allow.includes(kind) }))),
    ),
    names,
  ];
}

/**
 * The entered route. Fields that apply only to routes with a key are omitted for others.
 *
 * @param {HTMLFormElement} element
 */
function typedIn(element) {
  const text = (/** @type {string} */ name) => valueOf(element, name).trim() || null;
  const methods = namesIn(valueOf(element, "methods").toUpperCase());
  const access = valueOf(element, "access");
  const cost = text("cost");
  const needsKey = access === "key";
  return {
    host: text("host"),
    path: text("path") ?? "",
    methods: methods.length > 0 ? methods : null,
    access,
    permissions: needsKey ? text("permissions") : null,
    cost: needsKey && cost !== null ? wholeNumber(cost) : null,
    allow: KINDS.filter((kind) => element.elements.namedItem(kind).checked),
  };
}

/**
 * @param {Page.GatePage} page
 * @param {Api.Route} route
 */
async function removeRoute(page, route) {
  const name = h("code", {}, routeName(route));
  const words = {
    title: t("gate.remove_route"),
    body: h("p", {}, parts("gate.remove_route_body", { route: name })),
    button: t("gate.remove_route"),
    done: t("gate.route_removed"),
  };
  const without = (/** @type {Api.Route[]} */ routes) => routes.toSpliced(placeIn(routes, route), 1);
  if (await confirm(words, () => save(page, without))) page.redraw();
}
