/**
 * What user space can tell of a device's state, as lines to compare: handles, VMs, mappings and reference counts.
 * Physical addresses are left out, since a refused call may have made an object resident.
 *
 * Mostly there is no difference, and words are found only where there is one: values are compared first.
 *
 * @module
 */

import type { GemObject, MappingView } from "@vmbind/drm";
import type { ModelFile, ModelVm } from "@vmbind/trace";

/** Handles that are looked at; the fuzzer keeps far fewer objects alive. */
const HANDLES = 64;

/**
 * @param got - open files of the device under test, in order
 * @param expected - those of its twin
 * @returns the first difference in words, null when there is none
 */
export function difference(got: readonly ModelFile[], expected: readonly ModelFile[]): string | null {
  const alike = got.length === expected.length && got.every((file, i) => fileAlike(file, expected[i]));
  return alike ? null : firstDifference(stateOf(got), stateOf(expected));
}

function fileAlike(file: ModelFile, other: ModelFile | undefined): boolean {
  if (other === undefined) return false;
  for (let handle = 1; handle <= HANDLES; handle++) {
    if (!objectAlike(file.bo(handle), other.bo(handle))) return false;
  }
  const others = other.vms()[Symbol.iterator]();
  for (const [id, vm] of file.vms()) {
    const next = others.next();
    if (next.done || next.value[0] !== id || !vmAlike(vm, next.value[1])) return false;
  }
  return others.next().done === true;
}

function objectAlike(gem: GemObject | undefined, other: GemObject | undefined): boolean {
  if (gem === undefined || other === undefined) return gem === other;
  return gem.size === other.size && gem.refs === other.refs && gem.vmBos.length === other.vmBos.length;
}

function vmAlike(vm: ModelVm, other: ModelVm): boolean {
  if (refsOf(vm) !== refsOf(other) || isUnusable(vm) !== isUnusable(other)) return false;
  const others = other.mappings()[Symbol.iterator]();
  for (const mapping of vm.mappings()) {
    const next = others.next();
    if (next.done || !mappingAlike(mapping, next.value)) return false;
  }
  return others.next().done === true;
}

/** Of one driver's views all have the same members, in one order. What is not a number equals nothing, and is put into words. */
function mappingAlike(mapping: MappingView, other: MappingView): boolean {
  for (const name in mapping) {
    const key = name as keyof MappingView;
    if (key !== "gem" && mapping[key] !== other[key]) return false;
  }
  return true;
}

function refsOf({ gpuvm }: ModelVm): number {
  return gpuvm?.refs ?? 0;
}

function isUnusable(vm: ModelVm): boolean {
  return "unusable" in vm && vm.unusable === true;
}

function stateOf(files: readonly ModelFile[]): string[] {
  const lines: string[] = [];
  files.forEach((file, f) => {
    for (let handle = 1; handle <= HANDLES; handle++) {
      const gem = file.bo(handle);
      if (gem === undefined) continue;
      lines.push(
        `file ${f} BO ${handle}: ${gem.size} bytes, ${gem.refs} references, in ${gem.vmBos.length} VMs`,
      );
    }
    for (const [id, vm] of file.vms()) {
      lines.push(`file ${f} VM ${id}: ${refsOf(vm)} references${isUnusable(vm) ? ", unusable" : ""}`);
      for (const { gem: _, ...mapping } of vm.mappings()) {
        lines.push(`file ${f} VM ${id}: ${JSON.stringify(mapping)}`);
      }
    }
  });
  return lines;
}

function firstDifference(got: readonly string[], expected: readonly string[]): string | null {
  for (let i = 0; i < Math.max(got.length, expected.length); i++) {
    if (got[i] !== expected[i])
      return `expected ${expected[i] ?? "nothing more"}, got ${got[i] ?? "nothing more"}`;
  }
  return null;
}
