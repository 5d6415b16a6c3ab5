/**
 * The argument checks of VM_BIND that look at one operation (`vm_bind_ioctl_check_args` and
 * `xe_vm_bind_ioctl_validate_bo` of `xe_vm.c`, Linux 7.3-rc7).
 *
 * The kernel says EINVAL for nearly all of them; here each rule has its sentence. Note what is *not* checked by 7.3-rc7:
 * an operation's `extensions`, `pad`, `pad2` and `reserved`. And what is checked although it means nothing: an unaligned
 * `obj_offset` fails an UNMAP.
 *
 * @module
 */

import { EINVAL, ENOEXEC, EOPNOTSUPP, fail, readU64 } from "@vmbind/drm";
import type { XeBo } from "./bo.ts";
import { FORCE_OP_ERROR } from "./forced-errors.ts";
import { BLOCK_64K, PAGE_BYTES } from "./page-sizes.ts";
import type { PatEntry, Platform } from "./platforms.ts";
import { regionMask } from "./platforms.ts";
import {
  CONSULT_MEM_ADVISE_PREF_LOC,
  GEM_CPU_CACHING_WB,
  GEM_CREATE_FLAG_NO_COMPRESSION,
  VM_BIND_FLAG_CHECK_PXP,
  VM_BIND_FLAG_CPU_ADDR_MIRROR,
  VM_BIND_FLAG_DECOMPRESS,
  VM_BIND_FLAG_MADVISE_AUTORESET,
  VM_BIND_FLAG_NULL,
  VM_BIND_OP,
  VM_BIND_OP_MAP,
  VM_BIND_OP_MAP_USERPTR,
  VM_BIND_OP_PREFETCH,
  VM_BIND_OP_UNMAP,
  VM_BIND_OP_UNMAP_ALL,
} from "./uapi.ts";
import type { UserPages } from "./user-pages.ts";

const ALL_FLAGS = 0xff;
const DEBUG_FLAGS = 0xff + FORCE_OP_ERROR;
/** On integrated 35.x this index counts as coherent with the CPU. */
const PAT_XE3P_COHERENT = 19;
/** First graphics version, times 100, with DECOMPRESS and NO_COMPRESSION (`xe_vm.c`, `xe_bo.c`, Linux 7.3-rc7). */
export const XE2_GRAPHICS = 2000;
const XE3P_GRAPHICS = 3500;

/** {@link patBits}: the entry is refused. */
const PAT_RESERVED = 1;
/** The GPU does not see what the CPU's caches have. */
const PAT_INCOHERENT = 2;
/** The entry turns compression on. */
const PAT_COMPRESSED = 4;

// Decoded with constants: going through the layout's fields costs as much as the rest of a small bind.
const OBJ = VM_BIND_OP.fields.obj.offset;
const PAT_INDEX = VM_BIND_OP.fields.patIndex.offset;
const OBJ_OFFSET = VM_BIND_OP.fields.objOffset.offset;
const RANGE = VM_BIND_OP.fields.range.offset;
const ADDR = VM_BIND_OP.fields.addr.offset;
const OP = VM_BIND_OP.fields.op.offset;
const FLAGS = VM_BIND_OP.fields.flags.offset;
const REGION = VM_BIND_OP.fields.prefetchMemRegionInstance.offset;

/** A u64 that is most often below 2^53. */
function fastU64(view: DataView, at: number): number {
  const high = view.getUint32(at + 4, true);
  return high < 0x20_0000 ? high * 4294967296 + view.getUint32(at, true) : readU64(view, at);
}

/** A multiple of a power of two up to 2^32. The remainder of doubles would be ten times slower; NaN is a multiple of nothing. */
function isMultiple(value: number, of: number): boolean {
  return (value & (of - 1)) === 0 && !Number.isNaN(value);
}

