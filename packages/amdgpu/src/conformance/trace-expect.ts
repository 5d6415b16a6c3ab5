/**
 * `amdgpu-trace-expect`: what the ioctls of a recording cost the real code, and what they left in the tables at its marks.
 *
 * A recording does not say where objects are. The vectors put each at the next multiple of 2 MiB, in VRAM where that was among its
 * domains, in one piece.
 *
 * @module
 */

import { DRM_IOCTL_GEM_CLOSE, RECORDED_PROFILE, viewOf } from "@vmbind/drm";
import { type Mismatch, mismatch, type RecordedIoctl, type TraceVectorCheck } from "@vmbind/drm/conformance";
import { GCVM_HIGH, GCVM_LAST_LEVEL, GCVM_VALID, ScatterList } from "@vmbind/mmu";
import { AmdgpuBo } from "../bo.ts";
import { AmdgpuDevice } from "../device.ts";
import type { AmdgpuFile } from "../file.ts";
import { STATE_INVALID } from "../mappings.ts";
import type { AmdgpuGfx } from "../options.ts";
import {
  DOMAIN_VRAM,
  GEM_CREATE,
  GEM_CREATE_OUT,
  IOCTL_GEM_CREATE,
  IOCTL_GEM_VA,
  PAGE_BYTES,
} from "../uapi.ts";
import { VectorTables } from "./tables.ts";
import { statsBetween } from "./vm.ts";

const PLACE_BYTES = 2 ** 21;
const VRAM_FIRST = 0x1_0000_0000;
const SYSTEM_FIRST = 0x30_0000_0000;
const TABLES_FIRST = 0x2_0000_0000;
const TABLE_BYTES = 4096;
const NUMBER_MASK = 0xffff;

interface TraceCase {
  gfx: AmdgpuGfx;
  totals: Record<string, number>;
  states: { at: string; va_ops: number }[];
}

/** Check one case of `amdgpu-trace-expect`. */
export const checkTraceExpect: TraceVectorCheck = (testCase, _header, records) => {
  const { gfx, totals, states } = testCase as unknown as TraceCase;
  const device = new AmdgpuDevice({ gfx, quirks: RECORDED_PROFILE, adoptSyncobjs: true });
  const file = device.open();
  const tables = new VectorTables(file.space, TABLES_FIRST, TABLE_BYTES);
  const places = { vram: VRAM_FIRST, gtt: SYSTEM_FIRST };
  const before = { ...device.counters };
  let vaOps = 0;
  let reached = 0;
  for (const [i, record] of records.entries()) {
    if (record.kind === "mark") {
      const expected = states[reached];
      if (expected === undefined || expected.at !== record.mark) continue;
      const found = mismatch(`states[${reached++}]`, expected, stateOf(file, tables, record.mark, vaOps));
      if (found !== null) return found;
      continue;
    }
    const found = replayCall(device, file, record, places, `records[${i}]`);
    if (found !== null) return found;
    if ((record.request & NUMBER_MASK) === (IOCTL_GEM_VA & NUMBER_MASK)) vaOps++;
  }
  const got = statsBetween(before, device.counters);
  const whole = Object.fromEntries(Object.keys(totals).map((name) => [name, got[name] ?? 0]));
  return (
    mismatch("states.length", states.length, reached) ?? mismatch("totals", totals, { ...got, ...whole })
  );
};

function replayCall(
  device: AmdgpuDevice,
  file: AmdgpuFile,
  { request, argIn, argOut, ret }: RecordedIoctl,
  places: Record<"vram" | "gtt", number>,
  at: string,
): Mismatch | null {
  if ((request & NUMBER_MASK) === (IOCTL_GEM_CREATE & NUMBER_MASK)) {
    const { boSize, domains, domainFlags: flags } = GEM_CREATE.read(viewOf(argIn));
    const size = Math.ceil(boSize / PAGE_BYTES) * PAGE_BYTES;
    const place = (domains & DOMAIN_VRAM) !== 0 ? "vram" : "gtt";
    const pages = ScatterList.of([{ pa: places[place], bytes: size }]);
    places[place] += Math.ceil(size / PLACE_BYTES) * PLACE_BYTES;
    const { gems, memory } = device;
    const { resv } = file.space;
    const bo = new AmdgpuBo({ gems, memory, size, flags, domains, resv, place, pages, frames: null });
    return mismatch(`${at}.handle`, GEM_CREATE_OUT.read(viewOf(argOut)).handle, file.addBo(bo));
  }
  const isVa = (request & NUMBER_MASK) === (IOCTL_GEM_VA & NUMBER_MASK);
  if (!isVa && request !== DRM_IOCTL_GEM_CLOSE) return null;
  return mismatch(`${at}.ret`, ret, file.ioctl(request, argIn.slice()));
}

function stateOf(file: AmdgpuFile, tables: VectorTables, at: string, vaOps: number): Record<string, unknown> {
  const { space, pageTable, generation } = file.space;
  const { mappings } = space;
  const count = [0, 0, 0, 0, 0];
  pageTable.forEach((_slot, level) => {
    count[level] = (count[level] as number) + 1;
  });
  const { leaf, prt } = GCVM_HIGH[generation];
  const leaves: Record<string, number> = {};
  tables.forEachEntry((level, _va, lo, hi) => {
    const isLeaf = level === GCVM_LAST_LEVEL || (hi & leaf) !== 0;
    const isValid = (lo & GCVM_VALID) !== 0;
    const kind = !isLeaf && isValid ? "table" : isValid ? "valid" : (hi & prt) !== 0 ? "prt" : "cleared";
    leaves[kind + level] = (leaves[kind + level] ?? 0) + 1;
  });
  const ids = mappings.ascending();
  return {
    at,
    va_ops: vaOps,
    mappings: ids.length,
    prt_mappings: ids.filter((id) => space.ownerOf(id) === space.prt).length,
    invalid_mappings: ids.filter((id) => mappings.state[id] === STATE_INVALID).length,
    table_count: count,
    leaves,
    digest: tables.digest(),
  };
}
