/**
 * `xe-ppgtt`: sequences of operations on one VM, compared after each of them and, down to the last bit, at the end.
 *
 * @module
 */

import { DrmError } from "@vmbind/drm";
import {
  ListedEntries,
  type ListedRun,
  type Mismatch,
  mismatch,
  type TableEntry,
  u64Of,
  type VectorHeader,
} from "@vmbind/gpuvm-core/conformance";
import { Walk } from "@vmbind/mmu";
import type { XeQuirks } from "../quirks.ts";
import type { TlbInvalidation } from "../tlb-range.ts";
import * as uapi from "../uapi.ts";
import type { XeVm } from "../vm.ts";
import {
  type Bench,
  isMemoryStubbed,
  issueBind,
  makeBench,
  rawBind,
  toHex,
  type VectorBo,
  type VectorConfig,
  type VectorOp,
  WITHOUT_MOVES,
} from "./setup.ts";
import { countTables, type DumpedDirectory, dumpTables } from "./table-dump.ts";

interface Stats {
  tables_alloc: number;
  tables_free: number;
  pt_ops: number;
  updates: number;
  qwords: number;
  flush_seqno: number;
}

interface PpgttOp extends VectorOp {
  binds?: VectorOp[];
  ret: number;
  stats?: Stats;
  tlb?: unknown[];
  warn?: number;
  after: { tables: Record<string, number>; leaves: Record<string, number> };
}

type RunOrEntry =
  | [string, number, string, string?]
  | {
      va: string;
      level: number;
      entry: string;
      count: number;
      stride_va: string;
      stride_pa: string;
      compact?: boolean;
    };

interface PpgttCase {
  id: string;
  config: VectorConfig;
  bos: VectorBo[];
  ops: PpgttOp[];
  tables: {
    count: Record<string, number>;
    scratch: number;
    live?: [string, number, number, string?][];
  };
  dirs: RunOrEntry[];
  ptes: RunOrEntry[];
  vmas: unknown[];
  refs: { vm: number; bos: Record<string, unknown> };
  translate: unknown[][];
}

/** Bits 12 to 51 of an entry: where its page or table lies, which no two runs agree on. */
const ADDRESS_LO = 0xffff_f000;
const ADDRESS_HI = 0x000f_ffff;

/**
 * Run one case.
 *
 * @param testCase - see the format's description
 * @param header - of its file
 * @returns the first mismatch, or null
 * @throws `DrmError` EINVAL for a case that is not of the format
 */
export function checkPpgtt(testCase: Record<string, unknown>, header: VectorHeader): Mismatch | null {
  const c = testCase as unknown as PpgttCase;
  const stubbed = isMemoryStubbed(header);
  const bench = makeBench(c.config, c.bos, quirksOf(c.id, stubbed));
  for (const [i, op] of c.ops.entries()) {
    const found = checkOp(bench, op, `ops[${i}]`, stubbed);
    if (found) return found;
  }
  const found = checkFinal(bench, c);
  bench.device.memory.tables.retire();
  return found;
}

/** What differs from the profile: one family of cases shows what the driver does wrong, and without moves no region counts. */
function quirksOf(id: string, stubbed: boolean): Partial<XeQuirks> {
  const quirks = stubbed ? WITHOUT_MOVES : {};
  return id.startsWith("quirk-fault-scratch") ? { ...quirks, faultScratch: true } : quirks;
}

function checkOp(bench: Bench, op: PpgttOp, field: string, stubbed: boolean): Mismatch | null {
  const { device, file, vm } = bench;
  const before = { ...device.counters };
  const flushes = vm.tlbFlushSeqno;
  vm.lastInvalidation = null;
  let ret = 0;
  if (op.op === "fault") ret = faultAt(vm, u64Of(op.addr), stubbed);
  else {
    const region = stubbed ? uapi.CONSULT_MEM_ADVISE_PREF_LOC : 0;
    ret = issueBind(
      file,
      (op.binds ?? [op]).map((bind) => rawBind(bind, region)),
    );
  }

  const { counters } = device;
  const stats: Stats = {
    tables_alloc: counters.tablesAllocated - before.tablesAllocated,
    tables_free: counters.tablesFreed - before.tablesFreed,
    pt_ops: counters.ptOps - before.ptOps,
    updates: counters.ptUpdates - before.ptUpdates,
    qwords: counters.ptQwords - before.ptQwords,
    flush_seqno: vm.tlbFlushSeqno - flushes,
  };
  const tlb = vm.lastInvalidation as TlbInvalidation | null;
  const sent =
    tlb === null
      ? []
      : [[toHex(tlb.start), toHex(BigInt(tlb.end) - 1n), toHex(tlb.sentStart), toHex(tlb.sentBytes)]];
  const after = countTables(vm);
  return (
    mismatch(`${field}.ret`, op.ret, ret) ??
    (op.stats ? mismatch(`${field}.stats`, op.stats, stats) : null) ??
    (op.tlb ? mismatch(`${field}.tlb`, op.tlb, sent) : null) ??
    mismatch(`${field}.warn`, op.warn ?? 0, counters.kernelWarnings - before.kernelWarnings) ??
    mismatch(`${field}.after.tables`, op.after.tables, after.tables) ??
    mismatch(`${field}.after.leaves`, op.after.leaves, after.leaves)
  );
}

