// What a link fills in of a new key, such as `#/keys/new?name=Nightly&permissions=diagrams:read&expires=30d`.
//
// A link is somebody else's word. What people could type themselves is put into its field as it is, and
// judged with the rest when they create the key: an address rule with a slip in it must not be lost on the
// way. What can't be shown as a choice is left out and told, not guessed at.

const TOLD_CHARACTERS_MAX = 80;
const DAY_MS = 86_400_000;

/**
 * Reads a link's query. `kinds` are the kinds of key that the person may make, `teams` those they may
 * share with, `daysMax` is how long a key may last, or `null`. Returns `{values, strange}`: what fills
 * the form in, and what of the link means nothing, as texts such as `expires=soon`.
 */
export function prefill(query, { kinds, teams, daysMax }) {
  const values = { permissions: [], networks: [], shares: new Map() };
  const strange = [];
  const wrong = (name, value) => strange.push(cut(`${name}=${value}`));
  const text = (name) => (value) => (values[name] = value);
  const choice = (name, fits) => (value) => (fits(value) ? (values[name] = value) : wrong(name, value));
  const readers = {
    name: text("name"),
    description: text("description"),
    environment: text("environment"),
    kind: choice("kind", (value) => kinds.includes(value)),
    preset: choice("preset", (value) => ["read", "read-write", "role"].includes(value)),
    expires: choice("expires", (value) => isEnd(value, daysMax)),
    permissions: (value) => values.permissions.push(...itemsIn(value)),
    ip: (value) => values.networks.push(...itemsIn(value)),
    team: (value) => itemsIn(value).forEach((item) => share(item, teams, values.shares) || wrong("team", item)),
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

/** A team by its id or name, with `:write` behind it where it may do more than look; whether there is one. */
function share(item, teams, shares) {
  const [, named, access = "read"] = item.match(/^(.*?)(?::(read|write))?$/s);
  const team = teams.find(({ id, name }) => id === named || name.toLowerCase() === named.toLowerCase());
  if (team) shares.set(team.id, access);
  return team !== undefined;
}

const itemsIn = (text) => text.split(",").map((item) => item.trim()).filter((item) => item !== "");
const cut = (text) => (text.length > TOLD_CHARACTERS_MAX ? `${text.slice(0, TOLD_CHARACTERS_MAX)}…` : text);
