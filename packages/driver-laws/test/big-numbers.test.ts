/**
 * Members that no double holds, and 32 bits whose highest is set: a refusal says in words what it found, not `NaN` or `0x-1`. Arrays
 * that are not there: it names the member that points to them.
 */

import { IOCTLS as AMDGPU, AmdgpuDevice } from "@vmbind/amdgpu";
import { IOCTLS as ASAHI, AsahiDevice } from "@vmbind/asahi";
import { type IoctlRow, type StructLayout, type UserArray, UserMemory, viewOf } from "@vmbind/drm";
import { xorshift32 } from "@vmbind/mmu";
import { IOCTLS as MSM, MsmDevice } from "@vmbind/msm";
import { IOCTLS as NOUVEAU, NouveauDevice } from "@vmbind/nouveau";
import { IOCTLS as PANTHOR, PanthorDevice } from "@vmbind/panthor";
import { IOCTLS as XE, XeDevice } from "@vmbind/xe";
import { expect, test } from "vitest";

interface Caller {
  ioctl(request: number, arg: Uint8Array, user: UserMemory): number;
  readonly lastError: { readonly reason: string } | null;
}

const DRIVERS: [name: string, rows: readonly IoctlRow<never>[], open: () => Caller][] = [
  ["panthor", PANTHOR.rows, () => new PanthorDevice().open()],
  ["asahi", ASAHI.rows, () => new AsahiDevice().open()],
  ["xe", XE.rows, () => new XeDevice().open()],
  ["msm", MSM.rows, () => new MsmDevice().open()],
  ["nouveau", NOUVEAU.rows, () => new NouveauDevice().open()],
  ["amdgpu", AMDGPU.rows, () => new AmdgpuDevice().open()],
];

const SESSIONS = 60;
const CALLS = 40;
const ARRAYS_AT = 0x1_0000_0000;
const EVEN = [0n, 1n, 4096n, 0x20_0000n, 2n ** 47n, 2n ** 53n, 2n ** 63n, 2n ** 64n - 4096n];
const U64 = [...EVEN, 2n ** 53n + 1n, 2n ** 63n - 1n, 2n ** 64n - 1n];
const U32 = [0, 0, 1, 1, 1, 2, 3, 4, 8, 0x1000, 0x8000_0000, 0xf000_0000, 0xffff_ffff];

/** Give most numbers of a struct, and of the structs inside it, one of the values above. */
function fill(view: DataView, layout: StructLayout<object>, base: number, next: () => number): void {
  const one = <T>(values: readonly T[]): T => values[next() % values.length] as T;
  for (const [, { offset, size, shape }] of layout.members) {
    const at = base + offset;
    if (shape.kind === "struct") fill(view, shape.layout, at, next);
    else if (shape.kind !== "number" || next() % 3 === 0) continue;
    else if (size === 8) view.setBigUint64(at, one(U64), true);
    else if (size === 4) view.setUint32(at, one(U32), true);
    else if (size === 2) view.setUint16(at, next() & 7, true);
    else view.setUint8(at, next() & 7);
  }
}

/** Place one element of an array, with what it points to, and let the struct that holds the pointer point to it; some are not there. */
function pointTo(array: UserArray<object>, holder: DataView, user: UserMemory, next: () => number): void {
  const bytes = new Uint8Array(array.element?.size ?? 64);
  if (array.element !== null) fill(viewOf(bytes), array.element, 0, next);
  for (const inner of array.arrays) pointTo(inner, viewOf(bytes), user, next);
  const at = ARRAYS_AT + (next() % 2 ** 20) * 4096;
  if (next() % 8 !== 0) user.place(at, bytes);
  holder.setBigUint64(array.pointer.offset, BigInt(at), true);
  for (const { offset, size } of array.count) if (size === 4) holder.setUint32(offset, 1, true);
  if (array.stride !== null) holder.setUint32(array.stride.offset, bytes.length, true);
}

test.each(DRIVERS)("%s tells numbers of any size in words", (_, all, open) => {
  const next = xorshift32(0x5eed);
  const rows = all.filter((row) => row.run !== null && row.layout !== null);
  const odd = new Set<string>();
  const missing = new Set<string>();
  let refused = 0;
  for (let session = 0; session < SESSIONS; session++) {
    const file = open();
    for (let call = 0; call < CALLS; call++) {
      const row = rows[next() % rows.length] as IoctlRow<never>;
      const layout = row.layout as StructLayout<object>;
      const bytes = new Uint8Array(layout.size);
      const arg = viewOf(bytes);
      const user = new UserMemory();
      fill(arg, layout, 0, next);
      for (const array of row.arrays) pointTo(array, arg, user, next);
      if (file.ioctl(row.request, bytes, user) === 0) continue;
      refused++;
      const reason = file.lastError?.reason ?? "";
      if (/NaN|Infinity|undefined|0x-|e\+\d/.test(reason)) odd.add(`${row.name}: ${reason}`);
      if (/user memory: /.test(reason)) missing.add(`${row.name}: ${reason}`);
    }
  }
  expect([...odd]).toEqual([]);
  // As panthor's `ops.array: user memory: ...`, where the array is a struct of its own.
  expect([...missing].filter((reason) => !/^\w+: [\w.[\]]+: user memory: /.test(reason))).toEqual([]);
  expect(refused).toBeGreaterThan(SESSIONS);
  expect(missing.size).toBeGreaterThan(0);
});
