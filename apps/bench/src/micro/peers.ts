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

/** What the peers' figures were taken on. */
export const PEERS_MACHINE =
  "two cores of an AMD EPYC virtual machine shared with other work; one thread, CPU time";

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

const C = "Linux 7.3-rc7 drm_gpuvm.c, gcc 12.2 -O2";
const C_REPEAT = "Linux 7.3-rc7 drm_gpuvm.c with the proposed REPEAT, gcc 12.2 -O2";

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
