/**
 * The speed of the real kernel code, and the check values of its workloads.
 *
 * The code ran in user space on a two-core AMD EPYC virtual machine shared with other work, one thread, CPU time. Not in
 * the figures: system calls, locks, atomics, TLB commands. So they are a lower bound for the kernel, and the opponent
 * that the model is measured against. `ns` is the lowest of several medians, `best` the fastest run.
 *
 * @module
 */

import type { Peer } from "./harness.ts";

/** A figure of the VA manager, with what the same work must come to. */
export interface GpuvmPeer extends Peer {
  /** Fastest single figure in nanoseconds per unit. */
  best: number;
  /** Sum of the addresses that look-ups find. */
  sum?: number;
  /** Steps per request, three decimals. */
  stepsPerOp?: string;
  /** Mappings at the end. */
  finalMappings?: number;
  /** Checksum over the mappings at the end. */
  checksum?: string;
}

const C = "Linux 7.3.4 drm_gpuvm.c, gcc 12.2 -O2";
const C_REPEAT = "Linux 7.3.4 drm_gpuvm.c with the proposed REPEAT, gcc 12.2 -O2";

/** Workloads a to d by step id. */
export const GPUVM_PEERS: Readonly<Record<string, GpuvmPeer>> = {
  "a-1000": { ns: 126.3, best: 117.3, source: C },
  "b-1000": { ns: 62.4, best: 61.7, source: C, sum: 0x1dc5112d0000 },
  "a-100000": { ns: 706, best: 510.5, source: C },
  "b-100000": { ns: 752.7, best: 665.8, source: C, sum: 0xba1c5ae550000 },
  "a-1000000": { ns: 1982.6, best: 1722.5, source: C },
  "b-1000000": { ns: 1876.3, best: 1748.9, source: C, sum: 0x745b600af50000 },
  "c-unlinked-1000": {
    ns: 374.6,
    best: 341.2,
    source: C,
    stepsPerOp: "3.576",
    finalMappings: 208,
    checksum: "0x22d4b013b",
  },
  "c-unlinked-100000": {
    ns: 1357.4,
    best: 1130.9,
    source: C,
    stepsPerOp: "4.202",
    finalMappings: 21308,
    checksum: "0x3fc60b797cc3",
  },
  "c-unlinked-1000000": {
    ns: 3949.6,
    best: 3608.7,
    source: C,
    stepsPerOp: "7.381",
    finalMappings: 518170,
    checksum: "0xfd1618938b0517",
  },
  "c-linked-1000": {
    ns: 365,
    best: 362.9,
    source: C,
    stepsPerOp: "3.576",
    finalMappings: 208,
    checksum: "0x22d4b013b",
  },
  "c-linked-100000": {
    ns: 1078.3,
    best: 1013,
    source: C,
    stepsPerOp: "4.202",
    finalMappings: 21308,
    checksum: "0x3fc60b797cc3",
  },
  "c-linked-1000000": {
    ns: 3906.4,
    best: 3544.4,
    source: C,
    stepsPerOp: "7.381",
    finalMappings: 518170,
    checksum: "0xfd1618938b0517",
  },
  "d-unlinked-1000": {
    ns: 188.5,
    best: 180.8,
    source: C,
    stepsPerOp: "1.791",
    finalMappings: 97,
    checksum: "0x10a84009a",
  },
  "d-unlinked-100000": {
    ns: 765.4,
    best: 751.4,
    source: C,
    stepsPerOp: "2.195",
    finalMappings: 10473,
    checksum: "0x1f76dcbc3e15",
  },
  "d-unlinked-1000000": {
    ns: 3406.2,
    best: 2867.2,
    source: C,
    stepsPerOp: "5.157",
    finalMappings: 256192,
    checksum: "0x6fec5a9ad2ad47",
  },
  "d-linked-1000": {
    ns: 216.5,
    best: 193.2,
    source: C,
    stepsPerOp: "1.791",
    finalMappings: 97,
    checksum: "0x10a84009a",
  },
  "d-linked-100000": {
    ns: 800.9,
    best: 698.5,
    source: C,
    stepsPerOp: "2.195",
    finalMappings: 10473,
    checksum: "0x1f76dcbc3e15",
  },
  "d-linked-1000000": {
    ns: 3535.6,
    best: 3029.3,
    source: C,
    stepsPerOp: "5.157",
    finalMappings: 256192,
    checksum: "0x6fec5a9ad2ad47",
  },
};

/** Workload f by step id: lowest medians. */
export const GPUVM_100E6_PEERS: Readonly<Record<string, Peer>> = {
  "f-pages-map": { ns: 2.37e6 / 24415, source: C },
  "f-pages-unmap": { ns: 0.42e6 / 24415, source: C },
  "f-repeat-map": { ns: 104, source: C_REPEAT },
  "f-repeat-unmap": { ns: 710, source: C_REPEAT },
};

const IO_PGTABLE = "Linux 7.3.4 io-pgtable-arm.c, gcc 12.2 -O2";
const PANTHOR = "Linux 7.3.4 panthor_mmu.c, drm_gpuvm.c and io-pgtable-arm.c, gcc 12.2 -O2";

/**
 * io-pgtable rows: lowest of four medians, best of 84 runs. The kernel has no call that writes one page many times, so
 * M4S, which does, stands beside the 262144 calls of M4R.
 */
