/**
 * `amdgpu-vm`: sequences of GEM_VAs, submissions and moves; after each what it cost and what the tables are, at the end every
 * list in its order.
 *
 * GEM_VA goes through `ioctl()` as bytes. The result is read from emulated memory, not from the driver's bookkeeping.
 *
 * @module
 */

import { RECORDED_PROFILE } from "@vmbind/drm";
import { type Mismatch, mismatch, u64Of } from "@vmbind/drm/conformance";
import { GCVM_SYSTEM } from "@vmbind/mmu";
import type { AmdgpuBo } from "../bo.ts";
import type { BoVa, StateList, StateLists } from "../bo-va.ts";
import type { AmdgpuCounters } from "../cost-sheet.ts";
import { AmdgpuDevice } from "../device.ts";
import type { AmdgpuFile } from "../file.ts";
import { type MappingList, STATE_VALID } from "../mappings.ts";
import type { AmdgpuGfx } from "../options.ts";
import { PAGE_BYTES } from "../uapi.ts";
import { addBos, type Chunks, issueVa, pagesOf, signedOf, type VectorBo, type VectorVa } from "./setup.ts";
import { entryHex, toHex, VectorTables } from "./tables.ts";

/** Tables that a case lists; where there are more it lists none. */
const TABLES_LISTED = 64;

/** What every operation of a case may have beside its own. */
interface Outcome {
  ret: number;
  stats?: Record<string, number>;
  digest?: string;
  log?: number;
  trace?: unknown[];
}

type VectorOp = Outcome &
  (
    | ({ op: "va" } & VectorVa)
    | { op: "cs"; bo_list: number[] }
    | { op: "close"; handle: number }
    | { op: "move"; handle: number; domain: "vram" | "gtt"; evicted: boolean; chunks: Chunks }
    | { op: "busy"; handle: number; busy: boolean }
    | { op: "evicting"; value: boolean }
  );

interface VmCase {
  config: { gfx: AmdgpuGfx; table_base: string; table_stride: string };
  bos: VectorBo[];
  ops: VectorOp[];
  final: {
    tables: unknown[];
    table_count: number[];
    entries: (
      | [level: number, va: string, entry: string]
      | { level: number; va: string; entry: string; count: number; stride_va: string; stride_pa: string }
    )[];
    mappings: unknown[];
    freed: unknown[];
    lists: unknown;
    bo_va: unknown[];
  };
  translate: [va: string, ...unknown[]][];
}

/**
 * @param testCase - see the README of the vectors
 * @returns the first difference, or null
 */
export function checkVm(testCase: Record<string, unknown>): Mismatch | null {
  const vector = testCase as unknown as VmCase;
  const { gfx, table_base: base, table_stride: stride } = vector.config;
  const device = new AmdgpuDevice({ gfx, quirks: RECORDED_PROFILE });
  const file = device.open();
  const tables = new VectorTables(file.space, u64Of(base), u64Of(stride));
  addBos(device, file, vector.bos);
  for (const [i, op] of vector.ops.entries()) {
    const found = checkOp(device, file, tables, op, `ops[${i}]`);
    if (found !== null) return found;
  }
  return checkFinal(file, tables, vector.final) ?? checkTranslations(file, vector.translate);
}

function checkOp(
  device: AmdgpuDevice,
  file: AmdgpuFile,
  tables: VectorTables,
  op: VectorOp,
  field: string,
): Mismatch | null {
  const before = { ...device.counters };
  tables.writes = op.trace === undefined ? null : [];
  const ret = run(device, file, op);
  return (
    mismatch(`${field}.ret`, op.ret, ret) ??
    (op.stats && mismatch(`${field}.stats`, op.stats, statsBetween(before, device.counters))) ??
    mismatch(`${field}.log`, op.log ?? 0, device.counters.driverMessages - before.driverMessages) ??
    (op.trace && mismatch(`${field}.trace`, op.trace, tables.writes)) ??
    (op.digest === undefined ? null : mismatch(`${field}.digest`, op.digest, tables.digest()))
  );
}

function run(device: AmdgpuDevice, file: AmdgpuFile, op: VectorOp): number {
  switch (op.op) {
    case "va":
      return issueVa(file, op);
    case "cs":
      file.space.submit(op.bo_list.map((handle) => file.bo(handle) as AmdgpuBo));
      return 0;
    case "close":
      file.gemClose(op.handle);
      return 0;
    case "move": {
      const bo = file.bo(op.handle) as AmdgpuBo;
      bo.moved(op.domain, pagesOf(op.chunks), null);
      device.movedBo(bo, op.evicted);
      return 0;
    }
    case "busy":
      (file.bo(op.handle) as AmdgpuBo).busy = op.busy;
      return 0;
    case "evicting":
      file.space.evicting = op.value;
      return 0;
  }
}

