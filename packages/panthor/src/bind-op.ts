/**
 * One bind operation on its way: the fields of `drm_panthor_vm_bind_op` (`panthor_drm.h`, Linux 7.3-rc7), and what
 * preparation set aside for it.
 *
 * Synchronous calls reuse one record per VM; asynchronous jobs keep theirs until they have run.
 *
 * @module
 */

import type { Gpuvm, VmBo } from "@vmbind/gpuvm-core";
import type { PanthorBo } from "./bo.ts";
import type { PanthorCounters } from "./cost-sheet.ts";
import { OP_MAP } from "./uapi.ts";

/** A decoded and, once prepared, provisioned operation. */
export class PanthorBindOp {
  /** Index in the array of its VM_BIND. */
  index = 0;
  /** `OP_MAP`, `OP_UNMAP`, `OP_SYNC_ONLY` or a value that no driver knows. */
  type: number = OP_MAP;
  /** `flags` as given, type included. */
  flags = 0;
  /** GPUVA_SPARSE, GPUVA_REPEAT or 0. */
  kind = 0;
  /** `bo_handle`. */
  boHandle = 0;
  /** `bo_offset` in bytes. */
  boOffset = 0.5;
  /** `va` in bytes. */
  va = 0.5;
  /** `size` in bytes. */
  size = 0.5;
  /** Whether `va`, `size` or `bo_offset` is not a multiple of 4096; those may be rounded then. */
  unaligned = false;
  /** Which of them, with its value, for the message. */
  crooked = "";
  /** `bo_repeat_range` in bytes, 0 for 48-byte operations. */
  repeatRange = 0.5;
  /** `pad` of the 56-byte operation. */
  pad = 0;
  /** `syncs.stride`. */
  syncsStride = 0;
  /** `syncs.count`. */
  syncsCount = 0;
  /** `syncs.array`. */
  syncsArray = 0.5;

  /** The object to map, pinned and referenced. */
  bo: PanthorBo | null = null;
  /** Its pair with the VM, referenced. */
  vmBo: VmBo | null = null;
  /** Page tables set aside and not used yet. */
  tables = 0;

  /** What messages call it: `ops[5]`. */
  get name(): string {
    return `ops[${this.index}]`;
  }
}

/** What an operation gives back to its VM; see `PanthorVm`. */
export interface BindOpVm {
  /** Holds the pair with the object. */
  readonly gpuvm: Gpuvm;
  /** Where returned tables are counted. */
  readonly counters: PanthorCounters;
}

/**
 * Give back what an operation did not use up.
 *
 * @param vm - its VM
 * @param op - prepared, executed or not
 * @internal
 */
export function cleanUp(vm: BindOpVm, op: PanthorBindOp): void {
  vm.counters.tablesReturned += op.tables;
  op.tables = 0;
  const { bo, vmBo } = op;
  op.vmBo = null;
  op.bo = null;
  if (vmBo !== null) vmBo.putDeferred();
  vm.gpuvm.deferredCleanup();
  if (bo === null) return;
  bo.pins--;
  bo.put();
}
