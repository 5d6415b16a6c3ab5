/**
 * Names in place of values: a strategy, a platform, a kind of memory; and names of options. TypeScript refuses a name that there is
 * not; a program in plain JavaScript, or one that reads names from a file, learns it here, and not from what the model does without
 * the name.
 *
 * @module
 */

/**
 * Refuse a name that is none of those that there are.
 *
 * @param what - what the name is for, e.g. `strategy`
 * @param name - what was given
 * @param names - those that there are
 * @throws RangeError `strategy: "spare" is none of sparse, repeat`
 */
export function needOneOf(what: string, name: unknown, names: readonly string[]): void {
  if (typeof name === "string" && names.includes(name)) return;
  const said = typeof name === "string" ? JSON.stringify(name) : String(name);
  throw new RangeError(`${what}: ${said} is none of ${names.join(", ")}`);
}

/**
 * Refuse options that there are not: one that is misspelled would stay at its default, and nobody would know.
 *
 * @param given - the options that were given
 * @param names - those that there are
 * @param where - what stands before their names, e.g. `parts.`; nothing unless told
 * @throws RangeError `vaBit: there is no such option, only vaBits, paBits`
 */
export function needKnown(given: object, names: readonly string[], where = ""): void {
  const unknown = Object.keys(given).find((name) => !names.includes(name));
  if (unknown === undefined) return;
  throw new RangeError(`${where}${unknown}: there is no such option, only ${names.join(", ")}`);
}
