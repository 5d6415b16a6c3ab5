/**
 * The speed of the real kernel code, as `micro/peers.ts` says of its own.
 *
 * @module
 */

import type { Peer } from "../../micro/harness.ts";

const IO_PGTABLE = "Linux 7.3-rc7 io-pgtable-arm.c, gcc 12.2 -O2";
const PANTHOR = "Linux 7.3-rc7 panthor_mmu.c, drm_gpuvm.c and io-pgtable-arm.c, gcc 12.2 -O2";

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
