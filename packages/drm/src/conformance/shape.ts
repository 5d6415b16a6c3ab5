/**
 * Closed shapes of JSON: what a vector format allows, down to the last member.
 *
 * A verdict is worth what the check really looked at. An expectation that a file lacks would pass whatever the model does, and a
 * misspelt one would never be compared; so every object of a format is closed: the members that it must have, those that it
 * may have, and no others. A shape looks at a value and says nothing, or says where and which rule is broken; the place
 * is put together on the way back up only, so that a value that is right costs no string.
 *
 * @module
 */

import { EINVAL, fail } from "../errno.ts";
import { isU64 } from "./u64.ts";

/** Where a value is not of its shape, and the rule. */
export interface Fault {
  /** Place below the value: `.ops[3].va`, or empty for the value itself. */
  at: string;
  /** The rule. */
  rule: string;
}

/** Looks at a value; null when it is of the shape. */
export type Shape = (value: unknown) => Fault | null;

/** A shape of a member that may be left out. */
export interface OptionalShape {
  /** What it is where it is there. */
  optional: Shape;
}

/** The members of an object. */
export type Members = Readonly<Record<string, Shape | OptionalShape>>;

/** A JSON object. */
export type JsonObject = Readonly<Record<string, unknown>>;

/** Longest piece of a value in a message, UTF-16 units. */
const SHOWN_MAX = 40;

function wrong(expected: string, value: unknown): Fault {
  return { at: "", rule: `expected ${expected}, got ${inWords(value)}` };
}

/** A value without walking into it: it may be nested as deep as its file likes. */
function inWords(value: unknown): string {
  if (value === undefined) return "nothing";
  if (Array.isArray(value)) return `a list of ${value.length}`;
  if (typeof value === "object" && value !== null) return "an object";
  const text = JSON.stringify(value);
  return text.length > SHOWN_MAX ? `${text.slice(0, SHOWN_MAX)}...` : text;
}

function isObject(value: unknown): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function below(step: string, fault: Fault): Fault {
  return { at: step + fault.at, rule: fault.rule };
}

/**
 * @param shape - of the member
 * @returns the shape of a member that may be left out
 */
export function optional(shape: Shape): OptionalShape {
  return { optional: shape };
}

/**
 * @param members - all that the object may have
 * @param rule - looks at an object whose members are right, for what holds between them
 * @returns the shape of an object with these members and no others
 */
export function object(members: Members, rule: (value: JsonObject) => Fault | null = () => null): Shape {
  const listed = Object.entries(members).map(([name, shape], index) =>
    typeof shape === "function"
      ? { name, index, shape, needed: true }
      : { name, index, shape: shape.optional, needed: false },
  );
  const byName = new Map(listed.map((member) => [member.name, member]));
  const needed = listed.filter((member) => member.needed);
  return (value) => {
    if (!isObject(value)) return wrong("an object", value);
    let met = 0;
    let next = 0;
    let fault: Fault | null = null;
    // What JSON.parse made has no other members than its own. Files name them in the order of their format.
    for (const name in value) {
      const member = listed[next]?.name === name ? listed[next] : byName.get(name);
      if (member === undefined) {
        fault ??= unknownMember(name);
        continue;
      }
      next = member.index + 1;
      if (member.needed) met++;
      if (fault !== null) continue;
      const inside = member.shape(value[name]);
      if (inside !== null) fault = below(`.${name}`, inside);
    }
    if (met < needed.length) {
      const missing = needed.find(({ name }) => !Object.hasOwn(value, name));
      if (missing !== undefined) return { at: `.${missing.name}`, rule: "is missing" };
    }
    return fault ?? rule(value);
  };
}

function unknownMember(name: string): Fault {
  return { at: `.${name.slice(0, SHOWN_MAX)}`, rule: "is no member of the format" };
}

/**
 * @param key - the member that says which of the shapes an object has
 * @param shapes - by its values
 * @returns the shape of an object that is one of several kinds
 */
export function variants(key: string, shapes: Readonly<Record<string, Shape>>): Shape {
  const known = new Map(Object.entries(shapes));
  const names = [...known.keys()].join(", ");
  return (value) => {
    if (!isObject(value)) return wrong("an object", value);
    const kind = Object.hasOwn(value, key) ? value[key] : undefined;
    const shape = typeof kind === "string" ? known.get(kind) : undefined;
    return shape === undefined ? below(`.${key}`, wrong(`one of ${names}`, kind)) : shape(value);
  };
}

/**
 * @param name - what the names of the members must be
 * @param shape - of each member
 * @returns the shape of an object whose members are named by what it lists: ids, levels
 */
export function table(name: RegExp, shape: Shape): Shape {
  return (value) => {
    if (!isObject(value)) return wrong("an object", value);
    for (const key of Object.keys(value)) {
      const fault = name.test(key) ? shape(value[key]) : { at: "", rule: "is no member of the format" };
      if (fault) return below(`.${key.slice(0, SHOWN_MAX)}`, fault);
    }
    return null;
  };
}

/**
 * @param shape - of each element
 * @param most - elements at most
 * @returns the shape of a list
 */
