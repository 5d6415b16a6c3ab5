/**
 * What the vector formats share: a device as `config` describes it, a VM, objects, and operations as ioctls.
 *
 * @module
 */

import { EINVAL, fail, quirksOf, RECORDED_PROFILE, UserMemory } from "@vmbind/drm";
import { u64Of, type VectorHeader } from "@vmbind/gpuvm-core/conformance";
import { ScatterList } from "@vmbind/mmu";
import { PLACEMENT_SYSTEM, PLACEMENT_VRAM } from "../bo.ts";
import { XeDevice } from "../device.ts";
import type { XeFile } from "../file.ts";
import { PLATFORMS, type Platform } from "../platforms.ts";
import { QUIRKS, type XeQuirks } from "../quirks.ts";
import * as uapi from "../uapi.ts";
import type { XeVm } from "../vm.ts";

/** The `source` of vectors that were run without memory management. */
const STUBBED_MEMORY = /^Linux 7\.3\.4\b/;

/**
 * Whether a file's vectors were run without memory management: nothing moved at a PREFETCH or was in its way, and every fault
 * bound, as the kernel does at one of an atomic access.
 *
 * @param header - of the file
 */
export function isMemoryStubbed({ source }: VectorHeader): boolean {
  return STUBBED_MEMORY.test(source);
}

/** Quirks of recorded behaviour that nothing shows where nothing moves. */
export const WITHOUT_MOVES: Partial<XeQuirks> = { prefetchFirstOnly: false };

/** `config` of a case. */
export interface VectorConfig {
  platform: string;
  graphics: number;
  va_bits: number;
  root_level: number;
  vram: boolean;
  vram_64k_only: boolean;
  cached_pt: boolean;
  scratch: boolean;
  lr: boolean;
  fault_mode: boolean;
  pat_entries: number;
  pat_wb: number;
  pat_uc: number;
}

/** An element of a BO's `chunks`. */
type VectorChunk = [string, string] | { dma: string; size: string; count: number; stride: string };

/** An element of `bos`. */
export interface VectorBo {
  id: number;
  placement: "system" | "vram";
  external: boolean;
  dontneed?: boolean;
  chunks: VectorChunk[];
}

/** An operation that is one ioctl with one bind, or an element of an array. */
export interface VectorOp {
  op: string;
  addr: string;
  range: string;
  bo: number;
  offset: string;
  pat_index: number;
  flags: number;
}

/** Fields of a bind as the struct has them. */
export interface RawBind {
  op: number;
  flags: number;
  obj: number;
  obj_offset: string;
  range: string;
  addr: string;
  pat_index: number;
  prefetch_mem_region_instance: number;
}

/** A device with one open file and one VM. */
export interface Bench {
  device: XeDevice;
  file: XeFile;
  vm: XeVm;
}

const VECTOR_OF_BINDS = 0x7000_0000_0000;
/** Away from every DMA address of the vectors. */
const TABLE_BASE = 2 ** 46;

/**
 * Make the device, the VM and the objects of a case.
 *
 * @param config - of the case
 * @param bos - of the case; their ids are the handles
 * @param quirks - those that are on beside the profile's of recorded behaviour
 */
export function makeBench(config: VectorConfig, bos: readonly VectorBo[], quirks: Partial<XeQuirks>): Bench {
  const device = new XeDevice(platformOf(config), {
    quirks: { ...quirksOf(QUIRKS, RECORDED_PROFILE), ...quirks },
    memory: { tableBase: TABLE_BASE },
    tlb: null,
    // `config.scratch` says what the VM has, on every platform.
    forcedScratch: false,
    adoptSyncobjs: true,
  });
  const file = device.open();
  const arg = uapi.VM_CREATE.encode({
    flags:
      (config.scratch ? uapi.VM_CREATE_FLAG_SCRATCH_PAGE : 0) |
      (config.lr ? uapi.VM_CREATE_FLAG_LR_MODE : 0) |
      (config.fault_mode ? uapi.VM_CREATE_FLAG_FAULT_MODE : 0),
  });
  if (file.ioctl(uapi.IOCTL_VM_CREATE, arg) !== 0) fail(EINVAL, `config: ${file.lastError?.message}`);
  const vm = file.vm(1);
  if (vm === undefined) throw new Error("conformance: the first VM is not VM 1");
  for (const bo of bos) {
    const pages = pagesOf(bo);
    const handle = file.createBo(pages.totalBytes, {
      placement: bo.placement === "vram" ? PLACEMENT_VRAM : PLACEMENT_SYSTEM,
      cpuCaching: bo.placement === "vram" ? uapi.GEM_CPU_CACHING_WC : uapi.GEM_CPU_CACHING_WB,
      vm: bo.external ? null : vm,
      pages,
    });
    if (handle !== bo.id) throw new Error(`conformance: object ${bo.id} has handle ${handle}`);
    const object = file.bo(handle);
    if (object !== undefined) object.dontNeed = bo.dontneed ?? false;
  }
  return { device, file, vm };
}

