// Finds operations by the words of a search: in their names, paths, permissions, fields and codes.

import { normalizedForSearch } from "../lib/text.js";
import { fieldsOf } from "./schema.js";

/**
 * @typedef {import("./description.js").Operation} Operation
 * @typedef {import("./description.js").Description} Description
 */

/**
 * A search over the operations of a description. `find(words)` returns those that contain every word; first those
 * with all words in the summary or the path.
 *
 * @param {Description} description
 */
export function searchOver({ operations, schemas, resources }) {
  const title = new Map(resources.map(({ name, title }) => [name, title]));
  const entries = operations.map((operation) => {
    const { id, method, path, summary, description, resource, permissions, parameters, body, failures } = operation;
    const names = [...parameters, ...fieldsOf(body?.schema, schemas)].map(({ name }) => name);
    const codes = failures.map(({ code }) => code);
    const all = [id, description, title.get(resource), ...permissions, ...names, ...codes];
    const head = normalizedForSearch(`${method} ${path} ${summary}`);
    return { operation, head, whole: `${head} ${normalizedForSearch(all.join(" "))}` };
  });
  return (/** @type {string} */ query) => {
    const words = normalizedForSearch(query).split(/\s+/).filter(Boolean);
    const holds = (/** @type {string} */ text) => words.every((word) => text.includes(word));
    const found = entries.filter(({ whole }) => holds(whole));
    const isNamed = (/** @type {{head: string}} */ { head }) => holds(head);
    return [...found.filter(isNamed), ...found.filter((entry) => !isNamed(entry))].map(({ operation }) => operation);
  };
}
