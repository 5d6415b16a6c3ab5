/**
 * ioctl structs as tables: name, byte offset and width of every member, checked when the table is loaded.
 *
 * The layout rules are those of a C compiler for an LP64 little-endian machine as uAPI headers use them: members are
 * naturally aligned, padding is explicit, and the members fill the struct. A u64 is a plain number; one that a double
 * cannot hold exactly reads as NaN, which no alignment or range check accepts.
 *
 * @example
 * ```ts
 * import { type StructLayout, struct, u32 } from "@vmbind/drm";
 *
 * interface VmDestroy { id: number; pad: number }
 * const VM_DESTROY: StructLayout<VmDestroy> = struct("drm_panthor_vm_destroy", 8, { id: u32(0), pad: u32(4) });
 * console.log(VM_DESTROY.encode({ id: 1 }).join(" ")); // 1 0 0 0 0 0 0 0
 * ```
 *
 * @module
 */

import { countOf, EncodeError, isList, isObject, within } from "./encode-error.ts";
import { type StructCopy, structCopy } from "./struct-copy.ts";
import { readNumber, writeNumber, writeZeroes } from "./struct-number.ts";
import type { ValueNames } from "./value-names.ts";

export { readU64, writeU64 } from "./struct-number.ts";

/** How a member is made up: what a printer or a generator of bytes has to know. */
export type FieldShape = NumberShape | BytesShape | StructShape | ArrayShape;

/** A number; with names for its values where the header gives them. */
export interface NumberShape {
  /** Discriminates the shapes. */
  readonly kind: "number";
  /** Names of its values, or null. */
  readonly names: ValueNames | null;
}

/** Raw bytes. */
export interface BytesShape {
  /** Discriminates the shapes. */
  readonly kind: "bytes";
}

/** A struct inside the struct. */
export interface StructShape {
  /** Discriminates the shapes. */
  readonly kind: "struct";
  /** The inner struct. */
  readonly layout: StructLayout<object>;
}

/** Elements without gaps. */
export interface ArrayShape {
  /** Discriminates the shapes. */
  readonly kind: "array";
  /** Its elements, at offsets from the start of the struct. */
  readonly elements: readonly Field<unknown>[];
}

/** One member of a struct. */
export interface Field<T> {
  /** Bytes from the start of the struct. */
  readonly offset: number;
  /** Bytes. */
  readonly size: number;
  /** Natural alignment in bytes. */
  readonly align: number;
  /** How it is made up. */
  readonly shape: FieldShape;
  /**
   * Decode the member.
   *
   * @param view - memory
   * @param base - byte where the struct begins
   */
  read(view: DataView, base: number): T;
  /**
   * Encode the member.
   *
   * @param view - memory
   * @param base - byte where the struct begins
   * @param value - undefined writes zero
   */
  write(view: DataView, base: number, value: T | undefined): void;
}

/** A struct's table. */
export interface StructLayout<T> {
  /** C name. */
  readonly name: string;
  /** Bytes. */
  readonly size: number;
  /** Largest alignment of a member, in bytes. */
  readonly align: number;
  /** The members in order. */
  readonly members: readonly (readonly [name: string, field: Field<unknown>])[];
  /** The members by name. */
  readonly fields: { readonly [K in keyof T]: Field<T[K]> };
  /**
   * Decode.
   *
   * @param view - memory
   * @param base - byte where the struct begins, 0 unless told
   * @returns a fresh object
   */
  read(view: DataView, base?: number): T;
  /**
   * Encode in place.
   *
   * @param view - memory
   * @param base - byte where the struct begins
   * @param value - members; a missing one becomes zero
   * @throws {@link EncodeError} for a value that does not fit its member; members before it are written
   */
  write(view: DataView, base: number, value: Partial<T>): void;
  /**
   * Encode.
   *
   * @param value - members; a missing one becomes zero
   * @returns `size` fresh bytes
   * @throws {@link EncodeError} for a value that does not fit its member
   */
  encode(value: Partial<T>): Uint8Array;
}

/**
 * @param bytes - memory
 * @returns a view of exactly these bytes
 */
export function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** The object type that a layout reads. */
export type StructOf<L> = L extends StructLayout<infer T> ? T : never;

function unsigned(size: 1 | 2 | 4 | 8, offset: number, names: ValueNames | null): Field<number> {
  return {
    offset,
    size,
    align: size,
    shape: { kind: "number", names },
    read: (view, base) => readNumber(view, base + offset, size),
    write: (view, base, value = 0) => writeNumber(view, base + offset, size, value),
  };
}

/**
 * @param offset - bytes from the start of the struct
 * @param names - names of its values, for people
 * @returns an unsigned 8-bit member
 */
export function u8(offset: number, names: ValueNames | null = null): Field<number> {
  return unsigned(1, offset, names);
}

/**
 * @param offset - bytes from the start of the struct
 * @param names - names of its values, for people
 * @returns an unsigned 16-bit member
 */
export function u16(offset: number, names: ValueNames | null = null): Field<number> {
  return unsigned(2, offset, names);
}

/**
 * @param offset - bytes from the start of the struct
 * @param names - names of its values, for people
 * @returns an unsigned 32-bit member
 */
export function u32(offset: number, names: ValueNames | null = null): Field<number> {
  return unsigned(4, offset, names);
}

