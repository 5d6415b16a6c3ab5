/**
 * Invariants of GPUVM, for tests and tools: the tree's structure, mappings that do not overlap, the lists that link
 * mappings to their vm_bo, and every reference count against a recount.
 *
 * A check that fails throws an `Error` whose message begins with the invariant's name: `va-tree`, `gpuva-window`,
 * `gpuva-overlap`, `gpuva-object`, `vm-bo-list`, `vm-bo-pair`, `vm-bo-refs`, `extobj-list`, `evict-list`, `bo-defer`, `gpuvm-refs`,
 * `gpuvm-counters`.
 *
 * They hold between requests; inside a step callback or before `deferredCleanup` they need not.
 *
 * @module
 */

import { hex } from "@vmbind/drm";
import type { GpuvmCounters } from "./counters.ts";
import type { Gpuvm } from "./gpuvm.ts";
import type { VmBo } from "./vm-bo.ts";

/** References that a driver holds beyond those that GPUVM takes by itself. */
export interface GpuvmHolds {
  /** References on the VM, the creator's included; 1 unless given. */
  vm?: number;
  /** References on a vm_bo by operations that have not ended; 0 unless given. */
  vmBo?(vmBo: VmBo): number;
}

/**
 * Check one VM.
 *
 * @param vm - the VM
 * @param holds - what the driver holds
 * @throws Error that names the invariant and the place
 */
export function checkGpuvm(vm: Gpuvm, holds: GpuvmHolds = {}): void {
  try {
    vm.tree.validate((key, va) => {
      if (key !== vm.addr(va))
        throw new Error(`the key of mapping ${va} is ${hex(key)}, not ${hex(vm.addr(va))}`);
    });
  } catch (error) {
    throw new Error(`va-tree: ${vm.name}: ${(error as Error).message}`);
  }
  const mappings = vm.mappings();
  checkOrder(vm, mappings);
  checkLists(vm, mappings, holds);
  const vmBos = [...vm.vmBos()].length;
  const refs = (holds.vm ?? 1) + mappings.length + vmBos;
  if (vm.refs !== refs) {
    throw new Error(
      `gpuvm-refs: ${vm.name} has ${vm.refs} references, ${refs} are accounted for: ` +
        `${mappings.length} mappings, ${vmBos} vm_bos, ${holds.vm ?? 1} more`,
    );
  }
}

function checkOrder(vm: Gpuvm, mappings: readonly number[]): void {
  if (mappings.length !== vm.count) {
    throw new Error(`va-tree: ${vm.name} counts ${vm.count} mappings and lists ${mappings.length}`);
  }
  let start = Number.NEGATIVE_INFINITY;
  let end = Number.NEGATIVE_INFINITY;
  for (const va of mappings) {
    const addr = vm.addr(va);
    const vaEnd = vm.end(va);
    if (!(vaEnd >= addr) || !vm.rangeValid(addr, vaEnd - addr)) {
      throw new Error(`gpuva-window: ${place(vm, va)} is not inside the VM`);
    }
    if (vm.gemId(va) !== 0 && vm.gem(va) === null) {
      throw new Error(`gpuva-object: ${place(vm, va)} shows an object that is gone`);
    }
    // A mapping without length lies beside one that begins or ends where it is.
    const overlaps = vaEnd === addr ? start < addr && addr < end : addr < end;
    if (overlaps) throw new Error(`gpuva-overlap: ${place(vm, va)} begins below ${hex(end)}`);
    if (vaEnd === addr) continue;
    start = addr;
    end = vaEnd;
  }
}