/** What the vectors count, by the names that the cost sheet has for it; zeros are left out. */
export function statsBetween(before: AmdgpuCounters, after: AmdgpuCounters): Record<string, number> {
  const of = (name: keyof AmdgpuCounters): number => after[name] - before[name];
  const stats = {
    tables_alloc: of("tablesAllocated"),
    tables_free: of("tablesFreed"),
    range_jobs: of("rangeUpdates"),
    writes: of("tableWriteCalls"),
    entries: of("pteWrites") + of("pteClears"),
    pdes: of("tableWrites"),
    flush: of("tlbInvalidations"),
  };
  return Object.fromEntries(Object.entries(stats).filter(([, value]) => value !== 0));
}

function checkFinal(file: AmdgpuFile, tables: VectorTables, final: VmCase["final"]): Mismatch | null {
  const { space, pageTable } = file.space;
  const { mappings } = space;
  const count = [0, 0, 0, 0, 0];
  const listed: unknown[] = [];
  pageTable.forEach((slot, level, va) => {
    count[level] = (count[level] as number) + 1;
    if (listed.length <= TABLES_LISTED) listed.push([level, toHex(va), toHex(tables.addressOf(slot))]);
  });
  if (listed.length > TABLES_LISTED) listed.length = 0;
  const start = (id: number): string => toHex((mappings.first[id] as number) * PAGE_BYTES);
  const bytes = (id: number): string =>
    toHex(((mappings.last[id] as number) + 1 - (mappings.first[id] as number)) * PAGE_BYTES);
  const handle = ({ bo }: BoVa): number => (bo === null ? 0 : file.handleOf(bo));
  const starts = (list: MappingList): string[] => Array.from(mappings.of(list), start);
  const handles = (list: StateList): number[] => Array.from(list, handle);
  const state = ({ evicted, needsUpdate, idle }: StateLists) => ({
    evicted: handles(evicted),
    needs_update: handles(needsUpdate),
    idle: handles(idle),
  });
  const { unlinkedCount } = pageTable;
  const boVas = [space.prt, ...space.boVas()].sort((a, b) => handle(a) - handle(b));
  return (
    mismatch("final.tables", final.tables, listed) ??
    mismatch("final.table_count", final.table_count, count) ??
    checkEntries(tables, final.entries) ??
    mismatch(
      "final.mappings",
      final.mappings,
      Array.from(mappings.ascending(), (id) => [
        start(id),
        bytes(id),
        toHex(mappings.offset[id] as number),
        toHex(mappings.flags[id] as number),
        handle(space.ownerOf(id)),
        mappings.state[id] === STATE_VALID ? "valid" : "invalid",
      ]),
    ) ??
    mismatch(
      "final.freed",
      final.freed,
      Array.from(mappings.of(space.freed), (id) => [start(id), bytes(id)]),
    ) ??
    mismatch("final.lists", final.lists, {
      always_valid: state(space.alwaysValid),
      individual: state(space.individual),
      tables: { needs_update: unlinkedCount, idle: pageTable.tableCount - unlinkedCount },
    }) ??
    mismatch(
      "final.bo_va",
      final.bo_va,
      boVas.map((boVa) => ({
        bo: handle(boVa),
        moved: Number(boVa.moved),
        cleared: Number(boVa.cleared),
        invalids: starts(boVa.invalids),
        valids: starts(boVa.valids),
      })),
    )
  );
}

function checkEntries(tables: VectorTables, entries: VmCase["final"]["entries"]): Mismatch | null {
  const got: [level: number, va: number, entry: string][] = [];
  tables.forEachEntry((level, va, lo, hi) => got.push([level, va, entryHex(lo, hi)]));
  let next = 0;
  for (const [i, entry] of entries.entries()) {
    const run = Array.isArray(entry)
      ? { level: entry[0], va: entry[1], entry: entry[2], count: 1, stride_va: "0x0", stride_pa: "0x0" }
      : entry;
    for (let k = 0; k < run.count; k++) {
      const value = BigInt.asUintN(64, BigInt(run.entry) + BigInt(k) * signedOf(run.stride_pa));
      const expected = [run.level, u64Of(run.va) + k * u64Of(run.stride_va), `0x${value.toString(16)}`];
      const found = mismatch(`final.entries[${i}]+${k}`, expected, got[next++]);
      if (found !== null) return found;
    }
  }
  return next === got.length ? null : { field: "final.entries.length", expected: next, got: got.length };
}

function checkTranslations(file: AmdgpuFile, translate: VmCase["translate"]): Mismatch | null {
  const space = file.space.addressSpace;
  const got = translate.map(([va]) => {
    const walk = space.walk(u64Of(va));
    if (walk.kind === "fault") return [va, "fault", walk.level];
    if (walk.kind === "null") return [va, "prt", walk.level];
    return [va, (walk.lo & GCVM_SYSTEM) !== 0 ? "sys" : "vram", toHex(walk.pa), walk.level];
  });
  return mismatch("translate", translate, got);
}
