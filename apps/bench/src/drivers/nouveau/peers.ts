/**
 * The speed of the real kernel code, as `micro/peers.ts` says of its own.
 *
 * @module
 */

import type { Peer } from "../../micro/harness.ts";

const NOUVEAU = "Linux 7.3-rc7 nouveau_uvmm.c, nouveau_sched.c, drm_gpuvm.c and nvkm's vmm.c, gcc 12 -O2";

/** The best run's median, and its minimum; of a pair the sums. */
const peer = (ns: number, best: number): Peer => ({ ns, best, source: NOUVEAU });

/** VM_BIND of nouveau, the job run and freed inside the call: without real user copies, fences, scheduler threads, TLB messages. */
export const NOUVEAU_PEERS: Readonly<Record<string, Peer>> = {
  "page-new-tables": peer(521 + 310, 480 + 280),
  "page-beside": peer(311 + 251, 290 + 230),
  "map-1gib-dma-pages": peer(823950 / 262144, 818362 / 262144),
  "unmap-1gib-dma-pages": peer(66078 / 262144, 61972 / 262144),
  "map-1gib-4k": peer(753997 / 262144, 749340 / 262144),
  "unmap-1gib-4k": peer(65337 / 262144, 63434 / 262144),
  "map-1gib-64k": peer(169841 / 16384, 169090 / 16384),
  "unmap-1gib-64k": peer(38357 / 16384, 37475 / 16384),
  "map-1gib-2m": peer(3265 / 512, 3214 / 512),
  "unmap-1gib-2m": peer(2975 / 512, 2944 / 512),
  "sparse-1gib-misaligned": peer(2304 + 441, 2253 + 401),
  "sparse-1tib": peer(150 + 181, 140 + 180),
  "sparse-100e6": peer(851 + 591, 821 + 551),
  "sparse-100e6-misaligned": peer(1172 + 621, 1132 + 590),
  "sparse-100e6-64k": peer(1042 + 571, 1021 + 540),
  "tiles-4k-ioctls": peer(566, 553),
  "tiles-4k-unbind-ioctls": peer(344, 331),
  "tiles-4k-array": peer(435, 416),
  "tiles-4k-unbind-array": peer(310, 300),
  "tiles-64k-ioctls": peer(459, 447),
  "tiles-64k-unbind-ioctls": peer(317, 312),
  "tiles-64k-array": peer(362, 352),
  "tiles-64k-unbind-array": peer(302, 298),
};
