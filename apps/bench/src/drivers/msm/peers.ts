/**
 * The speed of the real kernel code, as `micro/peers.ts` says of its own.
 *
 * @module
 */

import type { Peer } from "../../micro/harness.ts";

const MSM = "Linux 7.3-rc7 msm_gem_vma.c, msm_iommu.c, drm_gpuvm.c and io-pgtable-arm.c, gcc 12.2 -O2";

/** The best of 168 runs on a loaded machine, which is the figure to compare with; medians there were up to three times as high. */
const best = (ns: number): Peer => ({ ns, best: ns, source: MSM });

/** VM_BIND of msm, the job run inside the call: without real user copies, fences, scheduler threads and TLB invalidations. */
export const MSM_PEERS: Readonly<Record<string, Peer>> = {
  "pages-ioctls": best(322),
  "pages-array": best(245),
  "pages-unmap": best(85),
  "null-fresh": best(16.7),
  "null-again": best(16.0),
  "null-over-null": best(16.9),
  "null-unmap": best(1.0),
  "map-contiguous": best(1.2),
  "map-single-pages": best(20.1),
  "map-kept": best(381),
  "tiles-random-ioctls": best(789),
  "tiles-random-array": best(669),
  "tiles-ascending-ioctls": best(526),
  "tiles-ascending-array": best(416),
  "tiles-to-null-ioctls": best(775),
  "tiles-to-null-array": best(725),
  "tiles-kept": best(239),
  "tiles-unmap": best(83),
  "nulls-unmap": best(98),
  "tiles-single-pages": best(9602),
  "image-tiles": best(4887),
};
