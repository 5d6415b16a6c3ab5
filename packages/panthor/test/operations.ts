/** Operations of VM_BIND at one address, and what a refused one says. */

import { expect } from "vitest";
import { MAP_NOEXEC, MAP_SPARSE, OP_UNMAP } from "../src/index.ts";
import { bind, type Fixture, type TestOp } from "./support.ts";

export const VA = 0x40000000;
export const map = (boHandle: number, op: TestOp = {}): TestOp => ({
  flags: MAP_NOEXEC,
  boHandle,
  va: VA,
  size: 0x1000,
  ...op,
});
export const sparse = (op: TestOp = {}): TestOp => ({
  flags: MAP_NOEXEC | MAP_SPARSE,
  va: VA,
  size: 0x1000,
  ...op,
});
export const unmap = (op: TestOp = {}): TestOp => ({ flags: OP_UNMAP, va: VA, size: 0x1000, ...op });

export function expectRefused(fx: Fixture, op: TestOp, errno: number, reason: RegExp, how = {}): void {
  const got = bind(fx, [op], how);
  expect([got.ret, got.reason]).toEqual([-errno, expect.stringMatching(reason)]);
}
