/**
 * `msm-vmbind`: VM_BINDs on a file that manages its VM, with what else happens to objects in between; what each of it cost, the
 * page-table operations that it caused, the state at the end, and what closing the file leaves.
 *
 * Everything goes through `ioctl` as bytes, but for the shrinker, the scheduler's breaks and the fences of others.
 *
 * @module
 */

import {
  type AllocFault,
  type AllocPoint,
  DrmError,
  type Fence,
  RECORDED_PROFILE,
  UserMemory,
  viewOf,
} from "@vmbind/drm";
import { vmBosOf } from "@vmbind/gpuvm-core";
import { type Mismatch, mismatch, u64Of, type VectorCheck } from "@vmbind/gpuvm-core/conformance";
import { ScatterList } from "@vmbind/mmu";
import type { PageTableOp } from "../bind-job.ts";
import { MsmBo } from "../bo.ts";
import type { MsmCounters } from "../cost-sheet.ts";
import { MsmDevice } from "../device.ts";
import type { MsmFile } from "../file.ts";
import * as uapi from "../uapi.ts";
import type { MsmVm } from "../vm.ts";
import { bindCall, type VectorOp } from "./bind-call.ts";
import { compareState, hexOf } from "./state.ts";

type Json = Record<string, unknown>;

/** Steps that an operation lists at most. */
const STEPS_LISTED = 40;

/** Members of an operation that say what came of it. */
const GIVEN = ["ret", "out_fence_fd", "done", "ran", "retained", "fence", "signaled", "pa", "bos"];

/** What the allocations of the real code are called here. */
const SITES: Readonly<Record<string, AllocPoint>> = {
  pt_array: "page-table",
  vm_op: "gpuva",
  pages: "bo-pages",
  job: "op-array",
};

/** Check one case of `msm-vmbind`. */
export const checkVmBind: VectorCheck = (testCase) => {
  const run = new Run(testCase);
  for (const [i, op] of (testCase["ops"] as Json[]).entries()) {
    const found = run.step(op, `ops[${i}]`);
    if (found !== null) return found;
  }
  const found = run.final(testCase["final"] as Json) ?? run.close(testCase["close"] as Json);
  run.retire();
  return found;
};

/** One case being run. */
class Run {
  readonly #device: MsmDevice;
  readonly #file: MsmFile;
  readonly #vm: MsmVm;
  readonly #bos: Map<number, MsmBo> = new Map();
  readonly #ids: Map<MsmBo, number> = new Map();
  readonly #pending: Map<number, Fence> = new Map();
  readonly #coherent: boolean;
  #fault: { point: AllocPoint; left: number } | null = null;
  #steps: unknown[] = [];

