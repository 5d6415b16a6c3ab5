/** MADVISE and VM_QUERY_MEM_RANGE_ATTRS as calls. */

import { UserMemory } from "@vmbind/drm";
import { expect } from "vitest";
import * as xe from "../src/index.ts";
import type { Fixture, Op } from "./support.ts";

export const PAGE = 4096;
export const OUT = 0x5000;
export const FAULT_MODE = xe.VM_CREATE_FLAG_FAULT_MODE | xe.VM_CREATE_FLAG_LR_MODE;
export const ATOMIC: number = xe.MEM_RANGE_ATTR_ATOMIC;
export const PAT: number = xe.MEM_RANGE_ATTR_PAT;
export const LOCATION: number = xe.MEM_RANGE_ATTR_PREFERRED_LOC;

export const mirror = (addr: number, range: number): Op => ({
  op: xe.VM_BIND_OP_MAP,
  flags: xe.VM_BIND_FLAG_CPU_ADDR_MIRROR,
  addr,
  range,
  patIndex: 1,
});

export type Advice = Partial<xe.Madvise> & { location?: Partial<xe.MadviseLocation> };

export function advise(file: xe.XeFile, { location, ...fields }: Advice): [number, string] {
  const arg = xe.MADVISE.encode({ vmId: 1, range: PAGE, ...fields });
  if (location) xe.MADVISE_LOCATION.write(new DataView(arg.buffer), 32, location);
  return [file.ioctl(xe.IOCTL_MADVISE, arg), file.lastError?.reason ?? ""];
}

export function mustAdvise(file: xe.XeFile, advice: Advice): void {
  expect(advise(file, advice)).toEqual([0, ""]);
}

/** What VM_QUERY_MEM_RANGE_ATTRS tells of `[start, start + range)`. */
export function attributes(file: xe.XeFile, start = 0, range = 2 ** 48): xe.MemRangeAttr[] {
  const ask = xe.VM_QUERY_MEM_RANGE_ATTR.encode({ vmId: 1, start, range });
  expect(file.ioctl(xe.IOCTL_VM_QUERY_MEM_RANGE_ATTRS, ask)).toBe(0);
  const { numMemRanges, sizeofMemRangeAttr } = xe.VM_QUERY_MEM_RANGE_ATTR.read(new DataView(ask.buffer));
  expect(sizeofMemRangeAttr).toBe(64);
  if (numMemRanges === 0) return [];
  const bytes = new Uint8Array(64 * numMemRanges);
  const user = new UserMemory();
  user.place(OUT, bytes);
  const again = { vmId: 1, start, range, numMemRanges, sizeofMemRangeAttr, vectorOfMemAttr: OUT };
  expect(file.ioctl(xe.IOCTL_VM_QUERY_MEM_RANGE_ATTRS, xe.VM_QUERY_MEM_RANGE_ATTR.encode(again), user)).toBe(
    0,
  );
  return Array.from({ length: numMemRanges }, (_, i) =>
    xe.MEM_RANGE_ATTR.read(new DataView(bytes.buffer), 64 * i),
  );
}

export const check = ({ device, file }: Fixture): void => xe.checkDeviceInvariants(device, [file]);