export const MMU_PEERS: Readonly<Record<string, Peer>> = {
  M4C: { ns: 2.2, best: 1.3, source: IO_PGTABLE },
  U4C: { ns: 1.6, best: 1.0, source: IO_PGTABLE },
  M4S: { ns: 28.8, best: 16.7, source: IO_PGTABLE },
  M4R: { ns: 28.8, best: 16.7, source: IO_PGTABLE },
  U4R: { ns: 29.1, best: 13.6, source: IO_PGTABLE },
  U4T: { ns: 5.4, best: 5.3, source: IO_PGTABLE },
  M2C: { ns: 1.7, best: 1.7, source: IO_PGTABLE },
  U2C: { ns: 0.9, best: 0.9, source: IO_PGTABLE },
  M2R: { ns: 14.7, best: 14.4, source: IO_PGTABLE },
  U2R: { ns: 11.6, best: 11.4, source: IO_PGTABLE },
  T4: { ns: 75, best: 30, source: IO_PGTABLE },
  T2: { ns: 21, best: 20, source: IO_PGTABLE },
};

/** VM_BIND of 100e6 bytes by strategy, per page. Without ioctl entry and copy-in, which the model's figures have. */
export const PANTHOR_PEERS: Readonly<Record<string, Peer>> = {
  "per-page": { ns: 278, best: 270, source: PANTHOR },
  "per-page-unmap": { ns: 98, best: 90, source: PANTHOR },
  blackhole: { ns: 0.39, best: 0.38, source: PANTHOR },
  "repeat-4k": { ns: 21, best: 21, source: PANTHOR },
  "repeat-2m": { ns: 0.05, best: 0.05, source: PANTHOR },
  sparse: { ns: 0.07, best: 0.07, source: PANTHOR },
  "sparse-scattered": { ns: 18, best: 18, source: PANTHOR },
};

const UAT = "asahi page-table module in Rust, rustc -O";
const ASAHI = "asahi page-table module in Rust, rustc -O, with Linux 7.3 drm_gpuvm in C, gcc -O2";

/** Apple UAT rows: typical and best. Without handle look-ups and op copy, which the model's B to D have. */
export const ASAHI_PEERS: Readonly<Record<string, Peer>> = {
  A1: { ns: 1.13, best: 0.93, source: UAT },
  A2: { ns: 0.56, best: 0.44, source: UAT },
  A3: { ns: 0.71, best: 0.58, source: UAT },
  A4: { ns: 0.56, best: 0.46, source: UAT },
  A5: { ns: 1.23, best: 1.05, source: UAT },
  A6: { ns: 0.79, best: 0.7, source: UAT },
  B1: { ns: 1.14, best: 0.86, source: ASAHI },
  B2: { ns: 0.55, best: 0.35, source: ASAHI },
  B3: { ns: 0.69, best: 0.57, source: ASAHI },
  B4: { ns: 0.54, best: 0.36, source: ASAHI },
  B5: { ns: 15.9, best: 9.4, source: ASAHI },
  B6: { ns: 1.34, best: 1.0, source: ASAHI },
  C1: { ns: 600, best: 462, source: ASAHI },
  C2: { ns: 240, best: 130, source: ASAHI },
  C3: { ns: 573, best: 423, source: ASAHI },
  C4: { ns: 106, best: 59, source: ASAHI },
  D1: { ns: 6300, best: 4200, source: ASAHI },
  D2: { ns: 4700, best: 2800, source: ASAHI },
  D3: { ns: 2.36e6, best: 1.35e6, source: ASAHI },
  D4: { ns: 0.4e6, best: 0.21e6, source: ASAHI },
};

const XE = "Linux 7.3.4 xe_vm.c, xe_pt.c and drm_gpuvm.c, gcc 12 -O2";

/** VM_BIND ioctls of xe: median and minimum of the best of nine runs. */
export const XE_PEERS: Readonly<Record<string, Peer>> = {
  "W1-bind": { ns: 8496763, best: 4500161, source: XE },
  "W1-unbind": { ns: 120950, best: 77325, source: XE },
  "W1b-bind": { ns: 421, best: 410, source: XE },
  "W1b-unbind": { ns: 361, best: 350, source: XE },
  "W1c-bind": { ns: 339946, best: 330502, source: XE },
  "W1c-unbind": { ns: 23815, best: 21632, source: XE },
  "W2-bind": { ns: 12458, best: 12178, source: XE },
  "W2-unbind": { ns: 1302, best: 1242, source: XE },
  "W3-bind": { ns: 12288, best: 12178, source: XE },
  "W3-unbind": { ns: 1031, best: 1001, source: XE },
  "W4-bind": { ns: 5097, best: 4987, source: XE },
  "W4-unbind": { ns: 831, best: 811, source: XE },
  "W5-bind": { ns: 10616, best: 10425, source: XE },
  "W5-unbind": { ns: 891, best: 861, source: XE },
  "W6a-bind": { ns: 3000, best: 2791, source: XE },
  "W6a-null": { ns: 1784, best: 1585, source: XE },
  "W6b-bind": { ns: 24343, best: 19502, source: XE },
  "W6b-null": { ns: 12215, best: 7422, source: XE },
};
