// Which actions on a key the user can see. The server decides whether they are allowed.

import { may, session } from "../lib/state.js";

/**
 * `teams` are the teams that the user sees, with `is_member`.
 *
 * @param {Api.Key} key
 * @param {Api.Team[]} teams
 */
export function rightsTo(key, teams) {
  const manages = may("keyhouse:keys:manage");
  const isOwn = key.owner === session.user.id;
  const mine = new Set(teams.filter((team) => team.is_member).map((team) => team.id));
  const isMate = key.teams.some((team) => team.access === "write" && mine.has(team.id));
  const isChangeable = key.status !== "revoked";
  return {
    /** Change name and description, disable, revoke. */
    label: isChangeable && (isOwn || manages || isMate),
    /** Change permissions, IP restrictions, limits and expiry; enable; share. */
    change: isChangeable && (isOwn || manages),
    /** Only the owner can see a personal key's new secret, because it acts on the owner's behalf. */
    rotate: isChangeable && key.status !== "expired" && (key.kind === "service" ? manages : isOwn),
    isOwn,
  };
}

/**
 * The teams that a key is not shared with yet and can be.
 *
 * @param {Api.Key} key
 * @param {Api.Team[]} teams
 */
export function shareable(key, teams) {
  const has = new Set(key.teams.map((team) => team.id));
  return teams.filter((team) => !has.has(team.id) && (team.is_member || may("keyhouse:teams:manage")));
}
