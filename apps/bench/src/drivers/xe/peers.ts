/**
 * The speed of the real kernel code, as `micro/peers.ts` says of its own.
 *
 * @module
 */

import type { Peer } from "../../micro/harness.ts";

const XE = "Linux 7.3-rc7 xe_vm.c, xe_pt.c and drm_gpuvm.c, gcc 12 -O2";

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
