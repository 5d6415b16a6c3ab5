/**
 * `panthor-pgtable`: operations on a fresh VM, what each of them cost, and the page table at the end.
 *
 * Operations go through `ioctl` as bytes. The vectors show what the real code does, so its defects are switched on.
 *
 * @module
 */

import { DrmError, type IoctlCall, issue, RECORDED_PROFILE, type StructLayout } from "@vmbind/drm";
import { GPUVA_SPARSE } from "@vmbind/gpuvm-core";
import {
  FoundLeaves,
  type Mismatch,
  mismatch,
  u64Of,
  type VectorCheck,
} from "@vmbind/gpuvm-core/conformance";
import { lpae4k, ScatterList, visitEntries } from "@vmbind/mmu";
import type { PanthorBo } from "../bo.ts";
import type { PanthorCounters } from "../cost-sheet.ts";
import { PanthorDevice } from "../device.ts";
import type { PanthorFile } from "../file.ts";
import { BLOCK_2M } from "../page-sizes.ts";
import { REPEAT_PATCH_QUIRKS } from "../quirks.ts";
import {
  IOCTL_VM_BIND,
  MAP_REPEAT,
  MAP_SPARSE,
  OP_MAP,
  OP_UNMAP,
  SYNC_OP,
  SYNC_OP_SIGNAL,
  VM_BIND,
  VM_BIND_ASYNC,
  VM_BIND_OP,
  VM_BIND_OP_REPEAT,
  type VmBindOpRepeat,
} from "../uapi.ts";
import type { PanthorVm } from "../vm.ts";
import { runOp } from "../vm-bind.ts";
import { first } from "./units.ts";

/** Operations of one ioctl, as Mesa batches them. */
const OPS_PER_IOCTL = 16;
const OPS_ADDRESS = 0x700000000000;
const SYNCS_ADDRESS = 0x710000000000;
/** A parsed JSON object. */
type Json = Record<string, unknown>;

/** The longest list of leaves that was recorded, in runs; two of 24415 were left out. */
const RUNS_LISTED = 84;

/** A handle that no case uses. */
const UNKNOWN_HANDLE = 0x7fff0000;

/** Check one case of `panthor-pgtable`. */
export const checkPageTable: VectorCheck = (testCase) => {
  const run = new Run(testCase);
  const ops = testCase["ops"] as Json[];
  for (const [i, op] of ops.entries()) {
    const found = run.step(op, `ops[${i}]`);
    if (found) return found;
  }
  const found = run.final(testCase);
  run.retire();
  return found;
};

function segments(json: Json): ScatterList {
  const chunks = json["chunks"] as [string, string][];
  return ScatterList.of(chunks.map(([pa, bytes]) => ({ pa: u64Of(pa), bytes: u64Of(bytes) })));
}

/** One case being run. */
class Run {
  readonly #device: PanthorDevice;
  readonly #file: PanthorFile;
  readonly #vmId: number;
  readonly #vm: PanthorVm;
  readonly #handles: Map<number, number> = new Map();
  readonly #ids: Map<PanthorBo, number> = new Map();
  readonly #layout: StructLayout<VmBindOpRepeat>;
  readonly #coherent: boolean;
  #locks: number[] = [];

