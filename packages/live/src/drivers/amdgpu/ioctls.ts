/**
 * Ioctls of `amdgpu_drm.h` (Linux 7.3-rc7) around the model: what an object's users tell each other of it, the VMID of a VM, and the
 * wait for a submission, which is over when the submission returns.
 *
 * @module
 */

import { IOCTL_GEM_METADATA, IOCTL_VM, IOCTL_WAIT_CS } from "@vmbind/amdgpu";
import { EINVAL, ENOENT, fail, writeU64 } from "@vmbind/drm";
import type { LiveCall } from "../../call.ts";
import { DriverIoctls } from "../../driver-ioctls.ts";
import type { AmdgpuLiveFile } from "./file.ts";
import {
  ENGINE_TYPES,
  GEM_METADATA,
  METADATA_BYTES,
  METADATA_GET,
  METADATA_SET,
  VM,
  VM_OP_RESERVE_VMID,
  VM_OP_UNRESERVE_VMID,
  WAIT_CS,
} from "./uapi.ts";

/** The fence of the newest submission, whatever its number. */
const NEWEST = 2 ** 64;

/** The rows. */
export const IOCTLS: DriverIoctls<AmdgpuLiveFile> = new DriverIoctls<AmdgpuLiveFile>([
  { name: "AMDGPU_GEM_METADATA", request: IOCTL_GEM_METADATA, layout: GEM_METADATA, act: gemMetadata },
  { name: "AMDGPU_WAIT_CS", request: IOCTL_WAIT_CS, layout: WAIT_CS, act: waitCs },
  { name: "AMDGPU_VM", request: IOCTL_VM, layout: VM, act: vm },
]);

/** GEM_METADATA. Another operation than the two does nothing and succeeds, as the driver has it. */
function gemMetadata({ model, device }: AmdgpuLiveFile, _: LiveCall, arg: DataView): void {
  const { metadata } = device;
  const { handle, op, flags, tilingInfo, dataSizeBytes, data } = GEM_METADATA.read(arg);
  const bo = model.bo(handle);
  if (bo === undefined) fail(ENOENT, `gem_metadata.handle: ${handle} is not a handle of this file`);
  if (op === METADATA_SET) {
    if (dataSizeBytes > METADATA_BYTES)
      fail(EINVAL, `gem_metadata.data_size_bytes: ${dataSizeBytes} is more than ${METADATA_BYTES}`);
    metadata.set(bo, { flags, tilingInfo, dataSizeBytes, data });
  } else if (op === METADATA_GET) {
    const known = metadata.get(bo);
    const { fields } = GEM_METADATA;
    fields.flags.write(arg, 0, known?.flags);
    fields.tilingInfo.write(arg, 0, known?.tilingInfo);
    fields.dataSizeBytes.write(arg, 0, known?.dataSizeBytes);
    if (known !== undefined) {
      data.set(known.data.subarray(0, known.dataSizeBytes));
      fields.data.write(arg, 0, data);
    }
  }
}

/** WAIT_CS: all submissions of the past are done. */
function waitCs({ model }: AmdgpuLiveFile, _: LiveCall, arg: DataView): void {
  const { handle, ipType, ipInstance, ctxId } = WAIT_CS.read(arg);
  const { submissions } = model;
  if (!submissions.hasContext(ctxId)) fail(EINVAL, `wait_cs.ctx_id: ${ctxId} is not a context of this file`);
  if (ipType >= ENGINE_TYPES) fail(EINVAL, `wait_cs.ip_type: ${ipType} is no type of engine`);
  if (ipInstance !== 0) fail(EINVAL, `wait_cs.ip_instance: ${ipInstance}, and there is only 0`);
  if (handle > submissions.fences && handle < NEWEST)
    fail(EINVAL, `wait_cs.handle: ${handle}, and the newest is ${submissions.fences}`);
  writeU64(arg, 0, 0);
}

/** VM: a VMID of its own for the VM. The model's TLB has a number for each VM anyway. */
function vm(_: AmdgpuLiveFile, __: LiveCall, arg: DataView): void {
  const { op, flags } = VM.read(arg);
  if (flags !== 0) fail(EINVAL, "vm.flags: must be 0");
  if (op !== VM_OP_RESERVE_VMID && op !== VM_OP_UNRESERVE_VMID) fail(EINVAL, `vm.op: ${op} is none`);
}
