/**
 * The state of a VM as the vectors have it, and as the model has it: compared table by table and entry by entry.
 *
 * @module
 */

import { type Mismatch, mismatch, u64Of } from "@vmbind/gpuvm-core/conformance";
import { gmmuAperture, Walk } from "@vmbind/mmu";
import type { NouveauDevice } from "../device.ts";
import type { NouveauFile } from "../file.ts";
import { entriesOf, LARGE_ENTRIES, SMALL_ENTRIES, type TableNode } from "../table-nodes.ts";
import type { NouveauVm } from "../vm.ts";

type Entry =
  | [va: string, level: number, table: string, entry: string, high?: string]
  | {
      va: string;
      level: number;
      table: string;
      entry: string;
      high?: string;
      count: number;
      stride_va: string;
      stride_entry: string;
    };

/** A state of the vectors. */
export interface State {
  /** Mappings: first VA, bytes, handle, offset, kind, page shift, region, whether its object is away. */
  vmas: unknown[];
  /** Regions: first VA, bytes, and `dirty` for one that is going. */
  regions: unknown[];
  /** Numbers of tables. */
  tables: unknown;
  /** Tables: VA, level, kind, references, whether made in place of a sparse entry. */
  live: [string, number, string, number, number][];
  /** Entries that are not zero. */
  entries: Entry[];
  /** References of the VM and of objects. */
  refs: unknown;
}

/** How many tables of each kind a VM has. */
export interface TableCounts {
  /** Tables of 4 KiB pages. */
  spt: number;
  /** Tables of 64 KiB pages. */
  lpt: number;
  /** Directories, from PD0 up. */
  pd: number[];
}

/** A directory entry without the address of its table: version 2 has it from bit 4 on, version 3 from bit 8. */
const FLAGS_V2 = 0xfn;
const FLAGS_V3 = 0xffn;

/** The nodes of a VM, parents first. */
function* nodesOf(node: TableNode): Generator<TableNode> {
  yield node;
  for (const child of node.children) if (child !== null) yield* nodesOf(child);
}

/** @returns the tables of a VM, counted */
export function tableCounts(vm: NouveauVm): TableCounts {
  const { root } = vm.pageTable;
  const counts: TableCounts = { spt: 0, lpt: 0, pd: new Array<number>(root.level).fill(0) };
  for (const node of nodesOf(root)) {
    if (node.level > 0) counts.pd[node.level - 1] = (counts.pd[node.level - 1] as number) + 1;
    else {
      if (node.slot >= 0) counts.lpt++;
      if (node.smallSlot >= 0) counts.spt++;
    }
  }
  return counts;
}

/**
 * Hold a VM against a state.
 *
 * @param device - the device
 * @param file - the file of the VM
 * @param state - of the vector
 * @param where - name of the place
 * @returns the first difference, or null
 */
export function checkState(
  device: NouveauDevice,
  file: NouveauFile,
  state: State,
  where: string,
): Mismatch | null {
  const vm = file.ownVm;
  if (vm === null) return { field: where, expected: "a VM", got: "none" };
  const vmas = [...vm.mappings()].map((view) => [
    hex(view.addr),
    hex(view.range),
    view.bo,
    hex(view.offset),
    view.flags,
    view.pageShift,
    view.region === null ? null : hex(view.region),
    view.invalidated ? 1 : 0,
  ]);
  const regions = [...vm.regions].map(({ addr, range, dirty }) =>
    dirty === null ? [hex(addr), hex(range)] : [hex(addr), hex(range), "dirty"],
  );
  return (
    mismatch(`${where}.vmas`, state.vmas, vmas) ??
    mismatch(`${where}.regions`, state.regions, regions) ??
    mismatch(`${where}.tables`, state.tables, tableCounts(vm)) ??
    mismatch(`${where}.live`, sorted(state.live.map(String)), sorted(liveTables(vm).map(String))) ??
    compareEntries(`${where}.entries`, expand(state.entries), entriesOfVm(device, vm)) ??
    mismatch(`${where}.refs`, state.refs, referencesOf(file, vm))
  );
}

function sorted(lines: string[]): string[] {
  return lines.sort();
}

function liveTables(vm: NouveauVm): [string, number, string, number, number][] {
  return [...nodesOf(vm.pageTable.root)].flatMap((node): [string, number, string, number, number][] => {
    const { level, sparse, refs, smallRefs } = node;
    const flag = sparse ? 1 : 0;
    const va = hex(node.va);
    if (level > 0) return [[va, level, "pd", refs, flag]];
    const tables: [string, number, string, number, number][] = [];
    if (node.slot >= 0) tables.push([va, 0, "lpt", refs, flag]);
    if (node.smallSlot >= 0) tables.push([va, 0, "spt", smallRefs, flag]);
    return tables;
  });
}