/** One decoded `drm_xe_vm_bind_op` (`xe_drm.h`, Linux 7.3-rc7); reused. */
export class XeBindOp {
  #index = 0;
  #count = 1;
  /** GEM handle. */
  obj = 0;
  /** PAT index. */
  patIndex = 0;
  /** Byte offset into the object, or user address. */
  objOffset = 0.5;
  /** Bytes. */
  range = 0.5;
  /** First VA in bytes. */
  addr = 0.5;
  /** `VM_BIND_OP_*`. */
  op = 0;
  /** `VM_BIND_FLAG_*`. */
  flags = 0;
  /** Region to prefetch to. */
  region = 0;
  /** The object of `obj`, once looked up. */
  bo: XeBo | null = null;
  /** Who pins the pages of MAP_USERPTR. */
  userPages: UserPages | null = null;
  /** Whose they are; see `UserSpace.process`. */
  process: object | undefined = undefined;

  /** Where it stands, for messages: `bind` or `vector_of_binds[i]`. */
  get name(): string {
    return this.#count === 1 ? "bind" : `vector_of_binds[${this.#index}]`;
  }

  /**
   * Decode `drm_xe_vm_bind_op`.
   *
   * @param view - memory
   * @param base - byte where the operation begins
   * @param index - its place in the ioctl
   * @param count - operations of the ioctl
   */
  read(view: DataView, base: number, index: number, count: number): void {
    this.#index = index;
    this.#count = count;
    this.obj = view.getUint32(base + OBJ, true);
    this.patIndex = view.getUint16(base + PAT_INDEX, true);
    this.objOffset = fastU64(view, base + OBJ_OFFSET);
    this.range = fastU64(view, base + RANGE);
    this.addr = fastU64(view, base + ADDR);
    this.op = view.getUint32(base + OP, true);
    this.flags = view.getUint32(base + FLAGS, true);
    this.region = view.getUint32(base + REGION, true);
    this.bo = null;
    this.userPages = null;
    this.process = undefined;
  }
}

/**
 * What a platform's PAT entries are, a byte each: most binds are asked nothing else, and would look through the entries themselves for it.
 *
 * @param platform - the device
 * @returns `PAT_*` bits by index
 */
export function patBits({ pat }: Platform): Uint8Array {
  return Uint8Array.from(
    pat,
    ({ coherency, compressed }) =>
      (coherency === "reserved" ? PAT_RESERVED : 0) |
      (coherency === "none" ? PAT_INCOHERENT : 0) |
      (compressed ? PAT_COMPRESSED : 0),
  );
}

/**
 * Check what can be said without looking up anything (`vm_bind_ioctl_check_args`).
 *
 * @param op - the operation
 * @param platform - the device
 * @param pats - its {@link patBits}
 * @param faultMode - the VM is in fault mode
 * @param debugBuild - the driver is built for debugging
 * @throws `DrmError` EINVAL, EOPNOTSUPP
 */
export function checkOp(
  op: XeBindOp,
  platform: Platform,
  pats: Uint8Array,
  faultMode: boolean,
  debugBuild: boolean,
): void {
  if ((op.flags & VM_BIND_FLAG_CPU_ADDR_MIRROR) !== 0 && !(faultMode && platform.usm)) {
    fail(EINVAL, `${op.name}.flags: CPU_ADDR_MIRROR needs a fault-mode VM`);
  }
  const pat = pats[op.patIndex];
  if (pat === undefined) {
    fail(
      EINVAL,
      `${op.name}.pat_index: ${op.patIndex} is not below ${platform.pat.length}, the entries of ${platform.title}`,
    );
  }
  if ((pat & PAT_RESERVED) !== 0) {
    fail(EINVAL, `${op.name}.pat_index: ${op.patIndex} is a reserved entry on ${platform.title}`);
  }
  const problem =
    combinationProblem(op, platform, debugBuild ? DEBUG_FLAGS : ALL_FLAGS) ?? alignmentProblem(op);
  if (problem !== null) fail(EINVAL, `${op.name}.${problem}`);
  if ((op.flags & VM_BIND_FLAG_DECOMPRESS) !== 0) {
    if (!platform.flatCcs || platform.graphics < XE2_GRAPHICS || platform.vramBytes === 0) {
      fail(EOPNOTSUPP, `${op.name}.flags: DECOMPRESS needs a discrete GPU from Xe2 on`);
    }
  }
}

