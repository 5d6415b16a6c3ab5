/**
 * Recorded GPU stores against the model: the page tables must send each address where the recording says, and the
 * value must then be found there.
 *
 * @module
 */

import { type GemObject, hex, viewOf } from "@vmbind/drm";
import type { Walk } from "@vmbind/mmu";
import type { OpenDevice } from "../device.ts";
import type { ModelVm } from "../lens.ts";
import type { TraceExec, TraceLanding, TraceMark, TraceStore } from "../record.ts";
import type { CheckedCall, Checker, Report } from "./checker.ts";

/** Reports `store` for each address or value that is elsewhere. Jobs are those of the first open file. */
export class StoreChecker implements Checker {
  /** Addresses compared so far: stores, and one batch address per job. */
  checked = 0;
  readonly #device: OpenDevice;
  readonly #report: Report;
  /** Objects by the ioctl that made them: handles are given out again, seqs are not. */
  readonly #gems = new Map<number, GemObject>();
  /** Takes what is read back. */
  readonly #word = new Uint8Array(4);

  /**
   * @param device - the model
   * @param report - takes what landed elsewhere
   */
  constructor(device: OpenDevice, report: Report) {
    this.#device = device;
    this.#report = report;
  }

  /** See {@link Checker.afterCall}. */
  afterCall({ file, recorded, action, ret }: CheckedCall): void {
    if (!recorded || action.kind !== "bo-create" || ret !== 0) return;
    const gem = this.#device.file(file).bo(action.handle);
    if (gem) this.#gems.set(recorded.seq, gem);
  }

  /** See {@link Checker.mark}. */
  mark({ exec }: TraceMark): void {
    if (exec) this.#run(exec);
  }

  #run({ vm: id, batch, stores }: TraceExec): void {
    const vm = this.#device.vm(0, id);
    if (!vm) {
      this.#report("store", `VM ${id}`, "no such VM");
      return;
    }
    this.#land(vm, batch);
    for (const store of stores) this.#store(vm, store);
    this.checked += 1 + stores.length;
  }

  /** @returns whether the address leads where it should */
  #land(vm: ModelVm, landing: TraceLanding): boolean {
    const walk = vm.addressSpace.walk(landing.va);
    // Mostly it does, and then no place has to be named.
    if (this.#isThere(vm, landing, walk)) return true;
    const expected = this.#expected(landing);
    const got = this.#got(vm, landing.va, walk);
    if (expected !== got) this.#report("store", `${hex(landing.va)} -> ${expected}`, got);
    return expected === got;
  }

  #isThere(vm: ModelVm, { va, to, gemSeq, offset }: TraceLanding, walk: Walk): boolean {
    if (to === "fault" || walk.kind === "fault") return to === walk.kind;
    if (to === "bo") return walk.kind !== "null" && walk.pa === this.#address(gemSeq, offset);
    return walk.kind === "null" && isMapped(vm, va) === (to === "null");
  }

  #store(vm: ModelVm, store: TraceStore): void {
    if (!this.#land(vm, store) || store.to === "fault") return;
    vm.addressSpace.store32(store.va, store.value);
    const read = store.to === "bo" ? this.#readBack(store) : vm.addressSpace.load32(store.va);
    const expected = store.to === "bo" ? store.value : 0;
    if (read !== expected) this.#report("store", `${hex(store.va)} then holds ${hex(expected)}`, hex(read));
  }

  #readBack({ gemSeq, offset }: TraceStore): number {
    this.#device.memory.read(this.#address(gemSeq, offset), this.#word);
    return viewOf(this.#word).getUint32(0, true);
  }

  /** NaN for a byte that has no memory. */
  #address(gemSeq: number, offset: number): number {
    const gem = this.#gems.get(gemSeq);
    if (!gem || gem.refs === 0 || gem.residentBytes === 0 || !(offset < gem.size)) return Number.NaN;
    const [first] = gem.segments(offset, 1);
    return first?.pa ?? Number.NaN;
  }

  #expected({ to, gemSeq, offset }: TraceLanding): string {
    if (to !== "bo") return to;
    return `BO of seq ${gemSeq} + ${hex(offset)} (physical ${hex(this.#address(gemSeq, offset))})`;
  }

  #got(vm: ModelVm, va: number, walk: Walk): string {
    if (walk.kind === "fault") return "fault";
    // A scratch page looks like a null page to the GPU; only the mappings know whether something is there.
    if (walk.kind === "null") return isMapped(vm, va) ? "null" : "scratch";
    for (const [seq, gem] of this.#gems) {
      // The frames of an object that is gone may belong to another one now.
      if (gem.refs === 0) continue;
      let offset = 0;
      for (const { pa, bytes } of gem.segments(0, gem.residentBytes)) {
        const inside = walk.pa - pa;
        if (inside >= 0 && inside < bytes) {
          return `BO of seq ${seq} + ${hex(offset + inside)} (physical ${hex(walk.pa)})`;
        }
        offset += bytes;
      }
    }
    return `physical ${hex(walk.pa)}`;
  }
}

function isMapped(vm: ModelVm, va: number): boolean {
  for (const { addr, range } of vm.mappings()) if (addr <= va && va < addr + range) return true;
  return false;
}
