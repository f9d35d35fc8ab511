// Parameters and fields as rows: name, type, description, bounds. The fields of a field unfold on demand, so that a
// schema that contains itself has an end.

import { freshId, h } from "../lib/dom.js";
import { number, t } from "../lib/text.js";
import { english } from "./parts.js";
import { boundsOf, fieldsOf, typeOf } from "./schema.js";

/**
 * @typedef {import("./schema.js").Field} Field
 * @typedef {import("./schema.js").Schemas} Schemas
 */

/** A longer pattern, or one about control characters, is for programs. */
const PATTERN_CHARACTERS_MAX = 40;
/** Of more values, only these are shown. */
const VALUES_MAX = 16;

/**
 * Rows of parameters or fields. `marks` is whether required ones are marked: in a response, nothing is required.
 *
 * @param {Field[]} fields
 * @param {Schemas} schemas
 * @param {{marks: boolean}} options
 * @returns {HTMLElement}
 */
export function fieldRows(fields, schemas, { marks }) {
  return h(
    "ul.fields-list",
    {},
    fields.map((field) => h("li", {}, row(field, schemas, marks))),
  );
}

/**
 * @param {Field} field
 * @param {Schemas} schemas
 * @param {boolean} marks
 * @returns {Page.Child[]}
 */
function row({ name, required, description, schema }, schemas, marks) {
  const inner = fieldsOf(schema, schemas);
  return [
    h(
      "p.field-head",
      {},
      h("code.field-name", {}, name),
      h("span.soft", { lang: "en" }, typeOf(schema, schemas)),
      marks && required ? h("span.badge.warn", {}, t("reference.required")) : null,
    ),
    description ? h("p", {}, english(description)) : null,
    bounds(schema, schemas),
    inner.length > 0 ? unfolding(name, () => fieldRows(inner, schemas, { marks })) : null,
  ];
}

/**
 * A part that is drawn when it is opened.
 *
 * @param {string} name
 * @param {() => Node} draw
 */
function unfolding(name, draw) {
  const place = h("div.inner-fields", {});
  const ontoggle = () => {
    if (!place.hasChildNodes()) place.append(draw());
  };
  const id = freshId("fields");
  return h("details", { ontoggle }, h("summary.small", { id }, t("reference.fields_of", { name })), place);
}

/**
 * @param {import("./description.js").Schema} schema
 * @param {Schemas} schemas
 */
function bounds(schema, schemas) {
  const { values, format, pattern, minimum, maximum, lengthMax, itemsMax } = boundsOf(schema, schemas);
  const code = (/** @type {unknown} */ value) => h("code", {}, String(value));
  const listed = values.slice(0, VALUES_MAX).map((value, at) => [at > 0 ? ", " : null, code(value)]);
  const range = () => {
    if (maximum === undefined) return minimum ? t("reference.at_least", { count: minimum }) : null;
    return t("reference.range", { minimum: number(minimum ?? 0), maximum: number(maximum) });
  };
  const facts = [
    values.length > 0 ? [t("reference.values"), " ", listed, values.length > VALUES_MAX ? ", …" : null] : null,
    format && format !== "int64" ? [t("reference.format"), " ", code(format)] : null,
    range(),
    lengthMax === undefined ? null : t("reference.length_max", { count: lengthMax }),
    itemsMax === undefined ? null : t("reference.items_max", { count: itemsMax }),
    pattern && pattern.length <= PATTERN_CHARACTERS_MAX && !pattern.includes("\\x")
      ? [t("reference.pattern"), " ", code(pattern)]
      : null,
  ].filter((fact) => fact !== null);
  if (facts.length === 0) return null;
  return h(
    "p.small.soft",
    {},
    facts.map((fact, at) => [at > 0 ? " · " : null, fact]),
  );
}