function combinationProblem(op: XeBindOp, platform: Platform, knownFlags: number): string | null {
  const kind = op.op;
  const { flags, obj } = op;
  // Most operations: no flags, no region, and an object just where it has to be. None of the rules below is about those.
  if ((flags | op.region) === 0 && (obj !== 0 ? kind === VM_BIND_OP_MAP : kind === VM_BIND_OP_UNMAP))
    return null;
  const pat = platform.pat[op.patIndex] as PatEntry;
  const isNull = (flags & VM_BIND_FLAG_NULL) !== 0;
  const mirror = (flags & VM_BIND_FLAG_CPU_ADDR_MIRROR) !== 0;
  const decompress = (flags & VM_BIND_FLAG_DECOMPRESS) !== 0;
  const incoherent = pat.coherency === "none";

  if (kind > VM_BIND_OP_PREFETCH) return `op: ${kind} is no operation`;
  if ((flags & ~knownFlags) !== 0) {
    const debug = flags >= FORCE_OP_ERROR && knownFlags === ALL_FLAGS;
    return `flags: 0x${flags.toString(16)} has unknown bits${debug ? "; bit 31 is for drivers built for debugging" : ""}`;
  }
  if (obj !== 0 && isNull) return "obj: must be 0 with NULL";
  if (obj !== 0 && mirror) return "obj: must be 0 with CPU_ADDR_MIRROR";
  if (op.objOffset !== 0 && isNull) return "obj_offset: must be 0 with NULL";
  if (op.objOffset !== 0 && mirror) return "cpu_addr_mirror_offset: must be 0";
  if (kind !== VM_BIND_OP_MAP && (decompress || isNull || mirror)) {
    return "flags: DECOMPRESS, NULL and CPU_ADDR_MIRROR are for MAP only";
  }
  if (decompress && pat.compressed) return "pat_index: DECOMPRESS with a compressing entry";
  if (kind === VM_BIND_OP_MAP && obj === 0 && !isNull && !mirror) {
    return "obj: MAP without NULL or CPU_ADDR_MIRROR needs an object";
  }
  if (kind === VM_BIND_OP_UNMAP_ALL) {
    if (obj === 0) return "obj: UNMAP_ALL needs an object";
    if (op.addr !== 0) return "addr: must be 0 for UNMAP_ALL";
    if (op.range !== 0) return "range: must be 0 for UNMAP_ALL";
  }
  const userptr = kind === VM_BIND_OP_MAP_USERPTR;
  if (userptr && obj !== 0) return "obj: must be 0 for MAP_USERPTR";
  if (userptr && incoherent) return "pat_index: MAP_USERPTR needs a coherent entry";
  if (userptr && pat.compressed) return "pat_index: MAP_USERPTR with a compressing entry";
  if (platform.vramBytes === 0) {
    if (mirror && incoherent) return "pat_index: CPU_ADDR_MIRROR needs a coherent entry on an integrated GPU";
    if ((userptr || mirror) && !coherentOnXe3p(op.patIndex, platform, pat)) {
      return `pat_index: process memory needs entry ${PAT_XE3P_COHERENT} or two-way coherency on ${platform.title}`;
    }
  }
  if (kind === VM_BIND_OP_PREFETCH && obj !== 0) return "obj: must be 0 for PREFETCH";
  if (kind === VM_BIND_OP_UNMAP && obj !== 0) return "obj: must be 0 for UNMAP";
  if (op.region !== 0 && kind !== VM_BIND_OP_PREFETCH) {
    return "prefetch_mem_region_instance: must be 0 unless for PREFETCH";
  }
  if (
    op.region !== CONSULT_MEM_ADVISE_PREF_LOC &&
    !(op.region < 32 && (regionMask(platform) >>> op.region) & 1)
  ) {
    return `prefetch_mem_region_instance: the device has no region ${op.region}`;
  }
  if ((flags & VM_BIND_FLAG_MADVISE_AUTORESET) !== 0 && !(mirror && kind === VM_BIND_OP_MAP)) {
    return "flags: MADVISE_AUTORESET needs MAP with CPU_ADDR_MIRROR";
  }
  return null;
}

/**
 * Integrated 35.x: memory that the CPU caches needs one certain entry or two-way coherency.
 *
 * @param index - PAT index
 * @param platform - the device
 * @param pat - that entry
 */
