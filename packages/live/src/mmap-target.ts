/**
 * What mmap and lseek of a descriptor are about.
 *
 * @module
 */

import { EINVAL, ENODEV, fail, type GemObject, hex, writeU64 } from "@vmbind/drm";
import type { Descriptor } from "./descriptors.ts";
import type { LiveFile } from "./hardware.ts";
import { readNumber } from "./wire.ts";

/** A byte of an object. */
export interface MmapTarget {
  /** The object. */
  readonly gem: GemObject;
  /** The byte. */
  readonly at: number;
}

/**
 * @param descriptor - that is mapped
 * @param file - behind it, for one of a node
 * @param offset - in bytes
 * @returns what it shows; null for a page of no object, such as a register page
 * @throws `DrmError` ENODEV for what cannot be mapped, EINVAL for an offset that is no object's
 */
export function mmapTarget(
  descriptor: Descriptor | undefined,
  file: LiveFile | undefined,
  offset: number,
): MmapTarget | null {
  if (descriptor?.what === "dma-buf") return { gem: descriptor.dmaBuf.gem, at: offset };
  if (file === undefined) return fail(ENODEV, "mmap: neither a node nor a dma-buf");
  const target = file.model.objectAt(offset);
  if (target !== undefined) return { gem: target.object, at: target.offset };
  if (file.hasPage?.(offset)) return null;
  return fail(EINVAL, `mmap: offset ${hex(offset)} is no object of this file`);
}

/**
 * lseek, by which programs learn the size of a dma-buf.
 *
 * @param descriptor - a dma-buf
 * @param body - offset and whence
 * @returns the new offset, as the shim wants it
 * @throws `DrmError` EINVAL
 */
export function seekDmaBuf(descriptor: Descriptor | undefined, body: Uint8Array): Uint8Array {
  const whence = readNumber(body, 8);
  if (descriptor?.what !== "dma-buf" || readNumber(body, 0) !== 0 || (whence !== 0 && whence !== 2)) {
    fail(EINVAL, "lseek: a dma-buf has SEEK_SET and SEEK_END of 0");
  }
  const out = new Uint8Array(16);
  writeU64(new DataView(out.buffer), 0, whence === 2 ? descriptor.dmaBuf.size : 0);
  return out;
}
