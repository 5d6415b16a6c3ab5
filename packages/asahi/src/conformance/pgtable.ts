/**
 * `asahi-pgtable`: sequences of VM_BINDs, and what they leave: steps, tables, leaves, mappings, references.
 *
 * Every op goes through `ioctl()` as bytes. The result is read from emulated memory, not from the driver's bookkeeping.
 *
 * @module
 */

import { EINVAL, fail, RECORDED_PROFILE, UserMemory } from "@vmbind/drm";
import { GPUVA_REPEAT } from "@vmbind/gpuvm-core";
import {
  ListedEntries,
  type ListedRun,
  type Mismatch,
  mismatch,
  type TableEntry,
  u64Of,
} from "@vmbind/gpuvm-core/conformance";
import { descriptor, ScatterList, visitEntries } from "@vmbind/mmu";
import { AsahiBo } from "../bo.ts";
import { AsahiDevice } from "../device.ts";
import type { AsahiFile } from "../file.ts";
import {
  BIND_READ,
  BIND_SINGLE_PAGE,
  BIND_UNBIND,
  BIND_WRITE,
  GEM_BIND_OP,
  IOCTL_VM_BIND,
  VM_BIND,
} from "../uapi.ts";
import type { AsahiVm } from "../vm.ts";

const OPS_ADDR = 0x1000;
/** The longest list of steps that was recorded; that of a bind over 6104 mappings was left out. */
const STEPS_LISTED = 105;
const FLAGS: Readonly<Record<string, number>> = {
  UNBIND: BIND_UNBIND,
  READ: BIND_READ,
  WRITE: BIND_WRITE,
  SINGLE_PAGE: BIND_SINGLE_PAGE,
};

interface VectorOp {
  op: "bind" | "unbind";
  addr: string;
  range: string;
  bo?: number;
  offset?: string;
  flags?: string[];
  ret: number;
  steps?: unknown[];
  repeat?: { count: number; addr_step: string; offset_step: string };
}

interface PgtableCase {
  config: {
    oas: number;
    kernel_start: string;
    kernel_end: string;
    table_base: string;
    table_stride: string;
    asid: number;
  };
  bos: { id: number; chunks: [pa: string, bytes: string][] }[];
  ops: VectorOp[];
  tables: { count: Record<string, number>; entries?: [level: string, va: string, descriptor: string][] };
  ptes: (
    | [va: string, level: string, descriptor: string]
    | { va: string; level: string; desc: string; count: number; stride_va: string; stride_pa: string }
  )[];
  vas?: unknown[];
  vas_count?: number;
  vm_bo_refs: [bo: number, mappings: number][];
  translate: [va: string, pa: string | null][];
}

/**
 * @param testCase - see the README of the vectors
 * @returns the first difference, or null
 */
export function checkPgtable(testCase: Record<string, unknown>): Mismatch | null {
  const vector = testCase as unknown as PgtableCase;
  const { config } = vector;
  const device = new AsahiDevice({
    oas: config.oas,
    quirks: RECORDED_PROFILE,
    dummyPage: false,
    memory: { tableBase: u64Of(config.table_base), tableStride: u64Of(config.table_stride) },
  });
  const file = device.open();
  const vmId = file.vmCreate({
    kernelStart: u64Of(config.kernel_start),
    kernelEnd: u64Of(config.kernel_end),
    vmId: 0,
    pad: 0,
  });
  const vm = file.vm(vmId) as AsahiVm;
  const bos = addBos(device, file, vm, vector.bos);
  if (config.asid) vm.run();

  const steps = recordSteps(vm, Boolean(config.asid));
  for (let i = 0; i < vector.ops.length; i++) {
    const found = checkOp(file, vmId, vector.ops[i] as VectorOp, steps, `ops[${i}]`);
    if (found !== null) return found;
  }
  const found =
    checkEntries(device, vm, vector) ??
    checkMappings(vm, bos, vector) ??
    checkTranslations(vm, vector.translate);
  device.memory.tables.retire();
  return found;
}