export function coherentOnXe3p(index: number, platform: Platform, pat: PatEntry): boolean {
  if (platform.vramBytes !== 0 || platform.graphics < XE3P_GRAPHICS) return true;
  return index === PAT_XE3P_COHERENT || pat.coherency === "two-way";
}

function alignmentProblem(op: XeBindOp): string | null {
  if (!isMultiple(op.objOffset, PAGE_BYTES))
    return `obj_offset: ${u64Text(op.objOffset)} is not a multiple of 4096`;
  if (!isMultiple(op.addr, PAGE_BYTES)) return `addr: ${u64Text(op.addr)} is not a multiple of 4096`;
  if (!isMultiple(op.range, PAGE_BYTES)) return `range: ${u64Text(op.range)} is not a multiple of 4096`;
  if (op.range === 0 && op.op !== VM_BIND_OP_UNMAP_ALL) return "range: must not be 0";
  return null;
}

/**
 * Check that the range lies in the VM, which the kernel does once it has the VM's lock (`xe_vm.c`).
 *
 * @param op - the operation
 * @param vmSize - bytes
 * @throws `DrmError` EINVAL
 */
export function checkRange(op: XeBindOp, vmSize: number): void {
  if (op.range > vmSize || op.addr > vmSize - op.range) {
    fail(
      EINVAL,
      `${op.name}.addr: [${u64Text(op.addr)}, +${u64Text(op.range)}) reaches beyond the VM's end, ${u64Text(vmSize)}`,
    );
  }
}

/**
 * Check an operation against its object (`xe_vm_bind_ioctl_validate_bo`).
 *
 * @param op - the operation, its object looked up
 * @param bo - that object
 * @param platform - the device
 * @param pats - its {@link patBits}
 * @throws `DrmError` EINVAL, ENOEXEC
 */
export function checkBo(op: XeBindOp, bo: XeBo, platform: Platform, pats: Uint8Array): void {
  const pat = pats[op.patIndex] as number;
  if ((bo.flags & GEM_CREATE_FLAG_NO_COMPRESSION) !== 0 && (pat & PAT_COMPRESSED) !== 0) {
    fail(EINVAL, `${op.name}.pat_index: a compressing entry for an object made with NO_COMPRESSION`);
  }
  if (op.range > bo.size || op.objOffset > bo.size - op.range) {
    fail(
      EINVAL,
      `${op.name}.obj_offset: [${u64Text(op.objOffset)}, +${u64Text(op.range)}) reaches beyond the object's ${u64Text(bo.size)} bytes`,
    );
  }
  if (
    bo.internal64k &&
    !(
      isMultiple(op.objOffset, BLOCK_64K) &&
      isMultiple(op.addr, BLOCK_64K) &&
      isMultiple(op.range, BLOCK_64K)
    )
  ) {
    fail(
      EINVAL,
      `${op.name}: obj_offset, addr and range must be multiples of 65536 for an object that may live in VRAM`,
    );
  }
  if ((pat & PAT_INCOHERENT) !== 0 && (bo.imported || bo.cpuCaching === GEM_CPU_CACHING_WB)) {
    fail(EINVAL, `${op.name}.pat_index: an entry without coherency for an object that the CPU caches`);
  }
  if (bo.imported) {
    if ((pat & PAT_COMPRESSED) !== 0)
      fail(EINVAL, `${op.name}.pat_index: a compressing entry for an imported object`);
    if (!coherentOnXe3p(op.patIndex, platform, platform.pat[op.patIndex] as PatEntry)) {
      fail(
        EINVAL,
        `${op.name}.pat_index: an imported object needs entry ${PAT_XE3P_COHERENT} or two-way coherency`,
      );
    }
  }
  const unmaps = op.op === VM_BIND_OP_UNMAP || op.op === VM_BIND_OP_UNMAP_ALL;
  if ((op.flags & VM_BIND_FLAG_CHECK_PXP) !== 0 && bo.pxpInvalid && !unmaps) {
    fail(ENOEXEC, `${op.name}.flags: CHECK_PXP, and the object's key is no longer valid`);
  }
}

function u64Text(value: number): string {
  return Number.isNaN(value) ? "a value above 2^53 that is not page-aligned" : `0x${value.toString(16)}`;
}
