// Builds nodes. The only file that makes elements; text goes in as text, never as markup.

const SVG = "http://www.w3.org/2000/svg";

/**
 * An element. `tag` may carry classes: `h("button.primary", {type: "button", onclick}, t("save"))`.
 *
 * Properties that are functions are listeners (`onclick`); `true` is an attribute without a value;
 * `null`, `undefined` and `false` are left out; `value`, `checked`, `selected` and `indeterminate`
 * are set as properties. Children are nodes, texts, numbers, or lists of those; `null` and `false`
 * are left out.
 */
export function h(tag, properties, ...children) {
  const [name, ...classes] = tag.split(".");
  return dress(document.createElement(name), classes, properties, children);
}

/** The same for a part of a drawing. */
export function svg(tag, properties, ...children) {
  const [name, ...classes] = tag.split(".");
  return dress(document.createElementNS(SVG, name), classes, properties, children);
}

/** Puts these in the place of all that an element holds. */
export function fill(element, ...children) {
  element.replaceChildren(...nodesOf(children));
  return element;
}

/** An id that no other element of this document has. */
export function freshId(word) {
  return `${word}-${++idsGiven}`;
}
let idsGiven = 0;

const AS_PROPERTY = new Set(["value", "checked", "selected", "indeterminate"]);

function dress(element, classes, properties, children) {
  if (classes.length > 0) element.classList.add(...classes);
  for (const [name, value] of Object.entries(properties ?? {})) {
    if (value === null || value === undefined || value === false) continue;
    if (typeof value === "function") element.addEventListener(name.slice(2), value);
    else if (AS_PROPERTY.has(name)) continue;
    else element.setAttribute(name, value === true ? "" : String(value));
  }
  element.append(...nodesOf(children));
  // After the children: a select knows its value only once it has its options.
  for (const name of AS_PROPERTY) {
    const value = properties?.[name];
    if (value !== null && value !== undefined) element[name] = value;
  }
  return element;
}

function nodesOf(children) {
  return children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false);
}
