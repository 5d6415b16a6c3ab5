/**
 * The speed of the real kernel code, as `micro/peers.ts` says of its own.
 *
 * @module
 */

import type { Peer } from "../../micro/harness.ts";

const AMDGPU =
  "Linux 7.3-rc7 amdgpu_gem.c, amdgpu_vm.c, amdgpu_vm_pt.c, amdgpu_vm_cpu.c and gmc_v10_0.c, gcc 12 -O2";

/** The median of the best of nine runs, and the fastest of all, on a loaded machine. */
const peer = (ns: number, best: number): Peer => ({ ns, best, source: AMDGPU });

/** GEM_VA of amdgpu with the CPU's table writes: without system-call entry, locks, fences and TLB flushes. */
export const AMDGPU_PEERS: Readonly<Record<string, Peer>> = {
  "page-map": peer(110, 100),
  "page-clear": peer(130, 120),
  "page-map-1000": peer(190, 120),
  "page-clear-1000": peer(190, 130),
  "page-map-100000": peer(981, 160),
  "page-clear-100000": peer(230, 150),
  "prt-map": peer(681, 661),
  "prt-clear": peer(711, 701),
  "prt-64k-map": peer(1742, 1712),
  "prt-64k-clear": peer(1782, 1752),
  "prt-4k-map": peer(702, 691),
  "prt-4k-clear": peer(731, 721),
  "prt-1g-map": peer(90, 90),
  "prt-1g-clear": peer(120, 110),
  "prt-1g-off-map": peer(3876, 3845),
  "prt-1g-off-clear": peer(3916, 3885),
  "prt-1t-map": peer(90, 90),
  "prt-1t-clear": peer(120, 110),
  "system-scattered-map": peer(708429, 693747),
  "system-scattered-clear": peer(41141, 40330),
  "system-run-map": peer(143552, 142361),
  "system-run-clear": peer(241, 230),
  "vram-map": peer(100, 100),
  "vram-clear": peer(120, 110),
  "vram-off-map": peer(3946, 3906),
  "vram-off-clear": peer(3966, 3935),
  "system-64k-map": peer(1383649, 1250582),
  "system-64k-clear": peer(42774, 40230),
  "vram-64k-map": peer(1157974, 1103454),
  "vram-64k-clear": peer(41582, 40309),
  "tiles-bind": peer(485, 459),
  "tiles-prt": peer(350, 345),
  "tiles-clear": peer(105, 102),
  "tiles-bind-cs": peer(837, 818),
  "tiles-prt-cs": peer(371, 362),
  "views-create": peer(88381, 82822),
  "views-bind": peer(1356, 1285),
  "views-prt": peer(806, 765),
  "views-destroy": peer(330519, 318933),
};