function platformOf(config: VectorConfig): Platform {
  const row = PLATFORMS.get(config.platform);
  if (row === undefined || row.pat.length < config.pat_entries) {
    return fail(EINVAL, `config.platform: ${config.platform} is not known`);
  }
  return {
    ...row,
    graphics: config.graphics,
    vaBits: config.va_bits,
    rootLevel: config.root_level,
    vramBytes: config.vram ? row.vramBytes || 2 ** 30 : 0,
    vram64kOnly: config.vram_64k_only,
    cachedPageTables: config.cached_pt,
    patUc: config.pat_uc,
    patWb: config.pat_wb,
    pat: row.pat.slice(0, config.pat_entries),
  };
}

function pagesOf(bo: VectorBo): ScatterList {
  const segments: { pa: number; bytes: number }[] = [];
  for (const chunk of bo.chunks) {
    if (Array.isArray(chunk)) {
      segments.push({ pa: u64Of(chunk[0]), bytes: u64Of(chunk[1]) });
      continue;
    }
    const stride = chunk.stride.startsWith("-") ? -u64Of(chunk.stride.slice(1)) : u64Of(chunk.stride);
    for (let i = 0; i < chunk.count; i++) {
      segments.push({ pa: u64Of(chunk.dma) + i * stride, bytes: u64Of(chunk.size) });
    }
  }
  return ScatterList.of(segments);
}

const OP_CODES: Readonly<Record<string, number>> = {
  map: uapi.VM_BIND_OP_MAP,
  null: uapi.VM_BIND_OP_MAP,
  unmap: uapi.VM_BIND_OP_UNMAP,
  unmap_all: uapi.VM_BIND_OP_UNMAP_ALL,
  prefetch: uapi.VM_BIND_OP_PREFETCH,
};

/**
 * An operation of a case in the struct's terms.
 *
 * @param op - the operation
 * @param region - where a PREFETCH brings objects, which the formats do not say: system memory unless given
 */
export function rawBind(op: VectorOp, region = 0): RawBind {
  const code = OP_CODES[op.op];
  if (code === undefined) throw new Error(`conformance: no operation ${op.op}`);
  return {
    op: code,
    flags: op.op === "null" ? op.flags | uapi.VM_BIND_FLAG_NULL : op.flags,
    obj: op.bo,
    obj_offset: op.offset,
    range: op.range,
    addr: op.addr,
    pat_index: op.pat_index,
    prefetch_mem_region_instance: op.op === "prefetch" ? region : 0,
  };
}

/**
 * Issue one VM_BIND.
 *
 * @param file - the file
 * @param binds - its operations
 * @param head - other members of `drm_xe_vm_bind`; `vmId` is 1 unless told
 * @returns 0 or a negative errno
 */
export function issueBind(file: XeFile, binds: readonly RawBind[], head: Partial<uapi.VmBind> = {}): number {
  const bytes = new Uint8Array(binds.length * uapi.VM_BIND_OP.size);
  const view = new DataView(bytes.buffer);
  binds.forEach((bind, i) => {
    writeBind(view, i * uapi.VM_BIND_OP.size, bind);
  });
  const arg = uapi.VM_BIND.encode({ vmId: 1, numBinds: binds.length, ...head });
  const at = uapi.VM_BIND.fields.bind.offset;
  const user = new UserMemory();
  if (binds.length === 1) arg.set(bytes, at);
  else if (binds.length > 1) {
    uapi.VM_BIND_VECTOR.write(new DataView(arg.buffer), at, { vectorOfBinds: VECTOR_OF_BINDS });
    user.place(VECTOR_OF_BINDS, bytes);
  }
  return file.ioctl(uapi.IOCTL_VM_BIND, arg, user);
}

/** u64 members go through bigint, since vectors hold values that no double does. */
function writeBind(view: DataView, base: number, bind: RawBind): void {
  const { fields } = uapi.VM_BIND_OP;
  uapi.VM_BIND_OP.write(view, base, {
    op: bind.op,
    flags: bind.flags,
    obj: bind.obj,
    patIndex: bind.pat_index,
    prefetchMemRegionInstance: bind.prefetch_mem_region_instance,
  });
  view.setBigUint64(base + fields.objOffset.offset, BigInt(bind.obj_offset), true);
  view.setBigUint64(base + fields.range.offset, BigInt(bind.range), true);
  view.setBigUint64(base + fields.addr.offset, BigInt(bind.addr), true);
}

/** A number as the vectors write it. */
export function toHex(value: number | bigint): string {
  return `0x${value.toString(16)}`;
}
