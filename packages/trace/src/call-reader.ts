/**
 * How a lens reads a recorded ioctl.
 *
 * @module
 */

import type { StructLayout, UserArray } from "@vmbind/drm";

/** Elements of an array as memory. */
export interface ElementBytes {
  /** The memory; a whole element at each place. */
  readonly view: DataView;
  /** Elements. */
  readonly count: number;
  /** Bytes from one element to the next. */
  readonly stride: number;
}

/** One recorded ioctl, read through a driver's layouts. */
export interface CallReader {
  /** 32-bit request number. */
  readonly request: number;
  /** 0 or a negative errno. */
  readonly ret: number;
  /**
   * @param layout - of the argument
   * @returns the argument before the call
   */
  sent<T>(layout: StructLayout<T>): T;
  /**
   * The same as memory, for who wants a few members of many.
   *
   * @param layout - of the argument
   * @returns the argument before the call
   */
  sentBytes(layout: Pick<StructLayout<unknown>, "size">): DataView;
  /**
   * @param layout - of the argument
   * @returns the argument after the call
   */
  returned<T>(layout: StructLayout<T>): T;
  /**
   * The elements that the argument points to, found by their address and counted by the argument, as the driver does it.
   *
   * @param array - an array of the ioctl's row; for elements of a later header with their layout in place of the row's
   * @returns its elements as far as they are recorded; one that is shorter than the layout reads zero behind its end
   */
  elements<E extends object>(
    array: Pick<UserArray<object, E>, "pointer" | "count" | "stride" | "element">,
  ): E[];
  /**
   * The same elements as memory: operations come by the hundred thousand, and each is an object of a driver's lens at last.
   *
   * @param array - as there
   */
  elementBytes<E extends object>(
    array: Pick<UserArray<object, E>, "pointer" | "count" | "stride" | "element">,
  ): ElementBytes;
  /**
   * How many elements {@link CallReader.elements} gives, without reading one.
   *
   * @param array - as there
   */
  count<E extends object>(
    array: Pick<UserArray<object, E>, "pointer" | "count" | "stride" | "element">,
  ): number;
}
