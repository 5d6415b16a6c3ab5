/**
 * `nouveau-vmbind`: sequences of ioctls on one open file, and what each returns and costs; at the marks and at the end the
 * mappings, regions, references, every table and every entry, and what a walk finds.
 *
 * Every ioctl goes in as bytes. Entries are read from emulated memory.
 *
 * @module
 */

import { RECORDED_PROFILE, UserMemory } from "@vmbind/drm";
import { type Mismatch, mismatch, u64Of } from "@vmbind/gpuvm-core/conformance";
import { ScatterList } from "@vmbind/mmu";
import type { BackendName } from "../backends.ts";
import { NouveauDevice } from "../device.ts";
import type { NouveauFile } from "../file.ts";
import {
  GEM_NEW,
  GEM_TILE_KIND_SHIFT,
  IOCTL_GEM_NEW,
  IOCTL_VM_BIND,
  IOCTL_VM_INIT,
  SYNC,
  VM_BIND,
  VM_BIND_OP,
  VM_INIT,
} from "../uapi.ts";
import { checkState, checkTranslations, type State, tableCounts } from "./state.ts";

const OPS_ADDR = 0x1000_0000;
const WAIT_ADDR = 0x2000_0000;
const SIGNAL_ADDR = 0x3000_0000;
/** The vectors' offsets for mmap are multiples of this, each used once. */
const MMAP_STEP: number = 2 ** 21;
const APERTURES = { vram: "vram", host: "coherent", ncoh: "noncoherent" } as const;

interface VectorOp {
  op: number;
  flags: number;
  handle: number;
  pad?: number;
  addr: string;
  bo_offset: string;
  range: string;
}

type VectorSync = [flags: number, handle: number, value: string | number];

interface GemNewStep {
  gem_new: {
    size: string;
    domain: number;
    tile_mode: number;
    tile_flags: string;
    align: number;
    chunks: [string, string][];
  };
  out: Record<string, unknown>;
}

interface BindStep {
  bind: { flags: number; ops: VectorOp[]; wait?: VectorSync[]; sig?: VectorSync[] };
  out: Record<string, unknown>;
}

type Step =
  | { vm_init: [string, string]; out: { ret: number } }
  | GemNewStep
  | { gem_close: number; out: { ret: number } }
  | BindStep
  | { defer: 1 }
  | { run: number; out: Record<string, unknown> }
  | { evict: number; out: { flush: number } }
  | { table_alloc_fail: number }
  | { check: State; translate?: [string, string][] };

interface VmBindCase {
  config: {
    mmu: BackendName;
    gsp: boolean;
    table_aperture: "vram" | "host" | "ncoh";
    system_memory: "coherent" | "noncoherent";
  };
  steps: Step[];
  final?: State;
  translate?: [string, string][];
  fini?: { free: number; pt_live: number; gem_live: number; warn?: number; cached: number };
}

/**
 * @param testCase - see the README of the vectors
 * @returns the first difference, or null
 */
export function checkVmBind(testCase: Record<string, unknown>): Mismatch | null {
  const vector = testCase as unknown as VmBindCase;
  const run = new CaseRun(vector.config);
  for (const [i, step] of vector.steps.entries()) {
    const found = run.step(step, `steps[${i}]`);
    if (found !== null) return found;
  }
  const found = run.end(vector);
  run.retire();
  return found;
}

/** One device, one open file. */
class CaseRun {
  readonly #device: NouveauDevice;
  readonly #file: NouveauFile;
  /** Page tables from now on until one cannot be made, 0 for no end. */
  #untilFailure = 0;
  #deferred = false;

