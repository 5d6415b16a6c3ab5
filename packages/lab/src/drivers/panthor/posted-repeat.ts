/**
 * What the posted REPEAT patch (v4) does to a mapping that is cut off its window. The strategy `panthor-repeat` runs the
 * proposal as it should be; this is the same cut with the patch's own defects.
 *
 * @module
 */

import { GpuFault } from "@vmbind/mmu";
import { PanthorDevice, REPEAT_PATCH_QUIRKS } from "@vmbind/panthor";
import type { PostedRepeat } from "../../experiments/result.ts";
import { MARK, PAGE_BYTES, PROBE_BYTES } from "../../semantics/probe.ts";
import { mustIssue } from "../../strategy/calls.ts";
import { openPanvkVm } from "./session.ts";

const VA = 2 ** 30;
const WINDOW = 2 ** 21;
const BLOCK_BYTES = 0x10000;

/**
 * A block is bound in the middle of a window; then the object behind the unbound pages is evicted and comes back. The
 * eviction unmaps pages that the cut left without an entry, which makes the VM unusable: its address space is switched off.
 */
export function cutAsPosted(): PostedRepeat {
  const device = new PanthorDevice({ driverVersion: "1.8", repeat: "v4", quirks: REPEAT_PATCH_QUIRKS });
  const file = device.open();
  const { vm, umd } = openPanvkVm(file, "repeat");
  for (const call of umd.create(VA, PROBE_BYTES)) mustIssue(file, call);
  const { addressSpace: space } = vm;
  for (let at = 0; at < WINDOW; at += PAGE_BYTES) space.store32(VA + at, MARK + at / PAGE_BYTES);

  const start = WINDOW + WINDOW / 2 + 3 * BLOCK_BYTES;
  const rest: number[] = [];
  for (let at = 0; at < PROBE_BYTES; at += PAGE_BYTES) {
    if (at < start || at >= start + BLOCK_BYTES) rest.push(at);
  }
  const look = () => rest.map((at) => load(() => space.load32(VA + at)));
  const before = look();
  const handle = file.createBo(BLOCK_BYTES, { exclusiveVm: vm });
  const bind = { resourceOffset: start, size: BLOCK_BYTES, memory: { handle, offset: 0 } };
  for (const call of umd.bind(VA, PROBE_BYTES, [bind])) mustIssue(file, call);
  const afterCut = look();
  const window = file.bo(umd.dummyHandle);
  if (!window) throw new Error("panvk's object has no handle");
  device.evict(window);
  vm.validate();
  const afterRestore = look();
  const changed = (now: (number | null)[]) => now.filter((value, i) => value !== null && value !== before[i]);
  const faulting = (now: (number | null)[]) => now.filter((value) => value === null);
  return {
    samples: rest.length,
    changedByCut: changed(afterCut).length,
    faultsAfterCut: faulting(afterCut).length,
    changedByRestore: changed(afterRestore).length,
    faultsAfterRestore: faulting(afterRestore).length,
  };
}

function load(run: () => number): number | null {
  try {
    return run();
  } catch (error) {
    if (!(error instanceof GpuFault)) throw error;
    return null;
  }
}
