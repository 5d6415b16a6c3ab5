/**
 * What is to be said of a number: its title, its unit, and how it is counted.
 *
 * @module
 */

/** What a number counts. */
export type Unit = "count" | "bytes" | "address" | "fraction" | "word" | "factor" | "microseconds";

/** One field: that much of a counter's entry in a schema is shown. */
export interface FieldMethod {
  /** What it is called in text. */
  readonly title: string;
  /** What it counts. */
  readonly unit: Unit;
  /** How it is counted. */
  readonly how: string;
}

/** Fields that belong together. */
export interface FieldGroup {
  /** Key of the group. */
  id: string;
  /** Its heading. */
  title: string;
  /**
   * Which of its fields a path means, where that is not its last name.
   *
   * @param parts - names and indices of the path
   */
  nameOf?(parts: readonly string[]): string;
  /** Where its fields are in the JSON; `*` stands for an index or a name. */
  paths: readonly string[];
  /** Fields by name. */
  fields: Readonly<Record<string, FieldMethod>>;
}

/** A field that counts. */
export function count(title: string, how: string): FieldMethod {
  return { title, unit: "count", how };
}

/** A field in bytes. */
export function bytes(title: string, how: string): FieldMethod {
  return { title, unit: "bytes", how };
}
