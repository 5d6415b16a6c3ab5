/**
 * Reading vector cases: what is not of the format is refused by name.
 *
 * @module
 */

import { EINVAL, fail } from "@vmbind/drm";

/** A parsed JSON object. */
export type Json = Record<string, unknown>;

/** A member that is an object. */
export function object(json: Json, name: string): Json {
  const value = json[name];
  return isObject(value) ? value : fail(EINVAL, `${name}: expected an object`);
}

/** A member that is an array. */
export function list(json: Json, name: string): unknown[] {
  const value = json[name];
  return Array.isArray(value) ? value : fail(EINVAL, `${name}: expected an array`);
}

/** A member that is an array of objects. */
export function objects(json: Json, name: string): Json[] {
  return list(json, name).map((value, i) =>
    isObject(value) ? value : fail(EINVAL, `${name}[${i}]: expected an object`),
  );
}

/** A member that is a small integer. */
export function integer(json: Json, name: string): number {
  const value = json[name];
  return Number.isSafeInteger(value) ? (value as number) : fail(EINVAL, `${name}: expected an integer`);
}

function isObject(value: unknown): value is Json {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
