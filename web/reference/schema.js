// Reads schemas of the API description: types, fields and bounds.

/**
 * @typedef {import("./description.js").Schema} Schema
 * @typedef {Record<string, Schema>} Schemas
 * @typedef {{name: string, required: boolean, description: string, schema: Schema}} Field
 */

/**
 * The schema without a reference. A description beside the reference stays.
 *
 * @param {Schema | undefined} schema
 * @param {Schemas} schemas
 * @returns {Schema}
 */
function resolved(schema, schemas) {
  if (!schema?.$ref) return schema ?? {};
  const named = resolved(schemas[schema.$ref.split("/").at(-1)], schemas);
  return schema.description ? { ...named, description: schema.description } : named;
}

/**
 * The type, as programmers write it: `string | null`, `object[]`.
 *
 * @param {Schema | undefined} given
 * @param {Schemas} schemas
 * @returns {string}
 */
export function typeOf(given, schemas) {
  const schema = resolved(given, schemas);
  const union = (/** @type {string[]} */ names) => [...new Set(names)].join(" | ");
  if (schema.anyOf) return union(schema.anyOf.map((/** @type {Schema} */ one) => typeOf(one, schemas)));
  if (schema.allOf) return "object";
  const named = (/** @type {string} */ type) => {
    if (type !== "array") return type;
    const item = typeOf(schema.items, schemas);
    return item.includes(" ") ? `(${item})[]` : `${item}[]`;
  };
  return union([schema.type ?? "any"].flat().map(named));
}

/**
 * The fields of an object, or of the objects in a list or a map; required ones first. A field that only some
 * alternatives have is not required.
 *
 * @param {Schema | undefined} given
 * @param {Schemas} schemas
 * @returns {Field[]}
 */
export function fieldsOf(given, schemas) {
  const schema = resolved(given, schemas);
  if (schema.allOf) return inOrder(schema.allOf.flatMap((/** @type {Schema} */ one) => fieldsOf(one, schemas)));
  if (schema.anyOf) return inOrder(merged(schema.anyOf.map((/** @type {Schema} */ one) => fieldsOf(one, schemas))));
  if (schema.items) return fieldsOf(schema.items, schemas);
  if (typeof schema.additionalProperties === "object") return fieldsOf(schema.additionalProperties, schemas);
  const fields = Object.entries(schema.properties ?? {}).map(([name, part]) => ({
    name,
    required: (schema.required ?? []).includes(name),
    description: resolved(part, schemas).description ?? "",
    schema: part,
  }));
  return inOrder(fields);
}

const inOrder = (/** @type {Field[]} */ fields) =>
  fields.toSorted((one, other) => Number(other.required) - Number(one.required));

/** @param {Field[][]} alternatives */
function merged(alternatives) {
  const objects = alternatives.filter((fields) => fields.length > 0);
  const byName = new Map(objects.flat().map((field) => [field.name, field]));
  const isAlways = (/** @type {string} */ name) =>
    objects.every((fields) => fields.some((field) => field.name === name && field.required));
  return [...byName.values()].map((field) => ({ ...field, required: isAlways(field.name) }));
}

/**
 * The bounds of a value: `{values, format, pattern, minimum, maximum, lengthMax, itemsMax}`, each if there is one.
 *
 * @param {Schema | undefined} given
 * @param {Schemas} schemas
 */
export function boundsOf(given, schemas) {
  const schema = resolved(given, schemas);
  /** @type {Schema[]} */
  const parts = (schema.anyOf ?? [schema]).map((/** @type {Schema} */ one) => resolved(one, schemas));
  const values = parts.flatMap((part) => part.enum ?? part.items?.enum ?? []).filter((value) => value !== null);
  const { format, pattern, minimum, maximum, maxLength, maxItems } = parts.find(({ type }) => type !== "null") ?? {};
  return { values, format, pattern, minimum, maximum, lengthMax: maxLength, itemsMax: maxItems };
}

/**
 * An example of a value, as a text; empty if there is none.
 *
 * @param {Schema | undefined} given
 * @param {Schemas} schemas
 * @returns {string}
 */
export function exampleOf(given, schemas) {
  const schema = resolved(given, schemas);
  const value = schema.examples?.[0] ?? schema.enum?.[0];
  if (value !== undefined && value !== null) return typeof value === "object" ? JSON.stringify(value) : String(value);
  return schema.anyOf ? exampleOf(schema.anyOf[0], schemas) : "";
}
