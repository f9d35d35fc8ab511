// Exports the events that the filters find, as CSV or JSON, to a file that the browser saves. The events are read page
// by page, up to a maximum; the command line has none.

import { request } from "../lib/api.js";
import { csvOf } from "../lib/csv.js";
import { open } from "../lib/dialog.js";
import { h, replaceChildren } from "../lib/dom.js";
import { form, group, radios } from "../lib/form.js";
import { announce } from "../lib/messages.js";
import { saveFile } from "../lib/save.js";
import { number, t } from "../lib/text.js";

const EVENTS_MAX = 10_000;
const EVENTS_A_REQUEST = 100;

/**
 * The dialog of the export. `query` is the API query of the filters.
 *
 * @param {Record<string, unknown>} query
 */
export function exportEvents(query) {
  return open(t("audit_log.export"), (close) => {
    const progress = h("p.soft", { role: "status" });
    const submit = async (/** @type {HTMLFormElement} */ element) => {
      const format = new FormData(element).get("format") === "json" ? "json" : "csv";
      const { events, isCut } = await read(query, (count) => {
        replaceChildren(progress, t("audit_log.export_read", { count }));
        return element.isConnected;
      });
      if (!element.isConnected) return;
      const text = format === "json" ? `${JSON.stringify(events, null, 2)}\n` : csv(events);
      const day = new Date().toISOString().slice(0, 10);
      saveFile(`keyhouse-audit-${day}.${format}`, format === "json" ? "application/json" : "text/csv", text);
      const done = t("audit_log.exported", { count: events.length });
      if (isCut) {
        replaceChildren(progress, done, " ", t("audit_log.export_cut", { count: EVENTS_MAX }));
        return;
      }
      close();
      announce(done);
    };
    return form(
      { submit, button: t("audit_log.export_start"), cancel: () => close() },
      h("p", {}, t("audit_log.export_what", { maximum: number(EVENTS_MAX) })),
      group(
        "format",
        t("audit_log.export_format"),
        radios(
          "format",
          [
            ["csv", "CSV", t("audit_log.export_csv")],
            ["json", "JSON", t("audit_log.export_json")],
          ],
          "csv",
        ),
      ),
      progress,
    );
  });
}

/**
 * The newest events. `goesOn(count)` is called after each page; `false` ends the reading.
 *
 * @param {Record<string, unknown>} query
 * @param {(count: number) => boolean} goesOn
 */
async function read(query, goesOn) {
  /** @type {Api.Event[]} */
  const events = [];
  /** @type {string | null} */
  let cursor = null;
  do {
    const page = await request("GET", "/v1/audit", {
      query: { ...query, limit: EVENTS_A_REQUEST, cursor },
      quietly: true,
    });
    events.push(...page.items);
    cursor = page.next_cursor;
  } while (goesOn(events.length) && cursor && events.length < EVENTS_MAX);
  return { events, isCut: cursor !== null && events.length >= EVENTS_MAX };
}

/**
 * Events as CSV.
 *
 * @param {Api.Event[]} events
 */
export function csv(events) {
  const heads = "time,actor,actor_id,actor_kind,action,object,object_id,address,organization,before,after,id".split(
    ",",
  );
  const rows = events.map((event) => [
    event.at,
    event.actor.name,
    event.actor.id,
    event.actor.kind,
    event.action,
    event.target_name,
    event.target,
    event.address,
    event.organization,
    JSON.stringify(event.before),
    JSON.stringify(event.after),
    event.id,
  ]);
  return csvOf([heads, ...rows]);
}