/**
 * @param offset - bytes from the start of the struct
 * @returns an unsigned 64-bit member, a number or NaN (see the module comment)
 */
export function u64(offset: number): Field<number> {
  return unsigned(8, offset, null);
}

/**
 * @param offset - bytes from the start of the struct
 * @param length - bytes
 * @returns a member of raw bytes; reading copies
 */
export function bytes(offset: number, length: number): Field<Uint8Array> {
  const at = (view: DataView, base: number) =>
    new Uint8Array(view.buffer, view.byteOffset + base + offset, length);
  return {
    offset,
    size: length,
    align: 1,
    shape: { kind: "bytes" },
    read: (view, base) => at(view, base).slice(),
    write(view, base, value) {
      if (value === undefined) at(view, base).fill(0);
      else if (isList(value, length)) at(view, base).set(value);
      else throw new EncodeError("bytes", "", `expected ${length} bytes, got ${countOf(value)}`);
    },
  };
}

/**
 * @param offset - bytes from the start of the outer struct
 * @param layout - the inner struct
 * @returns a member that is a struct
 */
export function nested<T extends object>(offset: number, layout: StructLayout<T>): Field<T> {
  return {
    offset,
    size: layout.size,
    align: layout.align,
    shape: { kind: "struct", layout },
    read: (view, base) => layout.read(view, base + offset),
    write: (view, base, value = {} as T) => {
      if (!isObject(value)) throw new EncodeError(layout.name, "", `expected members, got ${countOf(value)}`);
      layout.write(view, base + offset, value);
    },
  };
}

/**
 * @param offset - bytes from the start of the struct
 * @param count - elements
 * @param element - makes an element's member for an offset, e.g. `u32`
 * @returns a member that is an array without gaps
 */
export function array<T>(offset: number, count: number, element: (offset: number) => Field<T>): Field<T[]> {
  const size = element(0).size;
  const elements = Array.from({ length: count }, (_, i) => element(offset + i * size));
  return {
    offset,
    size: size * count,
    align: element(0).align,
    shape: { kind: "array", elements },
    read: (view, base) => elements.map((e) => e.read(view, base)),
    write(view, base, value) {
      if (value !== undefined && !isList(value, count)) {
        throw new EncodeError("array", "", `expected ${count} elements, got ${countOf(value)}`);
      }
      let i = 0;
      try {
        for (; i < count; i++) (elements[i] as Field<T>).write(view, base, value?.[i]);
      } catch (error) {
        throw within("array", `[${i}]`, error);
      }
    },
  };
}

/**
 * Declare a struct.
 *
 * @param name - C name, for messages
 * @param size - bytes
 * @param fields - every member, padding included
 * @returns the layout
 * @throws Error when members overlap, leave a gap, are not naturally aligned or do not fill `size`
 */
export function struct<T>(
  name: string,
  size: number,
  fields: { readonly [K in keyof T]: Field<T[K]> },
): StructLayout<T> {
  const entries = Object.entries(fields) as [keyof T & string, Field<unknown>][];
  const members = [...entries].sort((a, b) => a[1].offset - b[1].offset);
  let end = 0;
  let align = 1;
  for (const [member, field] of members) {
    if (field.offset !== end)
      throw new Error(`${name}.${member}: expected offset ${end}, got ${field.offset}`);
    if (field.offset % field.align !== 0) throw new Error(`${name}.${member}: not aligned to ${field.align}`);
    end += field.size;
    align = Math.max(align, field.align);
  }
  if (end !== size || size % align !== 0) throw new Error(`${name}: members end at ${end}, size is ${size}`);

  let room: StructCopy | null = null;
  const names = entries.map(([member]) => member);
  const codecs = entries.map(([, field]) => field);
  // Most members are numbers, and a struct has many: they are read and written here, without a call of each one's own. 0 for others.
  const numbers = codecs.map((field) => (field.shape.kind === "number" ? field.size : 0));
  const offsets = codecs.map((field) => field.offset);
  const sizes = codecs.map((field) => field.size);
  const layout: StructLayout<T> = {
    name,
    size,
    align,
    members,
    fields,
    read(view, base = 0) {
      const value: Record<string, unknown> = {};
      for (let i = 0; i < names.length; i++) {
        const bytes = numbers[i] as number;
        value[names[i] as string] =
          bytes > 0
            ? readNumber(view, base + (offsets[i] as number), bytes)
            : (codecs[i] as Field<unknown>).read(view, base);
      }
      return value as T;
    },
    write(view, base, value) {
      let i = 0;
      try {
        for (; i < names.length; i++) {
          const bytes = numbers[i] as number;
          const at = base + (offsets[i] as number);
          const member: unknown = value[names[i] as keyof T];
          if (member === undefined) writeZeroes(view, at, sizes[i] as number);
          else if (bytes === 0) (codecs[i] as Field<unknown>).write(view, base, member);
          else writeNumber(view, at, bytes, member as number);
        }
      } catch (error) {
        throw within(name, `.${names[i]}`, error);
      }
    },
    encode(value) {
      if (!isObject(value)) throw new EncodeError(name, "", `expected members, got ${countOf(value)}`);
      // Members fill a struct: nothing is left of the one before. A member that encodes another such struct gets another room.
      const own = room ?? structCopy(size);
      room = null;
      try {
        layout.write(own.view, 0, value);
        return own.bytes.slice();
      } finally {
        room = own;
      }
    },
  };
  return layout;
}
