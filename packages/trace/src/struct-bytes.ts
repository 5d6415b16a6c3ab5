/**
 * Looking at a recorded ioctl's bytes through a layout.
 *
 * @module
 */

import type { StructLayout } from "@vmbind/drm";
import type { TraceArray, TraceIoctl } from "./format.ts";

/**
 * @param bytes - memory
 * @returns a view of exactly these bytes
 */
export function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/**
 * The elements of an array that an ioctl points to, as far as the recording holds them.
 *
 * @param call - the ioctl
 * @param field - name of the array
 * @param layout - of an element
 * @returns decoded elements; an element that is shorter than the layout reads zero behind its end
 */
export function elements<T>(call: TraceIoctl, field: string, layout: StructLayout<T>): T[] {
  const array: TraceArray | undefined = call.arrays.find((a) => a.field === field);
  if (!array) return [];
  if (array.stride >= layout.size) {
    const view = viewOf(array.data);
    return Array.from({ length: array.count }, (_, i) => layout.read(view, i * array.stride));
  }
  return Array.from({ length: array.count }, (_, i) => {
    const padded = new Uint8Array(layout.size);
    padded.set(array.data.subarray(i * array.stride, (i + 1) * array.stride));
    return layout.read(viewOf(padded));
  });
}