function faultAt(vm: XeVm, addr: number, atomic: boolean): number {
  try {
    vm.fault(addr, { atomic });
    return 0;
  } catch (error) {
    if (!(error instanceof DrmError)) throw error;
    return -error.errno;
  }
}

function checkFinal({ file, vm }: Bench, c: PpgttCase): Mismatch | null {
  const leaves = new ListedEntries(c.ptes, runOf);
  const dump = dumpTables(vm, leaves);
  const live = dump.tables.map((t) => [toHex(t.va), t.level, t.numLive, ...(t.compact ? ["compact"] : [])]);
  const vmas = Array.from(vm.mappings(), (m) => [
    toHex(m.addr),
    toHex(m.range),
    toHex(m.flags),
    m.bo,
    toHex(m.offset),
    m.patIndex,
    m.present ? 1 : 0,
  ]);
  const bos: Record<string, unknown> = {};
  for (const { id } of c.bos) {
    const vmBos = file.bo(id)?.vmBos ?? [];
    const mapped = vmBos.reduce((sum, vmBo) => sum + vmBo.vaCount, 0);
    const refs = vmBos.reduce((sum, vmBo) => sum + vmBo.refs, 0);
    bos[id] = [file.bo(id)?.refs, mapped, refs];
  }
  // The vectors list leaves in the order of addresses, but directory entries level by level.
  const directories = new ListedEntries(c.dirs, runOf);
  for (const { va, level, lo, hi, compact } of byLevel(dump.directories)) {
    directories.take(va, level, lo & ~ADDRESS_LO, hi & ~ADDRESS_HI, compact);
  }
  return (
    mismatch("tables.count", c.tables.count, countTables(vm).tables) ??
    mismatch("tables.scratch", c.tables.scratch, vm.pageTable.scratchTables.length) ??
    (c.tables.live ? mismatch("tables.live", sorted(c.tables.live), sorted(live)) : null) ??
    differenceOf("dirs", directories) ??
    differenceOf("ptes", leaves) ??
    mismatch("vmas", c.vmas, vmas) ??
    mismatch("refs", c.refs, { vm: vm.gpuvm.refs, bos }) ??
    checkTranslations(vm.addressSpace.walk.bind(vm.addressSpace), c)
  );
}

function checkTranslations(walk: (va: number, out: Walk) => Walk, c: PpgttCase): Mismatch | null {
  const out = new Walk();
  for (const [i, expected] of c.translate.entries()) {
    const va = BigInt(expected[0] as string);
    // The last bytes of a 57-bit space are beyond a double: walk to the page, then add the byte.
    const inPage = va & 0xfffn;
    walk(Number(va - inPage), out);
    const result =
      out.kind === "fault"
        ? ["fault", out.faultLevel]
        : out.kind === "null"
          ? ["null-page"]
          : [toHex(BigInt(out.pa) + inPage)];
    const found = mismatch(`translate[${i}]`, expected, [expected[0], ...result]);
    if (found) return found;
  }
  return null;
}

/** Tables in one order, whatever order they were listed in. */
function sorted(tables: readonly (readonly unknown[])[]): readonly (readonly unknown[])[] {
  return [...tables].sort(
    (a, b) => Number(b[1]) - Number(a[1]) || Number(BigInt(a[0] as string) - BigInt(b[0] as string)),
  );
}

/** Level by level from the root down, and in the order of addresses. */
function byLevel(directories: readonly DumpedDirectory[]): readonly DumpedDirectory[] {
  return [...directories].sort((a, b) => b.level - a.level || a.va - b.va);
}

function runOf(item: unknown): ListedRun {
  if (Array.isArray(item)) {
    const [va, level, entry, compact] = item as [string, number, string, string?];
    const single = { count: 1, strideVa: "0x0", strideEntry: "0x0" };
    return { va, level, entry, compact: compact !== undefined, ...single };
  }
  const run = item as Exclude<RunOrEntry, unknown[]>;
  const { va, level, entry, count, compact = false } = run;
  return { va, level, entry, compact, count, strideVa: run.stride_va, strideEntry: run.stride_pa };
}

function differenceOf(field: string, entries: ListedEntries): Mismatch | null {
  const found = entries.difference();
  if (found === null) return mismatch(`${field}.length`, entries.met, entries.found);
  const got = found.got === null ? undefined : inWords(found.got);
  return { field: `${field}[${found.at}]`, expected: inWords(found.expected), got };
}

function inWords({ va, level, entry, compact }: TableEntry): string {
  return `${toHex(va)} level ${level} ${toHex(entry)}${compact ? " compact" : ""}`;
}