  constructor({ mmu, gsp, table_aperture: aperture, system_memory: system }: VmBindCase["config"]) {
    this.#device = new NouveauDevice({
      backend: mmu,
      gsp,
      tableAperture: APERTURES[aperture],
      coherent: system === "coherent",
      mmapStep: MMAP_STEP,
      quirks: RECORDED_PROFILE,
      allocFault: (point) => point === "page-table" && this.#untilFailure > 0 && --this.#untilFailure === 0,
    });
    this.#file = this.#device.open();
    this.#file.syncobjs.create(true);
    this.#file.syncobjs.create();
  }

  /** The case is over: the memory of its tables is for the next one. */
  retire(): void {
    this.#device.memory.tables.retire();
  }

  step(step: Step, where: string): Mismatch | null {
    if ("vm_init" in step) {
      const [addr, size] = step.vm_init;
      const ret = this.#file.ioctl(IOCTL_VM_INIT, initBytes(u64Of(addr), u64Of(size)));
      if (this.#deferred && this.#file.ownVm) this.#file.ownVm.queue.held = true;
      return mismatch(`${where}.out.ret`, step.out.ret, ret);
    }
    if ("gem_new" in step) return this.#gemNew(step, where);
    if ("bind" in step) return this.#bind(step, where);
    if ("check" in step) return this.#check(step, where);
    return this.#other(step, where);
  }

  #other(
    step: Exclude<Step, GemNewStep | BindStep | { vm_init: unknown } | { check: unknown }>,
    where: string,
  ): Mismatch | null {
    const vm = this.#file.ownVm;
    const { counters } = this.#device;
    if ("defer" in step) {
      this.#deferred = true;
      if (vm) vm.queue.held = true;
      return null;
    }
    if ("table_alloc_fail" in step) {
      this.#untilFailure = step.table_alloc_fail;
      return null;
    }
    if ("gem_close" in step) {
      const arg = new Uint8Array(8);
      new DataView(arg.buffer).setUint32(0, step.gem_close, true);
      return mismatch(`${where}.out.ret`, step.out.ret, this.#file.ioctl(0x40086409, arg));
    }
    const before = { ...counters };
    if ("evict" in step) {
      const bo = this.#file.bo(step.evict);
      if (bo) this.#device.evict(bo);
      return mismatch(`${where}.out`, step.out, {
        flush: counters.tlbInvalidations - before.tlbInvalidations,
      });
    }
    const jobs = vm?.queue.run(step.run === 0 ? Number.POSITIVE_INFINITY : step.run) ?? 0;
    return mismatch(`${where}.out`, step.out, {
      jobs,
      alloc: counters.tablesAllocated - before.tablesAllocated,
      free: counters.tablesFreed - before.tablesFreed,
      flush: counters.tlbInvalidations - before.tlbInvalidations,
      tables: vm && tableCounts(vm),
    });
  }

  #gemNew({ gem_new: asked, out }: GemNewStep, where: string): Mismatch | null {
    const arg = GEM_NEW.encode({
      info: {
        handle: 0,
        domain: asked.domain,
        size: u64Of(asked.size),
        offset: 0,
        mapHandle: 0,
        tileMode: asked.tile_mode,
        tileFlags: u64Of(asked.tile_flags),
      },
      align: asked.align,
    });
    const ret = this.#file.ioctl(IOCTL_GEM_NEW, arg);
    if (ret !== 0 || this.#file.ownVm === null) return mismatch(`${where}.out`, out, { ret });
    const { info } = GEM_NEW.read(new DataView(arg.buffer));
    const bo = this.#file.bo(info.handle);
    if (bo && asked.chunks.length > 0) {
      bo.placeAt(ScatterList.of(asked.chunks.map(([pa, bytes]) => ({ pa: u64Of(pa), bytes: u64Of(bytes) }))));
    }
    return mismatch(`${where}.out`, out, {
      ret,
      handle: info.handle,
      domain: info.domain,
      size: hex(info.size),
      offset: hex(info.offset),
      map_handle: hex(info.mapHandle),
      tile_mode: info.tileMode,
      tile_flags: hex(info.tileFlags),
      page_shift: bo?.pageShift,
      kind: info.tileFlags >>> GEM_TILE_KIND_SHIFT,
    });
  }

  #bind({ bind, out }: BindStep, where: string): Mismatch | null {
    const { counters } = this.#device;
    const vm = this.#file.ownVm;
    const before = { ...counters };
    const largeBefore = vm ? tableCounts(vm).lpt : 0;
    const ret = this.#issue(bind);
    const made = counters.largeTables - before.largeTables;
    const tables = vm && tableCounts(vm);
    return mismatch(`${where}.out`, out, {
      ret,
      alloc: counters.tablesAllocated - before.tablesAllocated,
      alloc_lpt: made,
      free: counters.tablesFreed - before.tablesFreed,
      free_lpt: made - ((tables?.lpt ?? 0) - largeBefore),
      flush: counters.tlbInvalidations - before.tlbInvalidations,
      ...(vm && { tables, vmas: vm.gpuvm.count, regions: vm.regions.size }),
      ...(counters.bindWaits > before.bindWaits && { waited: counters.bindWaits - before.bindWaits }),
    });
  }

  #issue({ flags, ops, wait = [], sig = [] }: BindStep["bind"]): number {
    const user = new UserMemory();
    const opBytes = new Uint8Array(ops.length * VM_BIND_OP.size);
    const view = new DataView(opBytes.buffer);
    for (const [i, op] of ops.entries()) {
      const at = i * VM_BIND_OP.size;
      VM_BIND_OP.write(view, at, { op: op.op, flags: op.flags, handle: op.handle, pad: op.pad ?? 0 });
      // As bits: a u64 of the vectors may be one that a number cannot hold.
      view.setBigUint64(at + VM_BIND_OP.fields.addr.offset, BigInt(op.addr), true);
      view.setBigUint64(at + VM_BIND_OP.fields.boOffset.offset, BigInt(op.bo_offset), true);
      view.setBigUint64(at + VM_BIND_OP.fields.range.offset, BigInt(op.range), true);
    }
    if (ops.length > 0) user.place(OPS_ADDR, opBytes);
    placeSyncs(user, WAIT_ADDR, wait);
    placeSyncs(user, SIGNAL_ADDR, sig);
    const arg = VM_BIND.encode({
      opCount: ops.length,
      flags,
      waitCount: wait.length,
      sigCount: sig.length,
      waitPtr: WAIT_ADDR,
      sigPtr: SIGNAL_ADDR,
      opPtr: OPS_ADDR,
    });
    return this.#file.ioctl(IOCTL_VM_BIND, arg, user);
  }

  #check({ check, translate }: Extract<Step, { check: unknown }>, where: string): Mismatch | null {
    return (
      checkState(this.#device, this.#file, check, `${where}.check`) ??
      checkTranslations(this.#file, translate ?? [], `${where}.translate`)
    );
  }

  end({ final, translate, fini }: VmBindCase): Mismatch | null {
    if (!final || !translate || !fini) return null;
    const found =
      checkState(this.#device, this.#file, final, "final") ??
      checkTranslations(this.#file, translate, "translate");
    if (found !== null) return found;
    const { counters, memory, gems, tableCache } = this.#device;
    const before = counters.tablesFreed;
    this.#file.close();
    return mismatch("fini", fini, {
      free: counters.tablesFreed - before,
      pt_live: memory.tables.live,
      gem_live: gems.size,
      ...(fini.warn !== undefined && { warn: 0 }),
      cached: tableCache.cached,
    });
  }
}

function initBytes(kernelManagedAddr: number, kernelManagedSize: number): Uint8Array {
  return VM_INIT.encode({ kernelManagedAddr, kernelManagedSize });
}

function placeSyncs(user: UserMemory, addr: number, syncs: readonly VectorSync[]): void {
  if (syncs.length === 0) return;
  const bytes = new Uint8Array(syncs.length * SYNC.size);
  const view = new DataView(bytes.buffer);
  for (const [i, [flags, handle, value]] of syncs.entries()) {
    SYNC.write(view, i * SYNC.size, {
      flags,
      handle,
      timelineValue: typeof value === "number" ? value : u64Of(value),
    });
  }
  user.place(addr, bytes);
}

function hex(value: number): string {
  return `0x${value.toString(16)}`;
}
