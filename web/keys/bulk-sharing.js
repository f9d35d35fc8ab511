// Shares the selected keys of the list with a team.

import { put } from "../lib/api.js";
import { h } from "../lib/dom.js";
import { field, select } from "../lib/form.js";
import { compareNames, t } from "../lib/text.js";
import { mayChange, sharingTeams } from "./selection.js";

/** From less to more. A key to which the team has this or more access is not changed. */
const ACCESSES = ["read", "write"];

/**
 * @param {import("./selection.js").Row[]} rows
 * @param {() => void} draw
 * @returns {import("./bulk.js").Change}
 */
export function sharing(rows, draw) {
  const teams = sharingTeams(rows).toSorted((one, other) => compareNames(one.name, other.name));
  const accesses = [
    [ACCESSES[0], t("bulk.share_read")],
    [ACCESSES[1], t("bulk.share_write")],
  ];
  const team = select(
    "team",
    teams.map(({ id, name }) => [id, name]),
    teams[0].id,
    { onchange: draw, autofocus: true },
  );
  const access = select("access", accesses, ACCESSES[0], { onchange: draw });
  return {
    controls: h("div.stack", {}, field(t("key.team"), team), field(t("key.team_access"), access)),
    lead: h("p", {}, t("bulk.share_lead")),
    nothing: t("bulk.share_nothing"),
    safe: true,
    fits: (row) => {
      const shared = row.key.teams.find(({ id }) => id === team.value);
      const has = shared ? ACCESSES.indexOf(shared.access) : -1;
      return mayChange(row) && has < ACCESSES.indexOf(access.value);
    },
    send: ({ key }) =>
      put(/** @type {const} */ (`/v1/keys/${key.id}/teams/${team.value}`), {
        access: /** @type {"read" | "write"} */ (access.value),
      }),
  };
}
