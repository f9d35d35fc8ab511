// What a link fills in of a new key, such as `#/keys/new?name=Nightly&permissions=diagrams:read&expires=30d`.
//
// A link is somebody else's word: what of it means nothing here is left out and told, not guessed at.

const NAME_CHARACTERS_MAX = 256;
const DESCRIPTION_CHARACTERS_MAX = 1000;
const TOLD_CHARACTERS_MAX = 80;
const DAY_MS = 86_400_000;

const PATTERN = /^(\*|([a-z0-9_-]+|\*)(:([a-z0-9_-]+|\*)){1,7})$/;
const ENVIRONMENT = /^[a-z][a-z0-9]{0,15}$/;
const NETWORK = /^(?=.*[.:])[0-9a-f.:]+(\/[0-9]{1,3})?$/i;

/**
 * Reads a link's query. `kinds` are the kinds of key that the person may make, `teams` those they may
 * share with, `daysMax` is how long a key may last, or `null`. Returns `{values, strange}`: what fills
 * the form in, and what of the link means nothing, as texts such as `expires=soon`.
 */
export function prefill(query, { kinds, teams, daysMax }) {
  const values = { permissions: [], networks: [], shares: new Map() };
  const strange = [];
  const wrong = (name, value) => strange.push(cut(`${name}=${value}`));
  const one = (name, fits, read = (value) => value) => (value) => {
    if (fits(value)) values[name] = read(value);
    else wrong(name, value);
  };
  const items = (name, take) => (text) => {
    for (const item of text.split(",").map((part) => part.trim()).filter((part) => part !== "")) {
      if (!take(item)) wrong(name, item);
    }
  };
  const isWithin = (max) => (value) => value.trim() !== "" && [...value].length <= max;
  const readers = {
    name: one("name", isWithin(NAME_CHARACTERS_MAX)),
    description: one("description", isWithin(DESCRIPTION_CHARACTERS_MAX)),
    environment: one("environment", (value) => ENVIRONMENT.test(value)),
    kind: one("kind", (value) => kinds.includes(value)),
    preset: one("preset", (value) => ["read", "read-write", "role"].includes(value)),
    expires: one("expires", (value) => isEnd(value, daysMax), (value) => value.replace(/^(\d+)d$/, "$1")),
    permissions: items("permissions", (item) => PATTERN.test(item) && values.permissions.push(item)),
    ip: items("ip", (item) => NETWORK.test(item) && values.networks.push(item)),
    team: items("team", (item) => share(item, teams, values.shares)),
  };
  for (const [name, value] of query) {
    if (Object.hasOwn(readers, name)) readers[name](value);
    else wrong(name, value);
  }
  return { values, strange };
}

/** Whether an end can be chosen: `30d`, `2027-01-31` or `never`. */
function isEnd(value, daysMax) {
  if (value === "never") return daysMax === null;
  const days = /^[1-9]\d{0,3}d$/.test(value) ? Number.parseInt(value, 10) : daysUntil(value);
  return days > 0 && (daysMax === null || days <= daysMax);
}

/** How many days from now on a date is; not a number where it is none. */
function daysUntil(value) {
  if (!/^\d{4}-\d{2}-\d{2}$/.test(value)) return Number.NaN;
  return Math.floor((new Date(`${value}T23:59:59`) - Date.now()) / DAY_MS) + 1;
}

/** A team by its id or name, with `:write` behind it where it may do more than look. */
function share(item, teams, shares) {
  const [, named, access = "read"] = item.match(/^(.*?)(?::(read|write))?$/s);
  const team = teams.find(({ id, name }) => id === named || name.toLowerCase() === named.toLowerCase());
  if (team) shares.set(team.id, access);
  return team !== undefined;
}

const cut = (text) => (text.length > TOLD_CHARACTERS_MAX ? `${text.slice(0, TOLD_CHARACTERS_MAX)}…` : text);
