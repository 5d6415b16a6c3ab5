/**
 * GEM_OP: what an object was made with, where it prefers to be, and its mappings (`amdgpu_gem_op_ioctl`, Linux 7.3-rc7).
 *
 * @module
 */

import { EINVAL, fail, type UserSpace } from "@vmbind/drm";
import type { AmdgpuBo } from "./bo.ts";
import {
  DOMAIN_CPU,
  DOMAIN_GTT,
  DOMAIN_VRAM,
  GEM_CREATE,
  GEM_OP_GET_GEM_CREATE_INFO,
  GEM_OP_GET_MAPPING_INFO,
  GEM_OP_SET_PLACEMENT,
  GEM_VM_ENTRY,
  type GemOp,
  PAGE_BYTES,
} from "./uapi.ts";
import type { AmdgpuVm } from "./vm.ts";

const MEMORY_DOMAINS = DOMAIN_CPU | DOMAIN_GTT | DOMAIN_VRAM;

/**
 * Run a GEM_OP.
 *
 * @param bo - the object
 * @param vm - the file's VM
 * @param args - the argument struct
 * @param user - memory to write to
 * @returns the members that change
 * @throws DrmError EINVAL, EFAULT
 */
export function gemOp(bo: AmdgpuBo, vm: AmdgpuVm, args: GemOp, user: UserSpace): Partial<GemOp> {
  switch (args.op) {
    case GEM_OP_GET_GEM_CREATE_INFO: {
      const { size: boSize, alignment, domains, flags: domainFlags } = bo;
      user.write(args.value, GEM_CREATE.encode({ boSize, alignment, domains, domainFlags }));
      return {};
    }
    case GEM_OP_SET_PLACEMENT: {
      const domains = args.value & MEMORY_DOMAINS;
      if (bo.isImported && (domains & DOMAIN_VRAM) !== 0)
        fail(EINVAL, "gem_op.value: VRAM, and the memory is another device's");
      // Where it prefers to be: where it may be under pressure, too, is another matter.
      bo.domains = domains;
      if (bo.isAlwaysValid) vm.invalidate(bo, true);
      return {};
    }
    case GEM_OP_GET_MAPPING_INFO: {
      const { space } = vm;
      const { mappings } = space;
      const boVa = space.boVaOf(bo);
      const entries = boVa === undefined ? [] : [...mappings.of(boVa.valids), ...mappings.of(boVa.invalids)];
      entries.slice(0, args.numEntries).forEach((id, i) => {
        const first = mappings.first[id] as number;
        const entry = GEM_VM_ENTRY.encode({
          addr: first * PAGE_BYTES,
          size: ((mappings.last[id] as number) + 1 - first) * PAGE_BYTES,
          offset: mappings.offset[id] as number,
          flags: mappings.flags[id] as number,
        });
        user.write(args.value + i * GEM_VM_ENTRY.size, entry);
      });
      return { numEntries: entries.length };
    }
    default:
      return fail(EINVAL, `gem_op.op: ${args.op} is no operation`);
  }
}
