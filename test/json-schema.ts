/** As much of JSON Schema as the schemas of this repository use; a keyword that is not known here is an error. */

type Schema = Readonly<Record<string, unknown>>;

const ANNOTATIONS = new Set(["$schema", "title", "description", "$defs"]);

/** Whether a value keeps a schema; `root` is the document that `$ref`s are looked up in. */
export function keeps(value: unknown, schema: Schema, root: Schema = schema): boolean {
  return (
    Object.entries(schema).every(
      ([keyword, rule]) =>
        ANNOTATIONS.has(keyword) || keyword === "required" || check(value, keyword, rule, schema, root),
    ) && hasRequired(value, schema["required"])
  );
}

function hasRequired(value: unknown, required: unknown): boolean {
  if (required === undefined || !isObject(value)) return true;
  return (required as string[]).every((key) => Object.hasOwn(value, key));
}

function check(value: unknown, keyword: string, rule: unknown, schema: Schema, root: Schema): boolean {
  switch (keyword) {
    case "type":
      return isOfType(value, rule as string);
    case "const":
      return value === rule;
    case "enum":
      return (rule as unknown[]).includes(value);
    case "minimum":
      return typeof value !== "number" || value >= (rule as number);
    case "maximum":
      return typeof value !== "number" || value <= (rule as number);
    case "pattern":
      return typeof value !== "string" || new RegExp(rule as string).test(value);
    case "maxItems":
      return !Array.isArray(value) || value.length <= (rule as number);
    case "items":
      return !Array.isArray(value) || value.every((item) => keeps(item, rule as Schema, root));
    case "properties":
      return (
        !isObject(value) ||
        Object.entries(rule as Record<string, Schema>).every(
          ([key, of]) => !Object.hasOwn(value, key) || keeps(value[key], of, root),
        )
      );
    case "additionalProperties":
      return (
        !isObject(value) ||
        Object.keys(value).every((key) => Object.hasOwn(schema["properties"] as object, key))
      );
    case "anyOf":
      return (rule as Schema[]).some((of) => keeps(value, of, root));
    case "not":
      return !keeps(value, rule as Schema, root);
    case "oneOf":
      return (rule as Schema[]).filter((of) => keeps(value, of, root)).length === 1;
    case "$ref":
      return keeps(value, definition(rule as string, root), root);
    default:
      throw new Error(`schema keyword ${keyword} is not known`);
  }
}

function definition(ref: string, root: Schema): Schema {
  const found = (root["$defs"] as Record<string, Schema>)[ref.replace("#/$defs/", "")];
  if (!found) throw new Error(`${ref}: no such definition`);
  return found;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function isOfType(value: unknown, type: string): boolean {
  if (type === "object") return isObject(value);
  if (type === "array") return Array.isArray(value);
  if (type === "null") return value === null;
  if (type === "integer") return Number.isInteger(value);
  return typeof value === type;
}
