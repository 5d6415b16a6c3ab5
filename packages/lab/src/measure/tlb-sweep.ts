/**
 * A GPU that loads its way through a range, with a TLB of its own that is cold at the start: how often it misses, and how
 * many table entries the walker then reads. Nothing is counted on the device's cost sheet but the walker's steps.
 *
 * @module
 */

import { AddressSpace, Tlb, Walk, xorshift32 } from "@vmbind/mmu";
import type { SweepFigures } from "./sweep-figures.ts";

/** The smallest page of all drivers: no leaf is skipped. */
const STRIDE_BYTES = 4096;
const TLB_ENTRIES = 64;
const TLB_WAYS = 4;
const RANDOM_ACCESSES_MAX = 65536;
const RANDOM_SEED = 1;

/**
 * Load every 4096 bytes from the start of a range to its end.
 *
 * @param space - whose tables
 * @param va - start of the range
 * @param bytes - its length
 */
export function sweepSequential(space: AddressSpace, va: number, bytes: number): SweepFigures {
  const end = va + bytes;
  return sweep(space, Math.ceil(bytes / STRIDE_BYTES), (gpu, tlb) => {
    const walk = new Walk();
    let misses = 0;
    let faults = 0;
    for (let at = va; at < end; misses++) {
      // Behind every leaf that the TLB has by now: what is loaded here is in none of them.
      const { kind, sizeBytes } = gpu.walk(at, walk);
      // The TLB has the leaf now, and nothing takes it away before its end: what is loaded there hits. A fault is not remembered.
      const rest = kind === "fault" ? 0 : (Math.floor(at / sizeBytes) + 1) * sizeBytes - at;
      if (kind === "fault") faults++;
      at += Math.max(1, Math.ceil(rest / STRIDE_BYTES)) * STRIDE_BYTES;
    }
    tlb.counters.tlbMisses += misses;
    return faults;
  });
}

/**
 * Load at random multiples of 4096 bytes in a range, always the same ones.
 *
 * @param space - whose tables
 * @param va - start of the range
 * @param bytes - its length
 */
export function sweepRandom(space: AddressSpace, va: number, bytes: number): SweepFigures {
  const pages = Math.ceil(bytes / STRIDE_BYTES);
  const next = xorshift32(RANDOM_SEED);
  const accesses = Math.min(pages, RANDOM_ACCESSES_MAX);
  return sweep(space, accesses, (gpu) => {
    const walk = new Walk();
    let faults = 0;
    for (let i = 0; i < accesses; i++) {
      if (gpu.translate(va + (next() % pages) * STRIDE_BYTES, walk).kind === "fault") faults++;
    }
    return faults;
  });
}

/** @param run - loads, and returns how many of its loads found no translation */
function sweep(
  space: AddressSpace,
  accesses: number,
  run: (gpu: AddressSpace, tlb: Tlb) => number,
): SweepFigures {
  const tlb = new Tlb({ entries: TLB_ENTRIES, ways: TLB_WAYS });
  const { memory, format, root, asid } = space;
  const gpu = new AddressSpace(memory, format, root, { asid, tlb });
  const stepsBefore = memory.counters.walkSteps;
  const faults = run(gpu, tlb);
  return {
    tlbEntries: TLB_ENTRIES,
    tlbWays: TLB_WAYS,
    strideBytes: STRIDE_BYTES,
    accesses,
    walkSteps: memory.counters.walkSteps - stepsBefore,
    tlbMisses: tlb.counters.tlbMisses,
    faults,
  };
}
