/**
 * `asahi-tlbi`: operands of TLB invalidations, the driver's defect above 32 GiB included.
 *
 * @module
 */

import { type Mismatch, mismatch, u64Of } from "@vmbind/gpuvm-core/conformance";
import { encodeTlbi } from "../tlbi.ts";

/**
 * @param testCase - `asid`, `va`, `len`, `insns`
 * @returns the first difference, or null
 */
export function checkTlbi(testCase: Record<string, unknown>): Mismatch | null {
  const got: [string, string][] = [];
  encodeTlbi(
    testCase["asid"] as number,
    u64Of(testCase["va"]),
    u64Of(testCase["len"]),
    true,
    (form, high, low) => {
      const half = (word: number): string => (word >>> 0).toString(16).padStart(8, "0");
      got.push([form, `0x${half(high)}${half(low)}`]);
    },
  );
  return mismatch("insns", testCase["insns"], got);
}
