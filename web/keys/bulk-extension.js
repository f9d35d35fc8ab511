// Extends the expiry of the selected keys of the list.

import { get, patch } from "../lib/api.js";
import { h } from "../lib/dom.js";
import { group, radios } from "../lib/form.js";
import { day, t } from "../lib/text.js";
import { lasting } from "../elements/expiry-choice.js";
import { isExtendable } from "./selection.js";

const DAY_MS = 86_400_000;
const DAYS = [30, 90, 365];
const PROPOSED = 90;

/**
 * @param {import("./selection.js").Row[]} _rows
 * @param {() => void} draw
 * @returns {import("./bulk.js").Change}
 */
export function extension(_rows, draw) {
  const choices = DAYS.map((days) => [String(days), lasting(days)]);
  const controls = group(
    "extension",
    t("bulk.extend_by"),
    h("div.segmented", {}, radios("extension", choices, String(PROPOSED), draw)),
  );
  controls.querySelector("input:checked").setAttribute("autofocus", "");
  const days = () => Number(controls.querySelector("input:checked").value);
  return {
    controls,
    lead: h("p", {}, t("bulk.extend_lead")),
    safe: true,
    fits: isExtendable,
    detail: ({ key }) => h("span", {}, " ", t("bulk.extend_until", { day: day(endOf(key, days())) })),
    send: async (row) => {
      const path = /** @type {const} */ (`/v1/keys/${row.key.id}`);
      try {
        return await patch(path, { expires_at: endOf(row.key, days()) }, row.key.version);
      } catch (problem) {
        // The next attempt extends the expiry that the key has now.
        if (problem.code === "version_conflict") row.changed(await get(path));
        throw problem;
      }
    },
  };
}

/**
 * The time a number of days after the key's expiry; after now if the key has expired.
 *
 * @param {Api.Key} key
 * @param {number} days
 */
function endOf({ expires_at }, days) {
  const from = Math.max(Date.parse(expires_at ?? ""), Date.now());
  return new Date(from + days * DAY_MS).toISOString();
}
