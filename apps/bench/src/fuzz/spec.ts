/**
 * What the fuzzer knows about an ioctl, made from its row: where the numbers of its structs are, and what they point to.
 *
 * @module
 */

import type { IoctlRow, Slot, StructLayout, UserArray } from "@vmbind/drm";

/** An array of user space, as the struct that points to it has it. */
export interface ArraySpec extends Pick<UserArray<object>, "field" | "pointer" | "count" | "stride"> {
  /** Bytes of an element in this kernel. */
  readonly elementBytes: number;
  /** Numbers of an element. */
  readonly slots: readonly Slot[];
  /** Arrays that an element points to. */
  readonly arrays: readonly ArraySpec[];
}

/** What the fuzzer knows about one ioctl. */
export interface IoctlSpec extends Pick<IoctlRow<never>, "name" | "request" | "errnos"> {
  /** Numbers of the argument. */
  readonly slots: readonly Slot[];
  /** Arrays that it points to. */
  readonly arrays: readonly ArraySpec[];
}

/**
 * @param rows - the rows of a driver's ioctl table
 * @returns one spec for each
 */
export function specsOf(rows: readonly IoctlRow<never>[]): IoctlSpec[] {
  return rows.map(({ name, request, layout, arrays, errnos }) => ({
    name,
    request,
    errnos,
    slots: layout === null ? [] : slotsOf(layout),
    arrays: arrays.map(arraySpec),
  }));
}

function arraySpec({ field, pointer, count, stride, element, grown, arrays }: UserArray<object>): ArraySpec {
  const layout = grown ?? element;
  return {
    field,
    pointer,
    count,
    stride,
    elementBytes: element?.size ?? 1,
    slots: layout === null ? [] : slotsOf(layout),
    arrays: arrays.map(arraySpec),
  };
}

/** The numbers of a struct and of the structs inside it; raw bytes as words. */
function slotsOf(layout: StructLayout<object>, base = 0): Slot[] {
  return layout.members.flatMap(([, { offset, size, shape }]) => {
    const at = base + offset;
    if (shape.kind === "struct") return slotsOf(shape.layout, at);
    if (shape.kind === "array") return shape.elements.map((e) => ({ offset: base + e.offset, size: e.size }));
    if (shape.kind === "number") return [{ offset: at, size }];
    return Array.from({ length: Math.floor(size / 4) }, (_, i) => ({ offset: at + 4 * i, size: 4 }));
  });
}

/**
 * @param specs - of a driver
 * @param request - 32-bit request number; only its number counts, as in DRM's dispatch
 * @returns what is known of it
 */
export function specByNumber(specs: readonly IoctlSpec[], request: number): IoctlSpec | undefined {
  for (const spec of specs) if ((spec.request & 0xff) === (request & 0xff)) return spec;
  return undefined;
}
