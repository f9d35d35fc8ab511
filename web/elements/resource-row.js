// The row of one resource in the list of permissions: none, read, read and write, all, or single actions.

import { freshId, h } from "../lib/dom.js";
import { radios } from "../lib/form.js";
import { actionWord } from "../lib/permission-words.js";
import { currentLanguage, normalizedForSearch, t } from "../lib/text.js";

/**
 * What the levels of a row are called; other levels are single actions.
 *
 * @type {Record<string, string>}
 */
const LEVELS = {
  none: "matrix.level_none",
  read: "matrix.level_read",
  write: "matrix.level_write",
  read_write: "matrix.level_read_write",
  all: "matrix.level_all",
  custom: "matrix.level_custom",
};

/**
 * A control with one choice for each level, labelled by the element `labelledBy`.
 *
 * @param {string[]} levels
 * @param {string} labelledBy
 * @param {() => void} onchange
 */
export function levelControl(levels, labelledBy, onchange) {
  const choices = levels.map((level) => [level, Object.hasOwn(LEVELS, level) ? t(LEVELS[level]) : actionWord(level)]);
  const boxes = radios(freshId("level"), choices, "", onchange);
  const inputs = boxes.map((box) => box.querySelector("input"));
  const element = h("div.segmented", { role: "radiogroup", "aria-labelledby": labelledBy }, boxes);
  const level = () => inputs.find((input) => input.checked)?.value ?? "none";
  const set = (/** @type {string | undefined} */ wanted) => {
    for (const input of inputs) input.checked = input.value === wanted;
  };
  /** Hides or shows the choice of a level. */
  const offer = (/** @type {string} */ wanted, /** @type {boolean} */ is) =>
    (boxes[levels.indexOf(wanted)].hidden = !is);
  return { element, level, set, offer };
}

/**
 * The row of a resource. With `hasWildcard`, the level `all` is the pattern `resource:*`. `take(patterns)` removes the
 * permissions of the resource from a set and shows them; `nearest(level)` is the level of this row that is closest to
 * a level of another row.
 *
 * @param {Page.Resource} resource
 * @param {boolean} hasWildcard
 * @param {() => void} onchange
 */
export function resourceRow({ resource, group, entries }, hasWildcard, onchange) {
  const id = freshId("resource");
  const actions = entries.map(({ name }) => name.slice(resource.length + 1));
  const texts = entries.map(({ description }) => description[currentLanguage()] || description.en);
  const levels = levelsOf(actions, hasWildcard);
  const names = [...levels.keys(), "custom"];
  const control = levelControl(names, id, () => follow());
  const boxes = entries.map(({ name }, at) => tick(name, actions[at], texts[at], onchange));
  const ticks = h(
    "div.ticks",
    { role: "group", "aria-labelledby": id },
    boxes.map((one) => one.element),
  );
  const actionsOf = (/** @type {string} */ level) => levels.get(level) ?? [];
  const check = (/** @type {string[]} */ wanted) =>
    boxes.forEach(({ box }, at) => (box.checked = wanted.includes(actions[at]) || wanted.includes("*")));
  /** The level before the last change. */
  let before = "none";
  const follow = () => {
    // Single actions begin with those of the previous level.
    if (control.level() === "custom" && before !== "custom") check(actionsOf(before));
    set(control.level());
    onchange();
  };
  const set = (/** @type {string} */ level) => {
    control.set(level);
    before = level;
    ticks.hidden = level !== "custom";
  };
  const isLevel = (/** @type {string} */ action) => ["read", "write"].includes(action) || levels.has(action);
  control.offer("custom", !actions.every(isLevel));
  const take = (/** @type {Set<string>} */ patterns) => {
    const isWhole = hasWildcard && patterns.delete(`${resource}:*`);
    const held = actions.filter((action) => patterns.delete(`${resource}:${action}`));
    const isEqual = (/** @type {string[]} */ of) => of.length === held.length && of.every((one) => held.includes(one));
    const level = isWhole ? "all" : [...levels].find(([, of]) => isEqual(of))?.[0];
    if (level === undefined) control.offer("custom", true);
    check(held);
    set(level ?? "custom");
  };
  const nearest = (/** @type {string} */ level) => {
    const options = { read_write: ["read_write", "write", "read"], all: ["all", ...actions] }[level] ?? [level];
    return options.find((one) => levels.has(one)) ?? "none";
  };
  const chosen = () => {
    const level = control.level();
    const held = level === "custom" ? actions.filter((_, at) => boxes[at].box.checked) : actionsOf(level);
    return held.map((action) => `${resource}:${action}`);
  };
  const about = [...new Set(texts.filter((text) => text))].join(" · ");
  const element = h(
    "div.resource",
    {},
    h(
      "div.resource-name",
      {},
      h("code", { id }, resource),
      about ? h("p.hint.line", { title: about, dir: "auto" }, about) : null,
    ),
    control.element,
    ticks,
  );
  set("none");
  const text = normalizedForSearch([resource, group, ...entries.map(({ name }) => name), ...texts].join(" "));
  return { element, text, chosen, take, nearest, set, level: control.level, isChosen: () => chosen().length > 0 };
}

/**
 * The levels of a resource, each with its actions.
 *
 * @param {string[]} actions
 * @param {boolean} hasWildcard
 * @returns {Map<string, string[]>}
 */
function levelsOf(actions, hasWildcard) {
  /** @type {Map<string, string[]>} */
  const levels = new Map([["none", []]]);
  const [reads, writes] = [actions.includes("read"), actions.includes("write")];
  if (reads) levels.set("read", ["read"]);
  if (writes) levels.set(reads ? "read_write" : "write", reads ? ["read", "write"] : ["write"]);
  // An action may have the name of a level.
  if (actions.length === 1 && !Object.hasOwn(LEVELS, actions[0])) levels.set(actions[0], actions);
  if (hasWildcard) levels.set("all", ["*"]);
  else if (actions.length > 1) levels.set("all", actions);
  return levels;
}

/**
 * @param {string} name
 * @param {string} label
 * @param {string} about
 * @param {() => void} onchange
 */
function tick(name, label, about, onchange) {
  const box = h("input", { type: "checkbox", id: freshId("may"), "aria-label": name, title: about, onchange });
  const element = h("label.tick", { for: box.id }, box, h("span", {}, label), about ? h("span.hint", {}, about) : null);
  return { box, element };
}
