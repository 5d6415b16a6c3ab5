/**
 * MADVISE: what a process tells the driver about ranges of a VM (`xe_vm_madvise.c`, Linux 7.3-rc7).
 *
 * Three types are memory attributes, kept with each mapping: where its memory should be, who uses atomics there, and its PAT
 * index. Leaves that no longer say the same are zapped; a fault binds them again. The fourth says whether the contents of
 * objects are needed: an object that nobody needs may be purged (`XeDevice.purge`). Nothing is zapped then, for its memory is
 * still there.
 *
 * The order: the struct; `retained`; the VM; then mappings without an object are cut at the ends of the range, those of
 * objects are taken whole; only then is each mapping checked. So a refusal for what is mapped leaves the cuts behind, as in
 * the driver; what the GPU sees is the same.
 *
 * @module
 */

import { EINVAL, ENOENT, fail, hex, type UserSpace, viewOf } from "@vmbind/drm";
import { PLACEMENT_SYSTEM, PLACEMENT_VRAM, type XeBo } from "./bo.ts";
import { mustBeZero } from "./device-query.ts";
import type { XeFile } from "./file.ts";
import { PAGE_BYTES } from "./page-sizes.ts";
import type { PatEntry, Platform } from "./platforms.ts";
import { GEM_CPU_CACHING_WB } from "./uapi.ts";
import {
  ATOMIC_CPU,
  ATOMIC_DEVICE,
  ATOMIC_GLOBAL,
  MADVISE,
  MADVISE_LOCATION,
  type Madvise,
  MEM_RANGE_ATTR_ATOMIC,
  MEM_RANGE_ATTR_PAT,
  MEM_RANGE_ATTR_PREFERRED_LOC,
  MIGRATE_ONLY_SYSTEM_PAGES,
  PREFERRED_LOC_DEFAULT_DEVICE,
  PREFERRED_LOC_DEFAULT_SYSTEM,
  VMA_ATTR_PURGEABLE_STATE,
  VMA_PURGEABLE_STATE_DONTNEED,
  VMA_PURGEABLE_STATE_WILLNEED,
} from "./uapi-madvise.ts";
import type { XeVm } from "./vm.ts";
import { coherentOnXe3p } from "./vm-bind-args.ts";
import { VMA_SPARSE, VMA_SYSTEM_ALLOCATOR } from "./vma.ts";

const UNION = MADVISE.fields.val.offset;
const RETAINED_BYTES = 4;

/** A preferred location, as a mapping keeps it. */
interface Location {
  readonly fd: number;
  readonly migration: number;
}

/**
 * MADVISE.
 *
 * @param file - the caller
 * @param arg - `drm_xe_madvise`
 * @param user - memory behind `retained_ptr`
 * @throws `DrmError` EINVAL, EFAULT, ENOENT, ENOMEM. EFAULT of a `retained_ptr` that can be read but not written comes when all
 *   is done.
 */
export function madvise(file: XeFile, arg: DataView, user: UserSpace): void {
  const args = MADVISE.read(arg);
  const vm = file.vm(args.vmId);
  if (vm === undefined) fail(EINVAL, `madvise.vm_id: no VM ${args.vmId}`);
  const location = checkArgs(args, arg, file.device.platform);
  const retainedPtr = args.type === VMA_ATTR_PURGEABLE_STATE ? args.retainedPtr : 0;
  if (retainedPtr !== 0 && user.view(retainedPtr, RETAINED_BYTES).getUint32(0, true) !== 0) {
    fail(EINVAL, "madvise.retained_ptr: must point to a 0");
  }
  if (location !== null && location.fd > PREFERRED_LOC_DEFAULT_DEVICE) {
    fail(ENOENT, `madvise.devmem_fd: ${location.fd} is no file of a device; there is one device here`);
  }
  vm.cutForAdvice(args.start, args.range);
  const retained = advise(vm, args, location);
  if (retainedPtr === 0) return;
  const bytes = new Uint8Array(RETAINED_BYTES);
  viewOf(bytes).setUint32(0, retained ? 1 : 0, true);
  user.write(retainedPtr, bytes);
}