export function list(shape: Shape, most: number = Number.POSITIVE_INFINITY): Shape {
  return (value) => {
    if (!Array.isArray(value)) return wrong("a list", value);
    if (value.length > most) return { at: "", rule: `has more than ${most} elements` };
    for (let i = 0; i < value.length; i++) {
      const fault = shape(value[i]);
      if (fault) return below(`[${i}]`, fault);
    }
    return null;
  };
}

/**
 * @param shapes - of the elements, one each
 * @returns the shape of a list of exactly these elements
 */
export function tuple(...shapes: readonly Shape[]): Shape {
  return (value) => {
    if (!Array.isArray(value)) return wrong("a list", value);
    if (value.length !== shapes.length) return wrong(`a list of ${shapes.length}`, value);
    for (let i = 0; i < shapes.length; i++) {
      const fault = (shapes[i] as Shape)(value[i]);
      if (fault) return below(`[${i}]`, fault);
    }
    return null;
  };
}

/**
 * @param shapes - by the number of elements
 * @returns the shape of a list that may have several lengths, each with its own elements
 */
export function tuples(...shapes: readonly (readonly Shape[])[]): Shape {
  const byLength = new Map(shapes.map((elements) => [elements.length, tuple(...elements)]));
  const lengths = [...byLength.keys()].join(" or ");
  return (value) => {
    if (!Array.isArray(value)) return wrong("a list", value);
    return (
      byLength.get(value.length)?.(value) ??
      (byLength.has(value.length) ? null : wrong(`a list of ${lengths}`, value))
    );
  };
}

/**
 * @param listed - the shape of a value that is a list
 * @param other - of every other value
 * @returns the shape of a value that may be written in two ways
 */
export function listOr(listed: Shape, other: Shape): Shape {
  return (value) => (Array.isArray(value) ? listed(value) : other(value));
}

/**
 * @param shape - of a value that is there
 * @returns the shape of a value or null
 */
export function nullable(shape: Shape): Shape {
  return (value) => (value === null ? null : shape(value));
}

/**
 * @param values - strings, numbers or truth values
 * @returns the shape of a value that is one of them
 */
export function oneOf(...values: readonly (string | number | boolean)[]): Shape {
  const known = new Set<unknown>(values);
  const names = values.map((value) => JSON.stringify(value)).join(", ");
  return (value) => (known.has(value) ? null : wrong(values.length === 1 ? names : `one of ${names}`, value));
}

/**
 * @param least - smallest
 * @param most - largest
 * @returns the shape of an integer
 */
export function integer(
  least: number = Number.MIN_SAFE_INTEGER,
  most: number = Number.MAX_SAFE_INTEGER,
): Shape {
  const expected =
    most === Number.MAX_SAFE_INTEGER
      ? least === Number.MIN_SAFE_INTEGER
        ? "an integer"
        : `an integer from ${least}`
      : `an integer from ${least} to ${most}`;
  return (value) =>
    Number.isSafeInteger(value) &&
    (value as number) >= least &&
    (value as number) <= most &&
    !Object.is(value, -0)
      ? null
      : wrong(expected, value);
}

/** A u32. */
export const u32: Shape = integer(0, 2 ** 32 - 1);

/** A number of things. */
export const count: Shape = integer(0);

/** What a call returns: 0 or a negative errno. */
export const errno: Shape = integer(-4095, 0);

/** A truth value. */
export const truth: Shape = (value) => (typeof value === "boolean" ? null : wrong("true or false", value));

/** A string for people. */
export const text: Shape = (value) => (typeof value === "string" ? null : wrong("a string", value));

/** @returns the shape of a string of a form; `expected` says which */
export function matching(form: RegExp, expected: string): Shape {
  return (value) => (typeof value === "string" && form.test(value) ? null : wrong(expected, value));
}

/** A u64: lower-case hex with 0x. */
export const u64: Shape = (value) => (isU64(value) ? null : wrong("a u64 in hex", value));

/** A u64 with a sign in front of it where it is negative. */
export const signedU64: Shape = matching(/^-?0x[0-9a-f]{1,16}$/, "a u64 in hex, with or without a sign");

/** An entry of a page table: 16 digits, zeros in front. */
export const entry64: Shape = matching(/^0x[0-9a-f]{16}$/, "an entry in 16 digits of hex");

/** Bytes: two digits of lower-case hex each. */
export const bytes: Shape = matching(/^(?:[0-9a-f]{2})*$/, "bytes in hex");

/**
 * What is wrong with a case. One of any format may have a `note` beside what its shape says: a remark for people.
 *
 * @param shape - of the format
 * @param testCase - what the line holds
 * @returns place and rule, null when the case is of the format
 */
export function caseFault(shape: Shape, testCase: JsonObject): Fault | null {
  if (!Object.hasOwn(testCase, "note")) return shape(testCase);
  const { note, ...rest } = testCase;
  const remark = text(note);
  return remark === null ? shape(rest) : below(".note", remark);
}

/**
 * Hold a case against its format's shape, see {@link caseFault}.
 *
 * @param shape - of the format
 * @param testCase - what the line holds
 * @throws `DrmError` EINVAL naming the member and the rule
 */
export function holdShape(shape: Shape, testCase: JsonObject): void {
  const fault = caseFault(shape, testCase);
  if (fault) fail(EINVAL, `${fault.at.replace(/^\./, "") || "case"}: ${fault.rule}`);
}