/** Objects with the handles that the case gives them. */
function addBos(
  device: AsahiDevice,
  file: AsahiFile,
  vm: AsahiVm,
  vectors: PgtableCase["bos"],
): Map<number, AsahiBo> {
  const { gems, memory } = device;
  const bos = new Map<number, AsahiBo>();
  for (const { id, chunks } of vectors) {
    const pages = ScatterList.of(chunks.map(([pa, bytes]) => ({ pa: u64Of(pa), bytes: u64Of(bytes) })));
    bos.set(id, new AsahiBo({ gems, memory, size: pages.totalBytes, vm, pages }));
  }
  // Handles come lowest first, so holes are filled for a moment.
  const holes: number[] = [];
  for (let handle = 1; handle <= Math.max(0, ...bos.keys()); handle++) {
    const bo = bos.get(handle);
    if (bo === undefined) holes.push(file.addBo(new AsahiBo({ gems, memory, size: 0 })));
    else file.addBo(bo);
  }
  for (const handle of holes) file.gemClose(handle);
  return bos;
}

/** The list that steps are recorded into, as the vectors write them. */
function recordSteps(vm: AsahiVm, invalidations: boolean): unknown[] {
  const { gpuvm } = vm;
  const steps: unknown[] = [];
  gpuvm.observe((op) => {
    if (op.kind === "map") {
      const single = (op.flags & GPUVA_REPEAT) !== 0;
      steps.push(["map", toHex(op.addr), toHex(op.range), toHex(op.offset), single]);
    } else if (op.kind === "unmap") {
      steps.push(["unmap", toHex(gpuvm.addr(op.va)), toHex(gpuvm.rangeOf(op.va))]);
    } else if (op.kind === "remap") {
      const { va } = op.unmap;
      const start = op.hasPrev ? op.prev.addr + op.prev.range : gpuvm.addr(va);
      const end = op.hasNext ? op.next.addr : gpuvm.end(va);
      steps.push([
        "remap",
        toHex(gpuvm.addr(va)),
        toHex(gpuvm.rangeOf(va)),
        toHex(start),
        toHex(end - start),
      ]);
    }
  });
  if (invalidations) {
    vm.invalidateObserver = (va, bytes) => {
      steps.push(["tlbi", toHex(va), toHex(bytes)]);
    };
  }
  return steps;
}

function checkOp(
  file: AsahiFile,
  vmId: number,
  op: VectorOp,
  steps: unknown[],
  field: string,
): Mismatch | null {
  const { repeat = { count: 1, addr_step: "0x0", offset_step: "0x0" } } = op;
  const record = new DataView(new ArrayBuffer(GEM_BIND_OP.size));
  record.setUint32(0, flagsOf(op), true);
  record.setUint32(4, op.bo ?? 0, true);
  record.setBigUint64(16, BigInt(op.range), true);
  const user = new UserMemory();
  user.place(OPS_ADDR, new Uint8Array(record.buffer));
  const arg = VM_BIND.encode({ vmId, numBinds: 1, stride: GEM_BIND_OP.size, userptr: OPS_ADDR });
  steps.length = 0;
  for (let i = 0n; i < repeat.count; i++) {
    record.setBigUint64(8, BigInt(op.offset ?? 0) + i * BigInt(repeat.offset_step), true);
    record.setBigUint64(24, BigInt(op.addr) + i * BigInt(repeat.addr_step), true);
    const found = mismatch(`${field}.ret`, op.ret, file.ioctl(IOCTL_VM_BIND, arg, user));
    if (found !== null) return found;
  }
  if (op.steps !== undefined) return mismatch(`${field}.steps`, op.steps, steps);
  if (op.repeat !== undefined || steps.length > STEPS_LISTED) return null;
  return fail(EINVAL, `${field}.steps: is missing: there are ${steps.length}`);
}