function referencesOf(file: NouveauFile, vm: NouveauVm): unknown {
  const bos = [...file.bos()].map(([handle, bo]) => {
    const pairs = bo.vmBos;
    const mappings = pairs.reduce((sum, { vaCount }) => sum + vaCount, 0);
    return [handle, bo.refs, mappings, pairs.reduce((sum, { refs }) => sum + refs, 0)];
  });
  return { vm: vm.gpuvm.refs, bos };
}

/** Entries by level, table and VA. */
type EntryTable = Map<string, string>;

/** What an entry is said to be that the vector names twice. */
const TWICE = "one entry, named once";

function compareEntries(where: string, expected: EntryTable, got: EntryTable): Mismatch | null {
  for (const [place, entry] of expected) {
    if (got.get(place) !== entry)
      return { field: `${where} ${place}`, expected: entry, got: got.get(place) ?? "0x0" };
  }
  for (const [place, entry] of got) {
    if (!expected.has(place)) return { field: `${where} ${place}`, expected: "0x0", got: entry };
  }
  return null;
}

function placeOf(level: number, table: string, va: bigint): string {
  return `${table}${level} 0x${va.toString(16)}`;
}

function expand(entries: readonly Entry[]): EntryTable {
  const all: EntryTable = new Map();
  const add = (place: string, low: string, high: string | undefined): void => {
    const value = high === undefined ? low : `${low} ${high}`;
    all.set(place, all.has(place) ? TWICE : value);
  };
  for (const entry of entries) {
    if (Array.isArray(entry)) {
      const [va, level, table, low, high] = entry;
      add(placeOf(level, table, BigInt(va)), low, high);
      continue;
    }
    const { va, level, table, entry: low, high, count, stride_va: strideVa, stride_entry: stride } = entry;
    for (let i = 0n; i < BigInt(count); i++) {
      const value = `0x${BigInt.asUintN(64, BigInt(low) + i * BigInt(stride)).toString(16)}`;
      add(placeOf(level, table, BigInt(va) + i * BigInt(strideVa)), value, high);
    }
  }
  return all;
}

function entriesOfVm(device: NouveauDevice, vm: NouveauVm): EntryTable {
  const all: EntryTable = new Map();
  const { tables } = device.memory;
  const flags = device.backend.version === 2 ? FLAGS_V2 : FLAGS_V3;
  const text = (entry: bigint, isDirectory: boolean): string =>
    `0x${(isDirectory && (entry & 1n) === 0n ? entry & flags : entry).toString(16)}`;
  for (const node of nodesOf(vm.pageTable.root)) {
    const { level, slot, smallSlot } = node;
    const start = BigInt(node.va);
    if (level === 0) {
      const leaves = (of: number, table: string, count: number, bytes: bigint): void => {
        for (let i = 0; of >= 0 && i < count; i++) {
          const entry = tables.entry(of, i);
          if (entry !== 0n) all.set(placeOf(0, table, start + BigInt(i) * bytes), text(entry, false));
        }
      };
      leaves(slot, "lpt", LARGE_ENTRIES, 0x1_0000n);
      leaves(smallSlot, "spt", SMALL_ENTRIES, 0x1000n);
      continue;
    }
    const covers = level === 1 ? 2n ** 21n : 2n ** BigInt(11 + 9 * level);
    for (let i = 0; i < entriesOf(level); i++) {
      const low = tables.entry(slot, level === 1 ? i * 2 : i);
      const high = level === 1 ? tables.entry(slot, i * 2 + 1) : 0n;
      if ((low | high) === 0n) continue;
      const at = placeOf(level, "pd", start + BigInt(i) * covers);
      all.set(at, level === 1 ? `${text(low, true)} ${text(high, true)}` : text(low, true));
    }
  }
  return all;
}

const PREFIX = { vram: "vram", coherent: "host", noncoherent: "ncoh" } as const;

/**
 * Hold walks against what the vector found.
 *
 * @param file - the file of the VM
 * @param expected - VA and result
 * @param where - name of the place
 * @returns the first difference, or null
 */
export function checkTranslations(
  file: NouveauFile,
  expected: readonly [string, string][],
  where: string,
): Mismatch | null {
  const vm = file.ownVm;
  if (vm === null) return null;
  const walk = new Walk();
  for (const [i, [va, result]] of expected.entries()) {
    vm.addressSpace.walk(u64Of(va), walk);
    const got =
      walk.kind === "fault"
        ? `fault:${walk.faultLevel}`
        : walk.kind === "null"
          ? "sparse"
          : `${PREFIX[gmmuAperture(walk.lo)]}:${hex(walk.pa)}:${Math.log2(walk.sizeBytes)}`;
    const found = mismatch(`${where}[${i}][1] (${va})`, result, got);
    if (found !== null) return found;
  }
  return null;
}

function hex(value: number): string {
  return `0x${value.toString(16)}`;
}