/** What can be said of the struct alone; the location, where it is about that. */
function checkArgs(args: Madvise, arg: DataView, platform: Platform): Location | null {
  const { start, range, type, val } = args;
  if (start % PAGE_BYTES !== 0) fail(EINVAL, "madvise.start: must be a multiple of 4096");
  if (range % PAGE_BYTES !== 0) fail(EINVAL, "madvise.range: must be a multiple of 4096");
  if (range < PAGE_BYTES) fail(EINVAL, "madvise.range: must not be 0");
  let location: Location | null = null;
  if (type === MEM_RANGE_ATTR_PREFERRED_LOC) location = checkLocation(arg);
  else {
    if (type === MEM_RANGE_ATTR_ATOMIC) {
      if (val > ATOMIC_CPU) fail(EINVAL, `madvise.val: ${val} names nobody who could use atomics`);
    } else if (type === MEM_RANGE_ATTR_PAT) {
      const pat = platform.pat[val];
      if (pat === undefined) {
        fail(EINVAL, `madvise.val: PAT index ${val} is not below ${platform.pat.length}`);
      }
      if (pat.coherency === "reserved") {
        fail(EINVAL, `madvise.val: PAT index ${val} is a reserved entry on ${platform.title}`);
      }
    } else if (type === VMA_ATTR_PURGEABLE_STATE) {
      if (val > VMA_PURGEABLE_STATE_DONTNEED) fail(EINVAL, `madvise.val: ${val} is no purgeable state`);
    } else fail(EINVAL, `madvise.type: ${type} is no attribute`);
    mustBeZero([args.pad], "madvise.pad");
    if (type !== VMA_ATTR_PURGEABLE_STATE) mustBeZero([args.retainedPtr], "madvise.reserved of the union");
  }
  mustBeZero(args.reserved, "madvise.reserved");
  return location;
}

function checkLocation(arg: DataView): Location {
  const { devmemFd, migrationPolicy, regionInstance, reserved } = MADVISE_LOCATION.read(arg, UNION);
  const fd = devmemFd | 0;
  if (fd < PREFERRED_LOC_DEFAULT_SYSTEM) fail(EINVAL, `madvise.devmem_fd: ${fd} is no file descriptor`);
  if (fd <= PREFERRED_LOC_DEFAULT_DEVICE && regionInstance !== 0) {
    fail(EINVAL, "madvise.region_instance: must be 0 without a file descriptor");
  }
  if (migrationPolicy > MIGRATE_ONLY_SYSTEM_PAGES) {
    fail(EINVAL, `madvise.migration_policy: ${migrationPolicy} is none`);
  }
  mustBeZero([reserved], "madvise.reserved of the union");
  return { fd, migration: migrationPolicy };
}

/** Give the mappings of the range the attribute. False when an object among them has lost its contents. */
function advise(vm: XeVm, { start, range, type, val }: Madvise, location: Location | null): boolean {
  const vas = [...vm.gpuvm.mappingsIn(start, range)];
  if (type === VMA_ATTR_PURGEABLE_STATE) return setPurgeable(vm, vas, val);
  let changed: number[];
  if (location !== null) changed = setLocation(vm, vas, location);
  else if (type === MEM_RANGE_ATTR_PAT) changed = setPat(vm, vas, val);
  else changed = setAtomic(vm, vas, val);
  vm.leaves.zap(changed, start, start + range);
  return true;
}

/** A mirror's alone: where objects are is a matter of their placement. */
function setLocation({ vmas }: XeVm, vas: readonly number[], { fd, migration }: Location): number[] {
  const mirrors = vas.filter((va) => ((vmas.flags[va] as number) & VMA_SYSTEM_ALLOCATOR) !== 0);
  const changed = mirrors.filter((va) => vmas.location(va) !== fd || vmas.migration(va) !== migration);
  if (changed.length === 0) return changed;
  const advice = vmas.advise();
  for (const va of changed) {
    advice.location[va] = fd;
    advice.migration[va] = migration;
  }
  return changed;
}

