/**
 * What user space can tell of a device's state, as lines to compare: handles, VMs, mappings and reference counts.
 * Physical addresses are left out, since a refused call may have made an object resident.
 *
 * @module
 */

import type { ModelFile } from "@vmbind/trace";

/** Handles that are looked at; the fuzzer keeps far fewer objects alive. */
const HANDLES = 64;

/**
 * The state of all open files.
 *
 * @param files - the files in order
 */
export function stateOf(files: readonly ModelFile[]): string[] {
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
      const unusable = "unusable" in vm && vm.unusable === true ? ", unusable" : "";
      lines.push(`file ${f} VM ${id}: ${vm.gpuvm?.refs ?? 0} references${unusable}`);
      for (const { gem: _, ...mapping } of vm.mappings()) {
        lines.push(`file ${f} VM ${id}: ${JSON.stringify(mapping)}`);
      }
    }
  });
  return lines;
}

/**
 * @param got - state of the device under test
 * @param expected - state of its twin
 * @returns the first difference in words, null when there is none
 */
export function difference(got: readonly string[], expected: readonly string[]): string | null {
  for (let i = 0; i < Math.max(got.length, expected.length); i++) {
    if (got[i] !== expected[i])
      return `expected ${expected[i] ?? "nothing more"}, got ${got[i] ?? "nothing more"}`;
  }
  return null;
}