  constructor(testCase: Json) {
    const config = testCase["config"] as Json;
    const repeats = (testCase["ops"] as Json[]).some((op) => op["op"] === "repeat");
    this.#coherent = config["coherent"] === 1;
    this.#device = new PanthorDevice({
      vaBits: config["ias"] as number,
      paBits: config["oas"] as number,
      coherent: this.#coherent,
      activeAs: config["active"] === 1,
      repeat: repeats ? "v4" : "off",
      quirks: repeats ? REPEAT_PATCH_QUIRKS : RECORDED_PROFILE,
      ...(testCase["dummy"] ? { dummyPages: segments(testCase["dummy"] as Json) } : {}),
    });
    this.#file = this.#device.open();
    this.#vmId = this.#file.createVm(u64Of(config["user_va_range"]));
    this.#vm = this.#file.vm(this.#vmId) as PanthorVm;
    this.#vm.as.onLock = (lockaddr) => this.#locks.push(lockaddr);
    this.#layout = (repeats ? VM_BIND_OP_REPEAT : VM_BIND_OP) as StructLayout<VmBindOpRepeat>;
    this.#ids.set(this.#file.dummy, 0);
    for (const bo of testCase["bos"] as Json[]) this.#addBo(bo);
  }

  /** The case is over: the memory of its tables is for the next one. */
  retire(): void {
    this.#device.memory.tables.retire();
  }

  #addBo(json: Json): void {
    const pages = segments(json);
    const exclusive = json["exclusive"] ?? "this";
    const owner =
      exclusive === "this"
        ? this.#vm
        : exclusive === "none"
          ? null
          : this.#file.vm(this.#file.createVm(BLOCK_2M));
    const handle = this.#file.createBo(pages.totalBytes, {
      pages,
      exclusiveVm: owner ?? null,
      smallFolios: json["small_folios"] === 1,
    });
    // Vectors of what page-table calls do when VA manager and table disagree have such objects, of which the driver cuts
    // blocks without widening. The model always widens where a block is, so here it is not told of any.
    if (json["small_folios"] === 1) this.#vm.pageTable.io.isBlock = () => false;
    this.#handles.set(json["id"] as number, handle);
    this.#ids.set(this.#file.bo(handle) as PanthorBo, json["id"] as number);
  }

  /** Run one operation and compare what it returned and cost. */
  step(op: Json, at: string): Mismatch | null {
    const kind = op["op"] as string;
    const before: PanthorCounters = { ...this.#device.counters };
    this.#locks = [];
    if (kind === "io_map" || kind === "io_unmap") return this.#ioStep(op, at, before);
    const got: Json = this.#runOp(op, kind);
    const expected = op["stats"] as Json;
    const stats: Json = this.#stats(before, expected);
    // Where one operation of the case is many of the driver it says how many.
    if (kind === "loop" || kind === "blackhole")
      Object.assign(stats, { ops: got["ops"], ioctls: got["ioctls"] });
    return first([
      mismatch(`${at}.ret`, op["ret"], got["ret"]),
      op["stage"] === undefined ? null : mismatch(`${at}.stage`, op["stage"], got["stage"]),
      mismatch(`${at}.stats`, { warns: 0, ...expected }, stats),
    ]);
  }

  #stats(before: PanthorCounters, expected: Json): Json {
    const now = this.#device.counters;
    const since = (name: keyof PanthorCounters) => now[name] - before[name];
    const listed = Array.isArray(expected["lock"]);
    return {
      io_map: since("ioMapCalls"),
      io_unmap: since("ioUnmapCalls"),
      pt_rsvd: since("tablesReserved"),
      pt_used: since("tablesAllocated"),
      pt_freed: since("tablesFreed"),
      lock: listed ? this.#locks.map((lockaddr) => `0x${lockaddr.toString(16)}`) : since("asLock"),
      flush: since("asFlush"),
      unlock: since("asUnlock"),
      vmas: this.#vm.gpuvm.count,
      unusable: this.#vm.unusable ? 1 : 0,
      ...(this.#coherent ? {} : { cleans: [since("cacheCleans"), since("cacheCleanBytes")] }),
      warns: since("kernelWarnings"),
    };
  }

  #runOp(op: Json, kind: string): Json {
    switch (kind) {
      case "map":
        return this.#bind([this.#fields(op, OP_MAP)]);
      case "repeat":
        return this.#bind([{ ...this.#fields(op, OP_MAP + MAP_REPEAT), boRepeatRange: u64Of(op["repeat"]) }]);
      case "sparse":
        return this.#device.repeats ? this.#sparseBesideRepeat(op) : this.#bind([this.#fields(op, OP_MAP)]);
      case "unmap":
        return this.#bind([this.#fields(op, OP_UNMAP)]);
      case "bind":
        return this.#bind([this.#fields(op, 0)], { syncs: op["syncs"] as number });
      case "async":
        return this.#bind([this.#fields(op, 0)], { syncs: op["syncs"] as number, async: true });
      case "loop":
        return this.#bind(this.#loop(op));
      case "blackhole":
        return this.#bind(this.#blackhole(op));
      case "evict":
      case "restore":
        return this.#reclaim(kind, op);
      default:
        throw new Error(`conformance: no operation ${kind}`);
    }
  }

  #fields(op: Json, flags: number): Partial<VmBindOpRepeat> {
    const given = op["flags"] ?? 0;
    return {
      flags: (typeof given === "string" ? u64Of(given) : (given as number)) + flags,
      boHandle: this.#handle(op["bo"] as number | undefined),
      boOffset: op["offset"] === undefined ? 0 : u64Of(op["offset"]),
      va: u64Of(op["va"]),
      size: u64Of(op["size"]),
    };
  }

  #handle(id: number | undefined): number {
    if (id === undefined || id === 0) return 0;
    return this.#handles.get(id) ?? UNKNOWN_HANDLE + id;
  }

  #loop(op: Json): Partial<VmBindOpRepeat>[] {
    const [va, step, offset, offsetStep] = ["va", "step", "offset", "offset_step"].map((name) =>
      u64Of(op[name]),
    ) as [number, number, number, number];
    const boHandle = this.#handle(op["bo"] as number);
    return Array.from({ length: op["count"] as number }, (_, i) => ({
      flags: op["flags"] as number,
      boHandle,
      boOffset: offset + i * offsetStep,
      va: va + i * step,
      size: step,
    }));
  }

  #blackhole(op: Json): Partial<VmBindOpRepeat>[] {
    const boHandle = this.#handle(op["bo"] as number);
    const boSize = (this.#file.bo(boHandle) as PanthorBo).size;
    const ops: Partial<VmBindOpRepeat>[] = [];
    const end = u64Of(op["va"]) + u64Of(op["size"]);
    for (let va = u64Of(op["va"]); va < end; ) {
      const boOffset = va % boSize;
      const size = Math.min(boSize - boOffset, end - va);
      ops.push({ flags: op["flags"] as number, boHandle, boOffset, va, size });
      va += size;
    }
    return ops;
  }

  /** MAP_SPARSE on a device whose uAPI has MAP_REPEAT in its place: past the decoder. */
  #sparseBesideRepeat(json: Json): Json {
    const op = this.#vm.syncOp;
    Object.assign(op, { type: OP_MAP, kind: GPUVA_SPARSE, boHandle: 0, boOffset: 0, repeatRange: 0, pad: 0 });
    Object.assign(op, {
      flags: (json["flags"] as number) | MAP_SPARSE,
      va: u64Of(json["va"]),
      size: u64Of(json["size"]),
    });
    return { ret: errnoOf(() => runOp(this.#file, this.#vm, op)) };
  }

  #reclaim(kind: string, op: Json): Json {
    const id = op["bo"] as number;
    const bo = id === 0 ? this.#file.dummy : (this.#file.bo(this.#handle(id)) as PanthorBo);
    return { ret: errnoOf(() => (kind === "evict" ? this.#device.evict(bo) : this.#device.restore(bo))) };
  }

  #bind(ops: readonly Partial<VmBindOpRepeat>[], how: { syncs?: number; async?: boolean } = {}): Json {
    let ioctls = 0;
    let ret = 0;
    for (let i = 0; i < ops.length && ret === 0; i += OPS_PER_IOCTL) {
      ret = issue(
        this.#file,
        this.#call(ops.slice(i, i + OPS_PER_IOCTL), how.syncs ?? 0, how.async ?? false),
      );
      ioctls++;
    }
    const stage = how.async && ret !== 0 ? "submit" : "exec";
    if (how.async && ret === 0) ret = this.#vm.queue.last?.error ?? 0;
    return { ret, stage, ops: ops.length, ioctls };
  }

  #call(ops: readonly Partial<VmBindOpRepeat>[], syncs: number, async: boolean): IoctlCall {
    const { size: stride } = this.#layout;
    const bytes = new Uint8Array(ops.length * stride);
    const signals = new Uint8Array(syncs * SYNC_OP.size);
    for (let i = 0; i < syncs; i++) {
      const handle = this.#file.syncobjs.create();
      SYNC_OP.write(new DataView(signals.buffer), i * SYNC_OP.size, { flags: SYNC_OP_SIGNAL, handle });
    }
    for (const [i, op] of ops.entries()) {
      this.#layout.write(new DataView(bytes.buffer), i * stride, {
        ...op,
        syncs: { stride: SYNC_OP.size, count: syncs, array: syncs ? SYNCS_ADDRESS : 0 },
      });
    }
    return {
      name: "PANTHOR_VM_BIND",
      request: IOCTL_VM_BIND,
      arg: VM_BIND.encode({
        vmId: this.#vmId,
        flags: async ? VM_BIND_ASYNC : 0,
        ops: { stride, count: ops.length, array: OPS_ADDRESS },
      }),
      buffers: [
        { addr: OPS_ADDRESS, bytes },
        { addr: SYNCS_ADDRESS, bytes: signals },
      ],
    };
  }

  /** A raw io-pgtable call; tables without limit. */
  #ioStep(op: Json, at: string, before: PanthorCounters): Mismatch | null {
    const { io } = this.#vm.pageTable;
    io.reserved = Number.POSITIVE_INFINITY;
    const [va, pgsize] = [u64Of(op["va"]), u64Of(op["pgsize"])];
    const pgcount = op["pgcount"] as number;
    const got: Json = {};
    if (op["op"] === "io_map") {
      got["ret"] = io.mapPages(va, u64Of(op["pa"]), pgsize, pgcount, op["prot"] as number);
      got["mapped"] = `0x${io.mapped.toString(16)}`;
    } else {
      got["unmapped"] = `0x${io.unmapPages(va, pgsize, pgcount).toString(16)}`;
    }
    const stats = this.#stats(before, {});
    return first(
      ["ret", "mapped", "unmapped", "pt_used", "pt_freed", "warns"]
        .filter((name) => name in op)
        .map((name) => mismatch(`${at}.${name}`, op[name], got[name] ?? stats[name] ?? 0)),
    );
  }

  /** Compare the final state. */
  final(testCase: Json): Mismatch | null {
    const { ias } = this.#vm.pageTable.io;
    const format = lpae4k(ias);
    const root = this.#vm.addressSpace.root;
    const memory = this.#device.memory;
    const count: Json = { l0: 0, l1: 0, l2: 0, l3: 0 };
    const rootLevel = 4 - format.levels.length;
    count[`l${rootLevel}`] = 1;
    const found = new FoundLeaves(testCase["ptes"] as unknown[] | undefined);
    const atLevel = [0, 0, 0, 0];
    visitEntries(memory, format, root, {
      directory: (_va, level) => {
        count[`l${level + 1}`] = (count[`l${level + 1}`] as number) + 1;
      },
      leaf: (va, level, lo, hi) => {
        atLevel[level] = (atLevel[level] as number) + 1;
        found.take(va, level, lo, hi);
      },
    });
    return first([
      mismatch("tables.count", (testCase["tables"] as Json)["count"], count),
      mismatch("leaves", testCase["leaves"], {
        blocks_l1: atLevel[1],
        blocks_l2: atLevel[2],
        pages_l3: atLevel[3],
      }),
      mismatch("entries", testCase["entries"], found.count),
      found.compare(RUNS_LISTED),
      mismatch("digest", testCase["digest"], found.digest()),
      testCase["vma_count"] === undefined
        ? null
        : mismatch("vma_count", testCase["vma_count"], this.#vm.gpuvm.count),
      testCase["vmas"] === undefined ? null : mismatch("vmas", testCase["vmas"], this.#vmas()),
      this.#compareTranslations(testCase["translate"] as [string, string | null][]),
    ]);
  }

  #vmas(): unknown[] {
    return [...this.#vm.mappings()].map((m) => [
      `0x${m.addr.toString(16)}`,
      `0x${m.range.toString(16)}`,
      this.#ids.get(m.gem as PanthorBo),
      `0x${m.offset.toString(16)}`,
      m.flags,
      m.evicted ? 1 : 0,
    ]);
  }

  #compareTranslations(expected: readonly [string, string | null][]): Mismatch | null {
    for (const [i, [va, pa]] of expected.entries()) {
      const walk = this.#vm.addressSpace.walk(u64Of(va));
      const got = walk.kind === "page" ? `0x${walk.pa.toString(16)}` : null;
      if (got !== pa) return { field: `translate[${i}]`, expected: pa, got };
    }
    return null;
  }
}

function errnoOf(run: () => void): number {
  try {
    run();
    return 0;
  } catch (error) {
    if (error instanceof DrmError) return -error.errno;
    throw error;
  }
}