function setPat(vm: XeVm, vas: readonly number[], index: number): number[] {
  const { vmas, gpuvm, platform } = vm;
  const pat = platform.pat[index] as PatEntry;
  const incoherent = pat.coherency === "none" && platform.vramBytes === 0;
  for (const va of vas) {
    const bo = gpuvm.gem(va) as XeBo | null;
    const where = `the mapping at ${hex(gpuvm.addr(va))}`;
    const cached =
      bo === null ? isProcessMemory(vm, va) : bo.imported || bo.cpuCaching === GEM_CPU_CACHING_WB;
    if (incoherent && cached) {
      fail(
        EINVAL,
        `madvise.val: PAT index ${index} has no coherency, and the CPU caches what is behind ${where}`,
      );
    }
    const foreign = bo === null ? isProcessMemory(vm, va) : bo.imported;
    if (foreign && !coherentOnXe3p(index, platform, pat)) {
      fail(EINVAL, `madvise.val: PAT index ${index} is not coherent enough for what is behind ${where}`);
    }
  }
  const changed = vas.filter((va) => vmas.pat[va] !== index);
  if (changed.length > 0) vmas.advise();
  for (const va of changed) vmas.pat[va] = index;
  return changed;
}

/** Behind the mapping is memory of a process: MAP_USERPTR or CPU_ADDR_MIRROR. */
function isProcessMemory({ vmas, gpuvm }: XeVm, va: number): boolean {
  return gpuvm.gemId(va) === 0 && ((vmas.flags[va] as number) & VMA_SPARSE) === 0;
}

function setAtomic(vm: XeVm, vas: readonly number[], atomic: number): number[] {
  const { vmas, gpuvm, platform } = vm;
  for (const va of vas) {
    const bo = gpuvm.gem(va) as XeBo | null;
    if (bo !== null) checkAtomic(bo, atomic, platform, gpuvm.addr(va));
  }
  // Pages of a process stay in system memory: that the CPU, or both, use atomics there says nothing new of them.
  const systemAtomics = atomic === ATOMIC_DEVICE && platform.systemAtomics;
  const changed: number[] = [];
  for (const va of vas) {
    if (vmas.user.has(va) && !systemAtomics) continue;
    const bo = gpuvm.gem(va) as XeBo | null;
    const differs = vmas.atomic(va) !== atomic;
    if (differs || (bo !== null && bo.atomic !== atomic)) changed.push(va);
    if (differs) vmas.advise().atomic[va] = atomic;
    if (bo !== null) bo.atomic = atomic;
  }
  return changed;
}

/** Whoever uses atomics must be able to reach the object in a memory where they work. */
function checkAtomic(bo: XeBo, atomic: number, platform: Platform, addr: number): void {
  const system = (bo.placement & PLACEMENT_SYSTEM) !== 0;
  const vram = (bo.placement & PLACEMENT_VRAM) !== 0;
  const missing =
    atomic === ATOMIC_CPU && !system
      ? "system memory"
      : atomic === ATOMIC_DEVICE && !vram && !(system && platform.systemAtomics)
        ? "VRAM"
        : atomic === ATOMIC_GLOBAL && !(system && vram)
          ? "both system memory and VRAM"
          : null;
  if (missing !== null) {
    fail(EINVAL, `madvise.val: the object behind ${hex(addr)} would have to be placed in ${missing}`);
  }
}

/** Objects alone have contents that can go. */
function setPurgeable({ vmas, gpuvm }: XeVm, vas: readonly number[], state: number): boolean {
  let retained = true;
  for (const va of vas) {
    const bo = gpuvm.gem(va) as XeBo | null;
    if (bo === null) continue;
    if (bo.purged) retained = false;
    else if (vmas.purgeable(va) !== state) {
      vmas.advise().purgeable[va] = state;
      if (state === VMA_PURGEABLE_STATE_WILLNEED) bo.mappingWillNeed();
      else bo.mappingDontNeed();
    }
  }
  return retained;
}
