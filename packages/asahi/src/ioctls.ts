/**
 * Which ioctl number runs what. Each entry decodes its struct, calls the typed method of the open file, and writes
 * what the method returns into the struct.
 *
 * @module
 */

import { DRM_IOCTL_GEM_CLOSE, decodeIoctl, EOPNOTSUPP, fail, type UserMemory } from "@vmbind/gpuvm-core";
import type { AsahiFile } from "./file.ts";
import {
  GEM_BIND_OBJECT,
  GEM_CREATE,
  GEM_MMAP_OFFSET,
  GET_PARAMS,
  NR_GEM_BIND_OBJECT,
  NR_GEM_CREATE,
  NR_GEM_MMAP_OFFSET,
  NR_GET_PARAMS,
  NR_GET_TIME,
  NR_QUEUE_CREATE,
  NR_QUEUE_DESTROY,
  NR_SUBMIT,
  NR_VM_BIND,
  NR_VM_CREATE,
  NR_VM_DESTROY,
  readVmBind,
  VM_BIND,
  VM_CREATE,
  VM_DESTROY,
} from "./uapi.ts";

/** How one ioctl is run. */
export interface Ioctl {
  /** Bytes of the driver's struct; a shorter argument is extended with zeros. */
  readonly size: number;
  /** The argument is copied back. */
  readonly copyOut?: true;
  /** Decode, act, and write outputs into `arg`; throws DrmError. */
  run(file: AsahiFile, arg: DataView, user: UserMemory): void;
}

/** The ioctls by number. GEM_CLOSE is DRM's own and not the driver's. */
export const IOCTLS: ReadonlyMap<number, Ioctl> = new Map<number, Ioctl>([
  [
    decodeIoctl(DRM_IOCTL_GEM_CLOSE).nr,
    { size: 8, run: (file, arg) => file.gemClose(arg.getUint32(0, true)) },
  ],
  [
    NR_GET_PARAMS,
    { size: GET_PARAMS.size, run: (file, arg, user) => file.getParams(GET_PARAMS.read(arg), user) },
  ],
  [
    NR_VM_CREATE,
    {
      size: VM_CREATE.size,
      copyOut: true,
      run: (file, arg) => VM_CREATE.fields.vm_id.write(arg, 0, file.vmCreate(VM_CREATE.read(arg))),
    },
  ],
  [NR_VM_DESTROY, { size: VM_DESTROY.size, run: (file, arg) => file.vmDestroy(VM_DESTROY.read(arg)) }],
  [NR_VM_BIND, { size: VM_BIND.size, run: (file, arg, user) => file.vmBind(readVmBind(arg), user) }],
  [
    NR_GEM_CREATE,
    {
      size: GEM_CREATE.size,
      copyOut: true,
      run: (file, arg) => GEM_CREATE.fields.handle.write(arg, 0, file.gemCreate(GEM_CREATE.read(arg))),
    },
  ],
  [
    NR_GEM_MMAP_OFFSET,
    {
      size: GEM_MMAP_OFFSET.size,
      copyOut: true,
      run: (file, arg) =>
        GEM_MMAP_OFFSET.fields.offset.write(arg, 0, file.gemMmapOffset(GEM_MMAP_OFFSET.read(arg))),
    },
  ],
  [
    NR_GEM_BIND_OBJECT,
    {
      size: GEM_BIND_OBJECT.size,
      copyOut: true,
      run(file, arg) {
        const args = GEM_BIND_OBJECT.read(arg);
        GEM_BIND_OBJECT.fields.object_handle.write(arg, 0, file.gemBindObject(args));
      },
    },
  ],
  ...[NR_GET_TIME, NR_QUEUE_CREATE, NR_QUEUE_DESTROY, NR_SUBMIT].map((nr): [number, Ioctl] => [
    nr,
    {
      size: 0,
      run: () => fail(EOPNOTSUPP, `ioctl nr 0x${nr.toString(16)}: queues and time are not modelled`),
    },
  ]),
]);
