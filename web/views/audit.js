// The audit log, newest events first, with its filters, its export and its verification.

import { all, late } from "../lib/api.js";
import { h } from "../lib/dom.js";
import { icon } from "../lib/icon.js";
import { list } from "../lib/list.js";
import { orAnnounce } from "../lib/messages.js";
import { allRoles } from "../lib/roles.js";
import { may, session } from "../lib/state.js";
import { loadStyles } from "../lib/styles.js";
import { addRows, table } from "../lib/table.js";
import { loadTexts, t } from "../lib/text.js";
import { addressOf, apiQuery, chosenBy, filters } from "../audit/filters.js";
import { eventRows } from "../audit/rows.js";

/** @param {Page.Address} options */
export async function view({ query }) {
  const [people, teams, roles] = await Promise.all([
    may("keyhouse:users:read") ? all("/v1/users") : [session.user],
    all("/v1/teams"),
    allRoles(),
    loadTexts("audit"),
    loadStyles("audit"),
  ]);
  const names = new Map([...people, ...teams, ...roles].map((one) => [one.id, one.name]));
  const nameOf = (/** @type {string} */ id) => names.get(id);
  const chosen = chosenBy(query);
  const { columns, cells } = eventRows(nameOf);
  const events = list("/v1/audit", {
    query: apiQuery(chosen),
    show: (items) => h("div.card.flush.audit", {}, table(t("audit.title"), columns(), items.map(cells))),
    more: (card, items) => {
      const row = addRows(card.querySelector("table"), columns(), items.map(cells));
      return row?.querySelector("button");
    },
    empty: () => h("div.card.empty", {}, icon("search"), h("p", {}, t("audit_log.nothing"))),
  });
  // Without the permission the list shows the problem, so the filters are omitted.
  if (!may("keyhouse:audit:read")) return { title: t("audit.title"), body: h("div.stack", {}, events.element) };
  const change = (/** @type {boolean} */ isStep) => {
    const address = addressOf(chosen);
    if (isStep) history.pushState(null, "", address);
    else history.replaceState(null, "", address);
    events.reload(apiQuery(chosen));
  };
  const body = h("div.stack", {}, filters(chosen, people, { change, nameOf }), events.element);
  return { title: t("audit.title"), actions: actions(() => apiQuery(chosen)), body };
}

/** @param {() => Record<string, unknown>} query */
function actions(query) {
  const button = (/** @type {string} */ text, /** @type {() => unknown} */ act) =>
    h("button", { type: "button", onclick: () => orAnnounce(act) }, text);
  const verifies = may("keyhouse:instance:manage");
  return [
    button(t("audit_log.export_button"), async () =>
      (await late(() => import("../audit/export.js"))).exportEvents(query()),
    ),
    verifies
      ? button(t("audit_log.check"), async () => (await late(() => import("../audit/verify.js"))).verifyLog())
      : button(t("audit_log.head"), async () => (await late(() => import("../audit/verify.js"))).showHead()),
  ];
}
