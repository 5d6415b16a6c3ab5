/**
 * A recorded ioctl's bytes, read through layouts.
 *
 * @module
 */

import { type StructLayout, type UserArray, viewOf } from "@vmbind/drm";
import type { TraceArray, TraceIoctl } from "./format.ts";
import type { CallReader } from "./lens.ts";

/**
 * The elements of an array that an ioctl points to, as far as the recording holds them.
 *
 * @param call - the ioctl
 * @param field - name of the array
 * @param layout - of an element
 * @returns decoded elements; an element that is shorter than the layout reads zero behind its end
 */
export function elements<T>(call: Pick<TraceIoctl, "arrays">, field: string, layout: StructLayout<T>): T[] {
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

/** Reads one recorded ioctl. */
export class CallBytes implements CallReader {
  readonly #call: TraceIoctl;

  /** @param call - the ioctl */
  constructor(call: TraceIoctl) {
    this.#call = call;
  }

  /** See {@link CallReader.request}. */
  get request(): number {
    return this.#call.request;
  }

  /** See {@link CallReader.ret}. */
  get ret(): number {
    return this.#call.ret;
  }

  /** See {@link CallReader.sent}. */
  sent<T>(layout: StructLayout<T>): T {
    return layout.read(viewOf(this.#call.argIn));
  }

  /** See {@link CallReader.returned}. */
  returned<T>(layout: StructLayout<T>): T {
    return layout.read(viewOf(this.#call.argOut));
  }

  /** See {@link CallReader.elements}. */
  elements<E extends object>({ field, element }: Pick<UserArray<object, E>, "field" | "element">): E[] {
    return element === null ? [] : elements(this.#call, field, element);
  }
}
