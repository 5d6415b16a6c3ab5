/**
 * What this machine and this engine do at best: filling and copying a typed array, and the loops that page-table
 * writers are made of. The other areas' figures are to be read against these.
 *
 * @module
 */

import type { Scenario, Step } from "./harness.ts";

/** 2 MiB, the leaf tables of a GiB of 4 KiB pages; as pairs of 32-bit halves. */
const WORDS = 524288;
const ENTRIES = WORDS / 2;

interface Arrays {
  from: Int32Array;
  to: Int32Array;
}

/** The scenarios of the area. */
export function baselineScenarios(): Scenario<Arrays>[] {
  const step = (
    id: string,
    what: string,
    run: (state: Arrays) => void,
    expected: (i: number) => number,
  ): Step<Arrays> => ({
    id,
    what,
    unit: "entry",
    units: ENTRIES,
    run,
    check: ({ to }) => {
      for (const i of [0, 1, 2, 511, WORDS - 2, WORDS - 1]) {
        if (to[i] !== expected(i)) return `word ${i}: expected ${expected(i)}, got ${to[i]}`;
      }
      return null;
    },
    peer: null,
  });
  return [
    {
      repeat: 50,
      prepare: () => ({
        from: Int32Array.from({ length: WORDS }, (_, i) => i * 7),
        to: new Int32Array(WORDS),
      }),
      steps: [
        step(
          "fill",
          "TypedArray.fill over 2 MiB",
          ({ to }) => void to.fill(0x703),
          () => 0x703,
        ),
        step(
          "copy",
          "TypedArray.set over 2 MiB",
          ({ from, to }) => to.set(from),
          (i) => i * 7,
        ),
        step(
          "loop-repeated",
          "a loop that stores one pair of halves",
          ({ to }) => storeRepeated(to),
          (i) => (i % 2 ? 9 : 0x703),
        ),
        step(
          "loop-ascending",
          "a loop that stores ascending pairs",
          ({ to }) => storeAscending(to),
          (i) => (i % 2 ? 9 : (0x703 + (i / 2) * 4096) | 0),
        ),
      ],
    },
  ];
}

function storeRepeated(to: Int32Array): void {
  for (let i = 0; i < to.length; i += 2) {
    to[i] = 0x703;
    to[i + 1] = 9;
  }
}

function storeAscending(to: Int32Array): void {
  let low = 0x703;
  for (let i = 0; i < to.length; i += 2) {
    to[i] = low;
    to[i + 1] = 9;
    low = (low + 4096) | 0;
  }
}