function flagsOf(op: VectorOp): number {
  if (op.op === "unbind") return BIND_UNBIND;
  let flags = 0;
  for (const name of op.flags ?? []) {
    flags += FLAGS[name] ?? 2 ** Number(name.slice("BIT".length));
  }
  return flags;
}

function checkEntries({ memory, format }: AsahiDevice, vm: AsahiVm, vector: PgtableCase): Mismatch | null {
  const { tables, ptes } = vector;
  const { root } = vm.pageTable;
  const count: Record<string, number> = { l1: 1, l2: 0, l3: 0 };
  const entries: unknown[] = [];
  const listed = new ListedEntries(ptes, runOf);
  visitEntries(memory, format, root, {
    directory: (va, level, lo, hi) => {
      const below = levelName(level + 1);
      count[below] = (count[below] ?? 0) + 1;
      entries.push([levelName(level), toHex(va), descriptorHex(descriptor(lo, hi))]);
    },
    leaf: (va, level, lo, hi) => listed.take(va, level, lo, hi, false),
  });
  const found =
    mismatch("tables.count", tables.count, count) ??
    (tables.entries === undefined ? null : mismatch("tables.entries", tables.entries, entries));
  if (found !== null) return found;
  const differs = listed.difference();
  if (differs !== null) {
    const { item, nth, expected, got } = differs;
    return {
      field: `ptes[${item}]+${nth}`,
      expected: inWords(expected),
      got: got === null ? undefined : inWords(got),
    };
  }
  if (listed.found === listed.met) return null;
  // The first of those that are too many.
  const vas: number[] = [];
  visitEntries(memory, format, root, { directory: () => {}, leaf: (va) => vas.push(va) });
  return { field: "ptes.length", expected: ptes.length, got: toHex(vas[listed.met] as number) };
}

function runOf(item: unknown): ListedRun {
  const pte = item as PgtableCase["ptes"][number];
  if (Array.isArray(pte)) {
    const [va, level, entry] = pte;
    return {
      va,
      level: levelOf(level),
      entry,
      compact: false,
      count: 1,
      strideVa: "0x0",
      strideEntry: "0x0",
    };
  }
  const { va, level, desc, count, stride_va: strideVa, stride_pa: strideEntry } = pte;
  return { va, level: levelOf(level), entry: desc, compact: false, count, strideVa, strideEntry };
}

function inWords({ va, level, entry }: TableEntry): unknown[] {
  return [toHex(va), levelName(level), descriptorHex(entry)];
}

function checkMappings(vm: AsahiVm, bos: Map<number, AsahiBo>, vector: PgtableCase): Mismatch | null {
  const vas = [...vm.mappings()].map(({ addr, range, bo, offset, kind }) => [
    toHex(addr),
    toHex(range),
    bo,
    toHex(offset),
    kind === "single-page" ? "single" : "plain",
  ]);
  const refs = Array.from(bos, ([id, bo]) => [
    id,
    bo.vmBos.find((vmBo) => vmBo.vm === vm.gpuvm)?.vaCount ?? 0,
  ]);
  return (
    (vector.vas === undefined ? null : mismatch("vas", vector.vas, vas)) ??
    (vector.vas_count === undefined ? null : mismatch("vas_count", vector.vas_count, vas.length)) ??
    mismatch("vm_bo_refs", vector.vm_bo_refs, refs)
  );
}

function checkTranslations(vm: AsahiVm, translate: PgtableCase["translate"]): Mismatch | null {
  const space = vm.addressSpace;
  const got = translate.map(([va]) => {
    const walk = space.walk(u64Of(va));
    return [va, walk.kind === "page" ? toHex(walk.pa) : null];
  });
  return mismatch("translate", translate, got);
}

function levelOf(name: string): number {
  return Number(name.slice(1));
}

/** The vectors use ARM's names: the root is l1. */
function levelName(level: number): string {
  return `l${level}`;
}

function descriptorHex(entry: bigint): string {
  return `0x${entry.toString(16).padStart(16, "0")}`;
}

function toHex(value: number): string {
  return `0x${value.toString(16)}`;
}
