// What the person before the page may do with a key: which buttons they see. The server decides.

import { may, session } from "../state.js";

/** `teams`: the teams that the person sees, with `is_member`. */
export function rightsTo(key, teams) {
  const manages = may("keyhouse:keys:manage");
  const isOwn = key.owner === session.user.id;
  const mine = new Set(teams.filter((team) => team.is_member).map((team) => team.id));
  const isMate = key.teams.some((team) => team.access === "write" && mine.has(team.id));
  const lives = key.status !== "revoked";
  return {
    /** Name and description; switching off; revoking. */
    label: lives && (isOwn || manages || isMate),
    /** What it may do, from where, how often and how long; switching on; sharing. */
    change: lives && (isOwn || manages),
    /** A secret is shown to nobody who would act as somebody else with it. */
    rotate: lives && key.status !== "expired" && (key.kind === "service" ? manages : isOwn),
    isOwn,
  };
}

/** The teams that a key can newly be shared with. */
export function shareable(key, teams) {
  const has = new Set(key.teams.map((team) => team.id));
  return teams.filter((team) => !has.has(team.id) && (team.is_member || may("keyhouse:teams:manage")));
}