  constructor(testCase: Json) {
    const config = testCase["config"] as Json;
    this.#coherent = config["coherent"] === 1;
    const allocFault: AllocFault = (point) => {
      const fault = this.#fault;
      if (fault === null || fault.point !== point || --fault.left > 0) return false;
      this.#fault = null;
      return true;
    };
    this.#device = new MsmDevice({
      vaBits: config["ias"] as number,
      paBits: config["oas"] as number,
      coherent: this.#coherent,
      prr: config["prr"] === 1,
      prrPage: u64Of(config["prr_page"]),
      quirks: RECORDED_PROFILE,
      allocFault,
    });
    this.#file = this.#device.open();
    const enable = { pipe: uapi.PIPE_3D0, param: uapi.PARAM.enVmBind, value: 1 };
    this.#file.ioctl(uapi.IOCTL_SET_PARAM, uapi.PARAM_ARG.encode(enable));
    for (const flags of (config["queues"] as number[] | undefined) ?? [uapi.SUBMITQUEUE_VM_BIND]) {
      this.#file.ioctl(uapi.IOCTL_SUBMITQUEUE_NEW, uapi.SUBMITQUEUE_NEW.encode({ flags }));
    }
    this.#vm = this.#file.needVm();
    this.#vm.observer = (op) => this.#steps.push(this.#stepOf(op));
    for (const bo of testCase["bos"] as Json[]) this.#addBo(bo);
  }

  /** The case is over: the memory of its tables is for the next one. */
  retire(): void {
    this.#device.memory.tables.retire();
  }

  #addBo(json: Json): void {
    const chunks = json["chunks"] as [string, string][];
    const pages = ScatterList.of(chunks.map(([pa, bytes]) => ({ pa: u64Of(pa), bytes: u64Of(bytes) })));
    const flags = u64Of(json["flags"]);
    const handle = this.#file.createBo(u64Of(json["size"]), { flags, pages });
    const bo = this.#file.bo(handle) as MsmBo;
    this.#bos.set(json["id"] as number, bo);
    this.#ids.set(bo, json["id"] as number);
  }

  #stepOf({ kind, iova, range, bo, offset, prot, done }: PageTableOp): unknown[] {
    const ret = done ? [] : [-22];
    if (kind === "unmap") return [kind, hexOf(iova), hexOf(range), ...ret];
    return [kind, hexOf(iova), hexOf(range), bo === null ? 0 : this.#idOf(bo), hexOf(offset), prot, ...ret];
  }

  #idOf(bo: MsmBo): number {
    return this.#ids.get(bo) ?? 0;
  }

  /** Run one operation, and compare what it gave, cost and did. */
  step(op: Json, at: string): Mismatch | null {
    const before: MsmCounters = { ...this.#device.counters };
    const jobsBefore = this.#vm.scheduler.jobs.length;
    this.#steps = [];
    const got: Json = this.#runOp(op);
    if ("ran" in op) got["ran"] = jobsBefore - this.#vm.scheduler.jobs.length;
    // The number of a syncobj is given by the case, for later operations.
    const names = op["op"] === "syncobj" ? ["handle"] : GIVEN;
    for (const name of names) {
      if (!(name in op) && !(name in got)) continue;
      const found = mismatch(`${at}.${name}`, op[name], got[name]);
      if (found !== null) return found;
    }
    if (op["stats"] === undefined) return null;
    return (
      mismatch(`${at}.stats`, this.#expectedStats(op["stats"] as Json), this.#stats(before)) ??
      (op["nsteps"] === undefined
        ? mismatch(`${at}.steps`, op["steps"], this.#steps)
        : mismatch(`${at}.nsteps`, op["nsteps"], Math.max(this.#steps.length, STEPS_LISTED + 1)))
    );
  }

  /** Zeros may be left out, and so may cleans on a device that needs none. */
  #expectedStats(stats: Json): Json {
    const zeros = {
      io_map: 0,
      io_unmap: 0,
      pt_rsvd: 0,
      pt_back: 0,
      tlb: 0,
      unusable: 0,
      in_flight: 0,
      queued: 0,
    };
    return { ...zeros, ...(this.#coherent ? {} : { cleans: [0, 0] }), ...stats };
  }

  #stats(before: MsmCounters): Json {
    const now = this.#device.counters;
    const since = (name: keyof MsmCounters): number => now[name] - before[name];
    return {
      io_map: since("ioMapCalls"),
      io_unmap: since("ioUnmapCalls"),
      pt_rsvd: since("tablesReserved"),
      pt_back: since("tablesReturned"),
      tlb: since("tlbInvalidations"),
      vmas: this.#vm.gpuvm.count,
      unusable: this.#vm.unusable ? 1 : 0,
      in_flight: this.#vm.inFlight,
      queued: this.#vm.scheduler.jobs.length,
      ...(!this.#coherent && { cleans: [since("cacheCleans"), since("cacheCleanBytes")] }),
    };
  }

  #runOp(op: Json): Json {
    const file = this.#file;
    switch (op["op"]) {
      case "bind":
        return this.#bind(op, op["ops"] as VectorOp[]);
      case "loop":
        return this.#loop(op);
      case "submit":
        return this.#submit(op["queue"] as number);
      case "evict":
      case "purge":
        return this.#reclaim(op["op"], op["bo"] as number);
      case "madvise":
        return this.#madvise(op);
      case "gem_close": {
        const arg = uapi.GEM_CLOSE.encode({ handle: op["bo"] as number });
        return { ret: file.ioctl(0x40086409, arg) };
      }
      case "syncobj":
        return { handle: this.#makeSyncobj(op["state"] as string) };
      case "syncobj_state": {
        const fence = file.syncobjs.get(op["handle"] as number)?.fence ?? null;
        return { fence: fence === null ? 0 : 1, signaled: fence === null ? -1 : fence.signaled ? 1 : 0 };
      }
      case "signal":
        this.#pending.get(op["handle"] as number)?.signal();
        return {};
      case "hold":
        this.#vm.scheduler.hold();
        return {};
      case "run":
        this.#vm.scheduler.resume();
        return {};
      case "fault":
        this.#fault = { point: SITES[op["site"] as string] as AllocPoint, left: op["nth"] as number };
        return {};
      default:
        return { pa: (op["va"] as string[]).map((va) => this.#translate(u64Of(va))), bos: this.#boRows() };
    }
  }

  #bind(op: Json, ops: readonly VectorOp[]): Json {
    const { arg, buffers } = bindCall(op, ops);
    const user = new UserMemory();
    for (const { addr, bytes } of buffers) user.place(addr, bytes);
    const ret = this.#file.ioctl(uapi.IOCTL_VM_BIND, arg, user);
    const wantsFd = ((op["flags"] as number) & uapi.VM_BIND_FENCE_FD_OUT) !== 0;
    if (ret !== 0 || !wantsFd) return { ret };
    return { ret, out_fence_fd: uapi.VM_BIND.read(viewOf(arg)).fenceFd };
  }

  #loop(op: Json): Json {
    const [kind, handle, offset, iova, range, flags] = op["bind"] as [
      string,
      number,
      string,
      string,
      string,
      number,
    ];
    const [iovaStep, offsetStep] = [u64Of(op["iova_step"]), u64Of(op["offset_step"])];
    for (let i = 0; i < (op["count"] as number); i++) {
      const at = hexOf(u64Of(iova) + i * iovaStep);
      const from = hexOf(u64Of(offset) + i * offsetStep);
      const { ret } = this.#bind({ queue: op["queue"], flags: 0 }, [[kind, handle, from, at, range, flags]]);
      if (ret !== 0) return { ret };
    }
    return { ret: 0 };
  }

  #submit(queueid: number): Json {
    const arg = uapi.GEM_SUBMIT.encode({ flags: uapi.PIPE_3D0, queueid });
    return { ret: this.#file.ioctl(uapi.IOCTL_GEM_SUBMIT, arg) };
  }

  /** The shrinker looks at objects, whether they have handles or not. */
  #reclaim(how: "evict" | "purge", id: number): Json {
    const bo = this.#bos.get(id) as MsmBo;
    if (this.#device.gems.get(bo.id) !== bo) return { done: 0 };
    try {
      this.#device[how](bo);
      return { done: 1 };
    } catch (error) {
      if (!(error instanceof DrmError)) throw error;
      return { done: 0 };
    }
  }

  #madvise(op: Json): Json {
    const arg = uapi.GEM_MADVISE.encode({ handle: op["bo"] as number, madv: op["madv"] as number });
    const ret = this.#file.ioctl(uapi.IOCTL_GEM_MADVISE, arg);
    return { ret, retained: uapi.GEM_MADVISE.read(viewOf(arg)).retained };
  }

  #makeSyncobj(state: string): number {
    const handle = this.#file.syncobjs.create(state === "signaled");
    if (state === "pending") this.#pending.set(handle, this.#file.syncobjs.attachFence(handle));
    return handle;
  }

  #translate(va: number): string | null {
    const walk = this.#vm.addressSpace.walk(va);
    return walk.kind === "page" ? hexOf(walk.pa) : null;
  }

  /** The objects that there are. */
  #boRows(): unknown[] {
    return [...this.#bos]
      .filter(([, bo]) => this.#device.gems.get(bo.id) === bo)
      .map(([id, bo]) => {
        const vmBo = vmBosOf(bo).find(({ vm }) => vm === this.#vm.gpuvm);
        return [id, bo.refs, vmBo?.refs ?? 0, bo.pins, bo.madv, bo.pages === null ? 0 : 1, bo.lru];
      });
  }

  /** Compare the state at the end. */
  final(expected: Json): Mismatch | null {
    const { gpuvm } = this.#vm;
    return (
      compareState(this.#vm, expected, (gem) => (gem instanceof MsmBo ? this.#idOf(gem) : 0)) ??
      mismatch("final.bos", expected["bos"], this.#boRows()) ??
      mismatch(
        "final.extobj",
        expected["extobj"],
        gpuvm.extobjs().map(({ gem }) => this.#idOf(gem as MsmBo)),
      ) ??
      mismatch(
        "final.evict",
        expected["evict"],
        gpuvm.evictList().map(({ gem }) => this.#idOf(gem as MsmBo)),
      ) ??
      mismatch("final.vm_refs", expected["vm_refs"], gpuvm.refs) ??
      mismatch("final.unusable", expected["unusable"], this.#vm.unusable ? 1 : 0) ??
      mismatch("final.in_flight", expected["in_flight"], this.#vm.inFlight) ??
      this.#compareTranslations(expected["translate"] as [string, string | null][])
    );
  }

  #compareTranslations(expected: readonly [string, string | null][]): Mismatch | null {
    const got = expected.map(([va]) => [va, this.#translate(u64Of(va))]);
    return mismatch("final.translate", expected, got);
  }

  /** Close the file, and compare what that took and left. */
  close(expected: Json): Mismatch | null {
    const { counters, memory } = this.#device;
    const before: MsmCounters = { ...counters };
    this.#file.close();
    const left = [...this.#bos].filter(([, bo]) => this.#device.gems.get(bo.id) === bo);
    return mismatch("close", expected, {
      leaked: left.map(([id]) => id),
      unmaps: counters.ptUnmaps - before.ptUnmaps,
      io_unmap: counters.ioUnmapCalls - before.ioUnmapCalls,
      tlb: counters.tlbInvalidations - before.tlbInvalidations,
      tables_left: memory.tables.live,
      pages_left: left.filter(([, bo]) => bo.pages !== null).length + counters.backingBytes / 4096,
    });
  }
}
