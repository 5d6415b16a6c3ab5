/**
 * `msm-units`: the table pages that a VM_BIND sets aside.
 *
 * @module
 */

import { type Mismatch, mismatch, u64Of } from "@vmbind/gpuvm-core/conformance";
import { TableReserve } from "../table-reserve.ts";

/**
 * @param testCase - see the module comment
 * @returns the first difference, or null
 */
export function checkUnit(testCase: Record<string, unknown>): Mismatch | null {
  const reserve = new TableReserve();
  reserve.reset();
  for (const [kind, iova, range] of testCase["ops"] as [string, string, string][]) {
    if (kind !== "unmap") reserve.add(u64Of(iova), u64Of(range));
  }
  return mismatch("tables", testCase["tables"], reserve.total());
}
