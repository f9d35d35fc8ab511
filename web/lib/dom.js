// Creates DOM nodes. No other file creates elements. Text is inserted as text, never as markup.

const SVG = "http://www.w3.org/2000/svg";

/**
 * Creates an element. `tag` may have classes: `h("button.primary", {type: "button", onclick}, t("actions.save"))`.
 *
 * Functions become listeners (`onclick`). `true` becomes an attribute without a value. `null`, `undefined` and
 * `false` are omitted. `value`, `checked`, `selected` and `indeterminate` are set as properties.
 * Children are nodes, texts, numbers, or lists of those; `null` and `false` are omitted.
 *
 * @template {string} Tag
 * @param {Tag} tag
 * @param {Page.Properties} properties
 * @param {...Page.Child} children
 * @returns {Page.ElementOf<Tag>}
 */
export function h(tag, properties, ...children) {
  const [name, ...classes] = tag.split(".");
  return dress(document.createElement(name), classes, properties, children);
}

/**
 * Creates an SVG element, with the same arguments as `h`.
 *
 * @param {string} tag
 * @param {Page.Properties} properties
 * @param {...Page.Child} children
 * @returns {SVGElement}
 */
export function svg(tag, properties, ...children) {
  const [name, ...classes] = tag.split(".");
  return dress(document.createElementNS(SVG, name), classes, properties, children);
}

/**
 * Replaces the children of an element with any children that `h` takes.
 *
 * @template {Element} T
 * @param {T} element
 * @param {...Page.Child} children
 */
export function replaceChildren(element, ...children) {
  element.replaceChildren(...nodesOf(children));
  return element;
}

/**
 * An id that is unique in this document.
 *
 * @param {string} word
 */
export function freshId(word) {
  return `${word}-${++idsGiven}`;
}
let idsGiven = 0;

const AS_PROPERTY = new Set(["value", "checked", "selected", "indeterminate"]);

/**
 * @param {Element} element
 * @param {string[]} classes
 * @param {Page.Properties} properties
 * @param {Page.Child[]} children
 * @returns {any}
 */
function dress(element, classes, properties, children) {
  if (classes.length > 0) element.classList.add(...classes);
  for (const [name, value] of Object.entries(properties ?? {})) {
    if (value === null || value === undefined || value === false) continue;
    if (typeof value === "function") element.addEventListener(name.slice(2), /** @type {EventListener} */ (value));
    else if (AS_PROPERTY.has(name)) continue;
    else element.setAttribute(name, value === true ? "" : String(value));
  }
  element.append(...nodesOf(children));
  // Set after the children: a select has a value only after its options exist.
  for (const name of AS_PROPERTY) {
    const value = properties?.[name];
    if (value !== null && value !== undefined) Object.assign(element, { [name]: value });
  }
  return element;
}

/**
 * @param {Page.Child[]} children
 * @returns {(Node | string)[]}
 */
function nodesOf(children) {
  const flat = /** @type {any[]} */ (children).flat(Infinity);
  return flat.filter((child) => child !== null && child !== undefined && child !== false);
}