function checkLists(vm: Gpuvm, mappings: readonly number[], holds: GpuvmHolds): void {
  if (vm.boDefer().length !== 0) throw new Error(`bo-defer: ${vm.name} keeps ${vm.boDefer().length} zombies`);
  const mapped = new Set(mappings);
  const external = new Set(vm.extobjs());
  let linked = 0;
  for (const vmBo of vm.vmBos()) {
    const { gem } = vmBo;
    const pair = `${vm.name}, GEM ${gem.id}`;
    if (gem.vmBos.filter((other) => other.vm === vm).length !== 1 || !gem.vmBos.includes(vmBo)) {
      throw new Error(`vm-bo-pair: ${pair}: the object does not list this one pair with the VM`);
    }
    const count = checkList(vm, vmBo, mapped);
    linked += count;
    const refs = count + (holds.vmBo?.(vmBo) ?? 0);
    if (vmBo.refs !== refs) {
      throw new Error(`vm-bo-refs: ${pair}: ${vmBo.refs} references, ${refs} are accounted for`);
    }
    if (external.has(vmBo) !== vm.isExtobj(gem)) {
      throw new Error(`extobj-list: ${pair}: ${external.has(vmBo) ? "on the list" : "not on the list"}`);
    }
  }
  for (const list of [external, vm.evictList()]) {
    for (const vmBo of list) {
      const stray = vmBo.refs === 0 || vmBo.vm !== vm || !vmBo.gem.vmBos.includes(vmBo);
      if (stray)
        throw new Error(`extobj-list: ${vm.name}: a pair that is gone is on the extobj or evict list`);
    }
  }
  const evicted = vm.evictList();
  if (new Set(evicted).size !== evicted.length || evicted.some((vmBo) => !vmBo.evicted)) {
    throw new Error(`evict-list: ${vm.name}: a pair is on the list twice, or is not evicted`);
  }
  const withVmBo = mappings.filter((va) => vm.gemId(va) !== 0);
  if (linked !== withVmBo.length) {
    const loose = withVmBo.find((va) => vm.vmBo(va) === null);
    const which = loose === undefined ? "" : `: ${place(vm, loose)} is not linked`;
    throw new Error(
      `vm-bo-list: ${vm.name}: ${withVmBo.length} mappings with an object, ${linked} in lists${which}`,
    );
  }
}

/** Number of mappings in a vm_bo's list. */
function checkList(vm: Gpuvm, vmBo: VmBo, mapped: ReadonlySet<number>): number {
  const pair = `${vm.name}, GEM ${vmBo.gem.id}`;
  let count = 0;
  let last = 0;
  for (const va of vmBo.vas()) {
    if (++count > mapped.size) throw new Error(`vm-bo-list: ${pair}: the list does not end`);
    if (!mapped.has(va)) throw new Error(`vm-bo-list: ${pair}: mapping ${va} is not in the VM`);
    if (vm.vmBo(va) !== vmBo) throw new Error(`vm-bo-list: ${place(vm, va)} belongs to another pair`);
    if (vm.previousOfVmBo(va) !== last) {
      throw new Error(`vm-bo-list: ${place(vm, va)} names another predecessor`);
    }
    last = va;
  }
  if (vmBo.tail !== last || vmBo.vaCount !== count) {
    throw new Error(
      `vm-bo-list: ${pair}: ${count} mappings, ${vmBo.vaCount} counted, the last is not the tail`,
    );
  }
  return count;
}

/**
 * Check the counters that GPUVM keeps against all VMs of a device.
 *
 * @param counters - the device's sheet
 * @param vms - all its VMs
 * @throws Error `gpuvm-counters`
 */
export function checkGpuvmCounters(counters: GpuvmCounters, vms: Iterable<Gpuvm>): void {
  let mappings = 0;
  let vmBos = 0;
  for (const vm of vms) {
    mappings += vm.count;
    vmBos += [...vm.vmBos()].length;
  }
  const { gpuvasLive, gpuvasPeak, vmBosLive, vmBosPeak } = counters;
  if (gpuvasLive !== mappings || vmBosLive !== vmBos || gpuvasPeak < gpuvasLive || vmBosPeak < vmBosLive) {
    throw new Error(
      `gpuvm-counters: gpuvas ${gpuvasLive} (peak ${gpuvasPeak}), vm_bos ${vmBosLive} (peak ${vmBosPeak}); ` +
        `there are ${mappings} and ${vmBos}`,
    );
  }
}

function place(vm: Gpuvm, va: number): string {
  return `${vm.name}: mapping ${hex(vm.addr(va))}..${hex(vm.end(va))}`;
}
