/**
 * Format `gpuvm-lookup`: inserts, look-ups, removals, range checks, prefetch lists.
 *
 * @module
 */

import { mismatch, u64Of, type VectorCheck } from "@vmbind/drm/conformance";
import { VectorVm } from "./model.ts";
import type { Json } from "./step-log.ts";

/** See the module comment. */
export const checkLookup: VectorCheck = (testCase) => {
  const model = new VectorVm(testCase["vm"] as Json, { repeat: "upstream" });
  for (const [i, op] of (testCase["ops"] as Json[]).entries()) {
    const found = mismatch(`ops[${i}]`, op, { ...op, ...query(model, op, i * 0x1000) });
    if (found) return found;
  }
  return model.checkFinal(testCase["final"]);
};

/** The vectors mark each insert with an offset of its own, 4096 times its index. */
function query(model: VectorVm, op: Json, mark: number): Json {
  const { vm } = model;
  const addr = u64Of(op["va"], "va");
  const range = u64Of(op["range"], "range");
  const found = (va: number): Json => ({ result: va === 0 ? null : model.located(va) });
  switch (op["op"]) {
    case "insert":
      return { ret: Math.min(0, vm.insert(addr, range, null, mark)) };
    case "find":
      return found(vm.find(addr, range));
    case "find_first":
      return found(vm.findFirst(addr, range));
    case "interval_empty":
      return { result: vm.intervalEmpty(addr, range) };
    case "range_valid":
      return { result: vm.rangeValid(addr, range) };
    case "prefetch":
      return { result: model.listed(vm.prefetchOps(addr, range)) };
    case "remove": {
      const va = vm.findFirst(addr, range);
      const result = found(va);
      if (va !== 0) vm.remove(va);
      return result;
    }
    default:
      throw new Error(`conformance: no operation ${op["op"]}`);
  }
}
