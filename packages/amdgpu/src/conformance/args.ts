/**
 * `amdgpu-va-args`: single GEM_VA calls with valid and invalid arguments, and the mappings afterwards.
 *
 * @module
 */

import { RECORDED_PROFILE } from "@vmbind/drm";
import { type Mismatch, mismatch } from "@vmbind/drm/conformance";
import { AmdgpuDevice } from "../device.ts";
import type { AmdgpuGfx } from "../options.ts";
import { addBos, issueVa, type VectorBo, type VectorVa } from "./setup.ts";
import { toHex } from "./tables.ts";

/** The objects of every case. */
const BOS: readonly VectorBo[] = [
  { id: 1, size: "0x200000", domain: "vram", flags: "0x40", chunks: [["0x40000000", "0x200000"]] },
  { id: 2, size: "0x10000", domain: "gtt", flags: "0x0", chunks: [["0x77770000", "0x10000"]] },
];

interface ArgsCase {
  gfx: AmdgpuGfx;
  pre: (VectorVa & { ret: number })[];
  call: VectorVa;
  ret: number;
  mappings: unknown[];
}

/**
 * @param testCase - see the README of the vectors
 * @returns the first difference, or null
 */
export function checkArgs(testCase: Record<string, unknown>): Mismatch | null {
  const { gfx, pre, call, ret, mappings } = testCase as unknown as ArgsCase;
  const device = new AmdgpuDevice({ gfx, quirks: RECORDED_PROFILE });
  const file = device.open();
  addBos(device, file, BOS);
  file.syncobjs.create(true);
  file.syncobjs.create(true);
  file.syncobjs.create(false);
  for (const [i, op] of pre.entries()) {
    const found = mismatch(`pre[${i}].ret`, op.ret, issueVa(file, op));
    if (found !== null) return found;
  }
  const got = issueVa(file, call);
  const left = Array.from(file.space.mappings(), ({ addr, range, offset, flags, bo }) => [
    toHex(addr),
    toHex(range),
    toHex(offset),
    toHex(flags),
    bo,
  ]);
  return mismatch("ret", ret, got) ?? mismatch("mappings", mappings, left);
}
