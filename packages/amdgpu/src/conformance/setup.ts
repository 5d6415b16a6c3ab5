/**
 * What cases of all formats are set up with: objects at given addresses under given handles, and GEM_VA as bytes.
 *
 * @module
 */

import { UserMemory } from "@vmbind/drm";
import { u64Of } from "@vmbind/drm/conformance";
import { ScatterList } from "@vmbind/mmu";
import { AmdgpuBo } from "../bo.ts";
import type { AmdgpuDevice } from "../device.ts";
import type { AmdgpuFile } from "../file.ts";
import type { Place } from "../leaf-flags.ts";
import {
  DOMAIN_GTT,
  DOMAIN_VRAM,
  IOCTL_GEM_VA_RW,
  VA_OP_CLEAR,
  VA_OP_MAP,
  VA_OP_REPLACE,
  VA_OP_UNMAP,
} from "../uapi.ts";

/** Pieces of memory as vectors write them. */
export type Chunks = readonly (
  | readonly [address: string, size: string]
  | { readonly address: string; readonly size: string; readonly count: number; readonly stride: string }
)[];

/** An object of a case. */
export interface VectorBo {
  /** Its handle. */
  readonly id: number;
  /** Bytes. */
  readonly size: string;
  /** Where it is. */
  readonly domain: "vram" | "gtt";
  /** Where it prefers to be, if not where it is. */
  readonly preferred?: "vram" | "gtt";
  /** Flags of GEM_CREATE. */
  readonly flags: string;
  /** Its memory. */
  readonly chunks: Chunks;
}

/** One GEM_VA as vectors write it. */
export interface VectorVa {
  /** Its number, or its name. */
  readonly operation: string | number;
  /** GEM handle. */
  readonly handle: number;
  /** Flags. */
  readonly flags: string;
  /** First VA. */
  readonly va: string;
  /** Byte of the object. */
  readonly offset: string;
  /** Bytes. */
  readonly size: string;
  /** Syncobj to signal, none unless given. */
  readonly timeline_syncobj?: number;
  /** Its point. */
  readonly timeline_point?: number;
  /** Syncobjs to wait for; `null` for one at no address. */
  readonly syncobjs?: "null" | readonly number[];
}

const OPERATIONS: Readonly<Record<string, number>> = {
  map: VA_OP_MAP,
  unmap: VA_OP_UNMAP,
  clear: VA_OP_CLEAR,
  replace: VA_OP_REPLACE,
};
const SYNCOBJS_ADDR = 0x1000;

/** @returns where pieces of memory are */
export function pagesOf(chunks: Chunks): ScatterList {
  const segments = chunks.flatMap((chunk) => {
    if ("count" in chunk) {
      const first = u64Of(chunk.address);
      const stride = Number(signedOf(chunk.stride));
      const bytes = u64Of(chunk.size);
      return Array.from({ length: chunk.count }, (_, i) => ({ pa: first + i * stride, bytes }));
    }
    return [{ pa: u64Of(chunk[0]), bytes: u64Of(chunk[1]) }];
  });
  return ScatterList.of(segments);
}

/**
 * Give objects the handles that a case gives them.
 *
 * @param device - the device
 * @param file - a fresh open file
 * @param vectors - in the order of their creation
 */
export function addBos(device: AmdgpuDevice, file: AmdgpuFile, vectors: readonly VectorBo[]): void {
  const { gems, memory } = device;
  const plain = (): AmdgpuBo =>
    new AmdgpuBo({ gems, memory, size: 0, place: "none", pages: null, frames: null });
  for (const { id, size, domain, preferred = domain, flags: flagText, chunks } of vectors) {
    // Handles come lowest first, so holes are filled for a moment.
    const holes: number[] = [];
    for (let handle = 1; handle < id; handle++) {
      if (file.bo(handle) === undefined) holes.push(file.addBo(plain()));
    }
    const flags = u64Of(flagText);
    const bo = new AmdgpuBo({
      gems,
      memory,
      size: u64Of(size),
      flags,
      domains: preferred === "vram" ? DOMAIN_VRAM : DOMAIN_GTT,
      resv: file.space.resv,
      place: domain satisfies Place,
      pages: pagesOf(chunks),
      frames: null,
    });
    file.addBo(bo);
    for (const handle of holes) file.gemClose(handle);
  }
}

/** @returns what the ioctl answers */
export function issueVa(file: AmdgpuFile, call: VectorVa): number {
  const { operation, syncobjs = [] } = call;
  const view = new DataView(new ArrayBuffer(64));
  view.setUint32(0, call.handle, true);
  view.setUint32(8, typeof operation === "number" ? operation : (OPERATIONS[operation] as number), true);
  view.setUint32(12, Number(call.flags), true);
  view.setBigUint64(16, BigInt(call.va), true);
  view.setBigUint64(24, BigInt(call.offset), true);
  view.setBigUint64(32, BigInt(call.size), true);
  view.setBigUint64(40, BigInt(call.timeline_point ?? 0), true);
  view.setUint32(48, call.timeline_syncobj ?? 0, true);
  const user = new UserMemory();
  if (syncobjs === "null") {
    view.setUint32(52, 1, true);
  } else if (syncobjs.length > 0) {
    view.setUint32(52, syncobjs.length, true);
    view.setBigUint64(56, BigInt(SYNCOBJS_ADDR), true);
    user.place(SYNCOBJS_ADDR, new Uint8Array(Uint32Array.from(syncobjs).buffer));
  }
  return file.ioctl(IOCTL_GEM_VA_RW, new Uint8Array(view.buffer), user);
}

/** A number that may have a sign in front of its hex digits. */
export function signedOf(text: string): bigint {
  return text.startsWith("-") ? -BigInt(text.slice(1)) : BigInt(text);
}
