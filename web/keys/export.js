// Saves the keys of the current list as a CSV file, with all filters and in the same order.

import { all } from "../lib/api.js";
import { csvOf } from "../lib/csv.js";
import { announce } from "../lib/messages.js";
import { saveFile } from "../lib/save.js";
import { t } from "../lib/text.js";

/** A list with more keys is saved up to this one. */
const KEYS_MAX = 10_000;

/**
 * Columns: the name of the field in the API, and its text.
 *
 * @type {[string, (key: Api.Key) => string | null | undefined][]}
 */
const COLUMNS = [
  ["id", (key) => key.id],
  ["name", (key) => key.name],
  ["description", (key) => key.description],
  ["kind", (key) => key.kind],
  ["owner_name", (key) => key.owner_name],
  ["environment", (key) => key.environment],
  ["hint", (key) => key.hint],
  ["status", (key) => key.status],
  ["permissions", (key) => key.permissions?.join(" ")],
  ["teams", (key) => key.teams.map((team) => team.name).join(" | ")],
  ["created_at", (key) => key.created_at],
  ["last_used_at", (key) => key.last_used?.at],
  ["last_used_ip", (key) => key.last_used?.ip],
  ["expires_at", (key) => key.expires_at],
  ["revoked_at", (key) => key.revoked_at],
];

/**
 * @param {Page.QueryOf<"/v1/keys", "get">} query
 */
export async function exportKeys(query) {
  const listed = await all("/v1/keys", query, KEYS_MAX);
  // Keys that the user may not open have no fields to save.
  const keys = /** @type {Api.Key[]} */ (listed.filter((key) => "name" in key));
  const rows = keys.map((key) => COLUMNS.map(([, textOf]) => textOf(key)));
  saveFile("api-keys.csv", "text/csv", csvOf([COLUMNS.map(([name]) => name), ...rows]));
  const text = listed.length >= KEYS_MAX ? "keys.exported_first" : "keys.exported";
  announce(t(text, { count: keys.length }));
}
