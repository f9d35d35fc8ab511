// Reads a link that fills in the form of a new key, such as
// `#/keys/new?name=Nightly&permissions=diagrams:read&expires=30d`.
//
// Links are untrusted. Text goes into its field unchanged and is validated when the key is saved, so that a
// mistyped IP restriction is reported and not dropped. A value that no choice offers is ignored and listed.

const SHOWN_CHARACTERS_MAX = 80;
const PRESETS = ["none", "read", "read-write", "deploy", "role"];
const DAY_MS = 86_400_000;

/** @typedef {"name" | "description" | "environment" | "kind" | "preset" | "expires"} TextField */
/**
 * @typedef {{permissions: string[], networks: string[], denied: string[], shares: Map<string, string>}
 *   & Partial<Record<TextField, string>>} Prefilled
 */

/**
 * Reads a link's query. `kinds` are the kinds of key that the user may create, `teams` the teams they may share
 * with, `daysMax` the longest lifetime of a key or `null`. Returns `{values, ignored}`: the values of the form, and
 * the ignored parts of the link as texts such as `expires=soon`.
 *
 * @param {Iterable<[string, string]>} query
 * @param {{kinds: string[], teams: {id: string, name: string}[], daysMax: number | null}} offered
 */
export function prefill(query, { kinds, teams, daysMax }) {
  /** @type {Prefilled} */
  const values = { permissions: [], networks: [], denied: [], shares: new Map() };
  /** @type {string[]} */
  const ignored = [];
  const wrong = (/** @type {string} */ name, /** @type {string} */ value) => ignored.push(cut(`${name}=${value}`));
  /**
   * @param {TextField} name
   * @returns {(value: string) => unknown}
   */
  const text = (name) => (value) => (values[name] = value);
  /**
   * @param {TextField} name
   * @param {(value: string) => boolean} fits
   * @returns {(value: string) => unknown}
   */
  const choice = (name, fits) => (value) => (fits(value) ? (values[name] = value) : wrong(name, value));
  /** @type {Record<string, (value: string) => unknown>} */
  const readers = {
    name: text("name"),
    description: text("description"),
    environment: text("environment"),
    kind: choice("kind", (value) => kinds.includes(value)),
    preset: choice("preset", (value) => PRESETS.includes(value)),
    expires: choice("expires", (value) => isEnd(value, daysMax)),
    permissions: (value) => values.permissions.push(...itemsIn(value)),
    ip: (value) => values.networks.push(...itemsIn(value)),
    deny: (value) => values.denied.push(...itemsIn(value)),
    team: (value) => itemsIn(value).forEach((item) => share(item, teams, values.shares) || wrong("team", item)),
  };
  for (const [name, value] of query) {
    if (Object.hasOwn(readers, name)) readers[name](value);
    else wrong(name, value);
  }
  return { values, ignored };
}

/**
 * The query of a link that fills in the form with these values: the inverse of `prefill`.
 *
 * @param {Prefilled} values
 */
export function linkQuery({ permissions, networks, denied, shares, ...texts }) {
  const team = [...shares].map(([id, access]) => `${id}:${access}`);
  const lists = { permissions, ip: networks, deny: denied, team };
  const query = new URLSearchParams(Object.entries(texts).filter(([, text]) => text));
  for (const [name, items] of Object.entries(lists)) if (items.length > 0) query.set(name, items.join(","));
  return query.toString();
}

/**
 * Whether the form offers an expiry: `30d`, `2027-01-31` or `never`.
 *
 * @param {string} value
 * @param {number | null} daysMax
 */
function isEnd(value, daysMax) {
  if (value === "never") return daysMax === null;
  const days = /^[1-9]\d{0,3}d$/.test(value) ? Number.parseInt(value, 10) : daysUntil(value);
  return days > 0 && (daysMax === null || days <= daysMax);
}

/**
 * The number of days until a date; `NaN` if it is not a date.
 *
 * @param {string} value
 */
function daysUntil(value) {
  if (!/^\d{4}-\d{2}-\d{2}$/.test(value)) return Number.NaN;
  return Math.floor((new Date(`${value}T23:59:59`).getTime() - Date.now()) / DAY_MS) + 1;
}

/**
 * Adds a team, given by id or name with an optional `:read` or `:write`. Returns whether the team exists.
 *
 * @param {string} item
 * @param {{id: string, name: string}[]} teams
 * @param {Map<string, string>} shares
 */
function share(item, teams, shares) {
  const [, named, access = "read"] = /** @type {string[]} */ (item.match(/^(.*?)(?::(read|write))?$/s));
  const team = teams.find(({ id, name }) => id === named || name.toLowerCase() === named.toLowerCase());
  if (team) shares.set(team.id, access);
  return team !== undefined;
}

/** @param {string} text */
const itemsIn = (text) =>
  text
    .split(",")
    .map((item) => item.trim())
    .filter((item) => item !== "");
/** @param {string} text */
const cut = (text) => (text.length > SHOWN_CHARACTERS_MAX ? `${text.slice(0, SHOWN_CHARACTERS_MAX)}…` : text);
