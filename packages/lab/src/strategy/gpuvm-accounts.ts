/**
 * The accounts of a VM that GPUVM keeps: what its objects say, not what the rules predict. Reservations of VMs are objects of
 * their own there, which nobody else holds.
 *
 * @module
 */

import type { DrmFile, DrmVm, GemObject } from "@vmbind/drm";
import { type Gpuvm, vmBosOf } from "@vmbind/gpuvm-core";
import type { AccountedPair, VmAccounts } from "./strategy.ts";

/** Bytes of a `drm_gpuvm_bo`, upstream. */
const VM_BO_BYTES = 96;

/** An open file whose VMs have GPUVM. */
type GpuvmFile = DrmFile<GemObject, DrmVm & { readonly gpuvm: Gpuvm }>;

/**
 * @param gpuvm - of a VM
 * @param file - the open file that the VM belongs to
 * @returns its accounts
 */
export function gpuvmAccounts(gpuvm: Gpuvm, file: GpuvmFile): VmAccounts {
  const pairOf = (gem: GemObject): AccountedPair | undefined =>
    vmBosOf(gem).find((vmBo) => vmBo.vm === gpuvm);
  return {
    get mappings() {
      return gpuvm.count;
    },
    // REPEAT adds a field and a hole.
    mappingBytes: gpuvm.repeat === "upstream" ? 120 : 128,
    pairBytes: VM_BO_BYTES,
    pairsHold: true,
    get refs() {
      return gpuvm.refs;
    },
    get externals() {
      return gpuvm.extobjs().length;
    },
    *objects() {
      const reservations = new Set<GemObject>([...file.vms()].map(([, vm]) => vm.gpuvm.resvObject));
      for (const gem of gpuvm.gems.values()) if (!reservations.has(gem)) yield gem;
    },
    pairOf,
    isExternal: (gem) => gpuvm.isExtobj(gem),
    locked: () =>
      gpuvm
        .execLock({ ignoreDuplicates: true })
        .locked.map((gem) => (gem === gpuvm.resvObject ? null : (gem as GemObject))),
  };
}
