/** What a law is, and what all laws need: results that must be good, and what is left at the end. */

import { expect } from "vitest";
import type { Op, Subject, TestDevice, TestFile } from "./subject.ts";

/** The seed of every random run. `fast-check` prints seed and path of a counterexample. */
export const SEED = Number(process.env["VMBIND_SEED"] ?? 20260322);

/** A sentence about drivers, and how to hold one against it. */
export interface Law {
  title: string;
  /** Whether it applies, by what the subject says of itself. Without it, always. */
  when?(subject: Subject): boolean;
  /** @throws when the subject breaks it */
  hold(subject: Subject): void;
}

/** What a call returned that had to succeed. */
export function must(file: TestFile, result: number): number {
  if (result < 0) throw new Error(`a call that had to succeed: ${result}, ${file.reason()}`);
  return result;
}

/** A bind call that has to succeed. */
export function mustBind(file: TestFile, vm: number, ops: readonly Op[]): void {
  must(file, file.bind(vm, ops).ret);
}

/** With every file closed, nothing is left. */
export function expectNothingLeft(device: TestDevice): void {
  const left = device.left();
  expect(left).toEqual(Object.fromEntries(Object.keys(left).map((name) => [name, 0])));
}
