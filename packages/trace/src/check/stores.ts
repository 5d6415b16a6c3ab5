/**
 * Recorded GPU stores against the model: the page tables must send each address where the recording says, and the
 * value must then be found there.
 *
 * @module
 */

import { type GemObject, hex } from "@vmbind/drm";
import type { TraceExec, TraceLanding, TraceStore } from "../format.ts";
import type { Machine, ModelVm } from "../lens.ts";

/** A store that lands elsewhere. */
export interface StoreDifference {
  /** Where the recording has it. */
  expected: string;
  /** Where the model sends it. */
  got: string;
}

/** Compares the jobs of one trace. */
export class StoreCheck {
  /** Addresses compared so far: stores, and one batch address per job. */
  checked = 0;
  readonly #machine: Machine;
  readonly #gems = new Map<number, GemObject>();

  /** @param machine - the model */
  constructor(machine: Machine) {
    this.#machine = machine;
  }

  /**
   * Remember an object by the ioctl that made it: handles are given out again, seqs are not.
   *
   * @param seq - of the creating ioctl
   * @param gem - the object
   */
  created(seq: number, gem: GemObject | undefined): void {
    if (gem) this.#gems.set(seq, gem);
  }

  /**
   * Run a job's stores.
   *
   * @param exec - the job
   * @returns what landed elsewhere
   */
  run(exec: TraceExec): StoreDifference[] {
    const found = [...this.#machine.file.vms()].find(([id]) => id === exec.vm);
    if (!found) return [{ expected: `VM ${exec.vm}`, got: "no such VM" }];
    const vm = found[1];
    const differences = [this.#land(vm, exec.batch), ...exec.stores.map((store) => this.#store(vm, store))];
    this.checked += differences.length;
    return differences.filter((d) => d !== null);
  }

  #land(vm: ModelVm, landing: TraceLanding): StoreDifference | null {
    const expected = this.#expected(landing);
    const got = this.#got(vm, landing.va);
    return expected === got ? null : { expected: `${hex(landing.va)} -> ${expected}`, got };
  }

  #store(vm: ModelVm, store: TraceStore): StoreDifference | null {
    const elsewhere = this.#land(vm, store);
    if (elsewhere || store.to === "fault") return elsewhere;
    vm.addressSpace.store32(store.va, store.value);
    const read = store.to === "bo" ? this.#readBack(store) : vm.addressSpace.load32(store.va);
    const expected = store.to === "bo" ? store.value : 0;
    if (read === expected) return null;
    return { expected: `${hex(store.va)} then holds ${hex(expected)}`, got: hex(read) };
  }

  #readBack({ gemSeq, offset }: TraceStore): number {
    const bytes = new Uint8Array(4);
    this.#machine.memory.read(this.#address(gemSeq, offset), bytes);
    return new DataView(bytes.buffer).getUint32(0, true);
  }

  #address(gemSeq: number, offset: number): number {
    const gem = this.#gems.get(gemSeq);
    if (gem === undefined || gem.residentBytes === 0 || !(offset < gem.size)) return Number.NaN;
    const [first] = gem.segments(offset, 1);
    return first?.pa ?? Number.NaN;
  }

  #expected({ to, gemSeq, offset }: TraceLanding): string {
    if (to !== "bo") return to;
    return `BO of seq ${gemSeq} + ${hex(offset)} (physical ${hex(this.#address(gemSeq, offset))})`;
  }

  #got(vm: ModelVm, va: number): string {
    const walk = vm.addressSpace.walk(va);
    if (walk.kind === "fault") return "fault";
    // A scratch page looks like a null page to the GPU; only the VA manager knows whether something is mapped.
    if (walk.kind === "null") return vm.gpuvm.findFirst(va, 1) === 0 ? "scratch" : "null";
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
