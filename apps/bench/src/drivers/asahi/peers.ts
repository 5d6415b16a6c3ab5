/**
 * The speed of the real kernel code, as `micro/peers.ts` says of its own.
 *
 * @module
 */

import type { Peer } from "../../micro/harness.ts";

const UAT = "asahi page-table module in Rust, rustc -O";
const ASAHI = "asahi page-table module in Rust, rustc -O, with Linux 7.3-rc7 drm_gpuvm in C, gcc -O2";

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
