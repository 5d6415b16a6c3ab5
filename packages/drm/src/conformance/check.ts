/**
 * What a vector check is, and the comparison that finds the first difference.
 *
 * @module
 */

import { holdShape, type Shape } from "./shape.ts";

/** The first difference between a vector and the model. */
export interface Mismatch {
  /** Where: for example `ops[3].stats.lock`. */
  field: string;
  /** What the real code did. */
  expected: unknown;
  /** What the model did. */
  got: unknown;
}

/**
 * A check of cases that are of their format.
 *
 * @param shape - all that a case of the format may hold
 * @param check - compares a case of that shape with the model
 * @returns a check that refuses every other case
 */
export function closed(shape: Shape, check: VectorCheck): VectorCheck {
  return (testCase, header) => {
    holdShape(shape, testCase);
    return check(testCase, header);
  };
}

/** First line of a vector file. */
export interface VectorHeader {
  /** Names the check, e.g. `gpuvm-steps`. */
  format: string;
  /** Version of the format. */
  version: number;
  /** What produced the vectors. */
  source: string;
  /** How to read the cases. */
  notes?: string;
}

/**
 * Runs one case.
 *
 * @returns the first mismatch, or null when the case passes
 * @throws `DrmError` EINVAL for a case that is not of the format
 */
export type VectorCheck = (testCase: Record<string, unknown>, header: VectorHeader) => Mismatch | null;

/** An ioctl of a recording that a case names: `TraceIoctl` of `@vmbind/trace` is one. */
export interface RecordedIoctl {
  /** Tells it from marks. */
  readonly kind: "ioctl";
  /** Which open file issued it, from 0. */
  readonly file: number;
  /** 32-bit request number. */
  readonly request: number;
  /** The argument as it was sent. */
  readonly argIn: Uint8Array;
  /** The argument as it came back. */
  readonly argOut: Uint8Array;
  /** 0 or a negative errno. */
  readonly ret: number;
  /** What the argument points to. */
  readonly arrays: readonly RecordedArray[];
}

/** Memory behind a pointer. */
export interface RecordedArray {
  /** User address in bytes. */
  readonly addr: number;
  /** The bytes there. */
  readonly data: Uint8Array;
}

/** What happened between two ioctls. */
export interface RecordedMark {
  /** Tells it from ioctls. */
  readonly kind: "mark";
  /** In words. */
  readonly mark: string;
}

/**
 * Runs one case that is about a recording, which its member `trace` names.
 *
 * @returns the first mismatch, or null when the case passes
 * @throws `DrmError` EINVAL for a case that is not of the format
 */
export type TraceVectorCheck = (
  testCase: Record<string, unknown>,
  header: VectorHeader,
  records: readonly (RecordedIoctl | RecordedMark)[],
) => Mismatch | null;

/** A check of a format whose cases are about recordings. */
export interface TraceFormat {
  /** All that a case may hold; `trace` is a name. */
  readonly shape: Shape;
  /** Compares a case of that shape with the model. */
  readonly check: TraceVectorCheck;
}

/**
 * Compare two JSON-like values deeply, with all that either of them has: what only the model says is a difference, too.
 *
 * @param field - name of the place, extended on the way down
 * @param expected - from the vector
 * @param got - from the model
 * @returns the first difference, or null
 */
export function mismatch(field: string, expected: unknown, got: unknown): Mismatch | null {
  // Most are alike, and then no place has to be named.
  return alike(expected, got) ? null : difference(field, expected, got);
}

function alike(a: unknown, b: unknown): boolean {
  if (Object.is(a, b)) return true;
  if (Array.isArray(a) && Array.isArray(b)) {
    if (a.length !== b.length) return false;
    for (let i = 0; i < a.length; i++) if (!alike(a[i], b[i])) return false;
    return true;
  }
  if (!isObject(a) || !isObject(b)) return false;
  let members = 0;
  for (const key in a) {
    if (!Object.hasOwn(b, key) || !alike(a[key], b[key])) return false;
    members++;
  }
  for (const _ in b) members--;
  return members === 0;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return value !== null && typeof value === "object";
}

/** The first of the differences that there are; null where a member that is there and undefined is all that differs. */
function difference(field: string, expected: unknown, got: unknown): Mismatch | null {
  if (Object.is(expected, got)) return null;
  if (Array.isArray(expected) && Array.isArray(got)) {
    for (let i = 0; i < Math.min(expected.length, got.length); i++) {
      const m = difference(`${field}[${i}]`, expected[i], got[i]);
      if (m) return m;
    }
    if (expected.length === got.length) return null;
    return { field: `${field}.length`, expected: expected.length, got: got.length };
  }
  if (isObject(expected) && isObject(got)) {
    for (const key of new Set([...Object.keys(expected), ...Object.keys(got)])) {
      const m = difference(`${field}.${key}`, expected[key], got[key]);
      if (m) return m;
    }
    return null;
  }
  return { field, expected, got };
}
