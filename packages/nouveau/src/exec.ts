/**
 * EXEC, as far as memory goes: every object of the VM is locked, and those that were moved away come back (`nouveau_exec.c`,
 * Linux 7.3-rc7). The job itself is not modelled; it ends when its waits have happened.
 *
 * @module
 */

import { EINVAL, ENODEV, ENOENT, Fence, fail, type HandleTable, hex, type UserSpace } from "@vmbind/drm";
import { vmBosOf } from "@vmbind/gpuvm-core";
import { copySyncs, resolveSyncs, type SyncFile } from "./bind-syncs.ts";
import { NouveauBo } from "./bo.ts";
import { restoreMappings } from "./job-run.ts";
import { EXEC_PUSH, type Exec } from "./uapi.ts";
import type { NouveauVm } from "./vm.ts";

/** Most pushes of an EXEC on Fermi and later. */
export const EXEC_PUSH_MAX = 510;
/** Most bytes of a push. */
const PUSH_BYTES_MAX = 0x7f_ffff;

/** A channel: what EXEC submits to. */
export interface Channel {
  /** It made the GPU fault, and takes nothing any more. */
  killed: boolean;
}

/** What EXEC needs of the open file; see `NouveauFile`. */
export interface ExecFile extends SyncFile {
  /** Its channels by number. */
  readonly channels: HandleTable<Channel>;
}

/**
 * EXEC.
 *
 * @param file - the open file
 * @param vm - its VM
 * @param args - the struct
 * @param user - memory with the arrays
 * @throws DrmError ENOENT, ENODEV, EINVAL, EFAULT, EOPNOTSUPP, ENOMEM
 */
export function exec(file: ExecFile, vm: NouveauVm, args: Exec, user: UserSpace): void {
  const channel =
    file.channels.get(args.channel) ??
    fail(ENOENT, `exec.channel: ${args.channel} is not a channel of this file`);
  if (channel.killed) fail(ENODEV, `exec.channel: ${args.channel} was killed`);
  if (args.pushCount > EXEC_PUSH_MAX) {
    fail(EINVAL, `exec.push_count: ${args.pushCount} is more than ${EXEC_PUSH_MAX}`);
  }
  const pushes = args.pushCount > 0 ? user.view(args.pushPtr, args.pushCount * EXEC_PUSH.size) : null;
  const syncs = copySyncs(args, user);
  vm.device.counters.payloadBytes += args.pushCount * EXEC_PUSH.size + (args.waitCount + args.sigCount) * 16;
  for (let i = 0; i < args.pushCount; i++) {
    const { vaLen } = EXEC_PUSH.read(pushes as DataView, i * EXEC_PUSH.size);
    if (vaLen > PUSH_BYTES_MAX) fail(EINVAL, `push_ptr[${i}].va_len: ${hex(vaLen)} is more than 0x7fffff`);
  }
  const waits: Fence[] = [];
  const attach = resolveSyncs(file, syncs, waits);
  vm.gpuvm.execLock({ ignoreDuplicates: true, numFences: 1 });
  restoreObjects(vm);
  const done = new Fence();
  attach(done);
  let left = waits.length + 1;
  const count = (): void => {
    if (--left === 0) done.signal();
  };
  for (const fence of waits) fence.onSignal(count);
  count();
}

/**
 * Bring back every object of a VM that was moved away, in every VM that maps it.
 *
 * @param vm - a VM
 * @throws DrmError ENOMEM
 */
export function restoreObjects(vm: NouveauVm): void {
  for (const { gem } of [...vm.gpuvm.vmBos()]) {
    if (!(gem instanceof NouveauBo) || !gem.evicted) continue;
    gem.restore();
    for (const vmBo of vmBosOf(gem)) {
      const other = vm.device.vms.get(vmBo.vm);
      if (other !== undefined) restoreMappings(other, vmBo);
    }
  }
}
