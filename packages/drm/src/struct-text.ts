/**
 * Structs as text, in the names of the header: `{vm_id=1, flags=VM_BIND_ASYNC, ops={stride=48, count=2, array=0x7000}}`.
 *
 * One printer for every layout: members stand in the order of the bytes; those with named values show the names; 64-bit members,
 * which are addresses and sizes, are hex, smaller ones decimal. Nothing is hidden and nothing throws: unknown bits
 * and values are numbers, bytes behind the struct are printed, and a struct that is too short is printed as far as it goes.
 *
 * @module
 */

import type { IoctlRow } from "./ioctl-row.ts";
import type { Field, StructLayout } from "./struct.ts";
import { arraysOf, type FetchArray, type FoundArray, type UserArray } from "./user-array.ts";
import { nameValue } from "./value-names.ts";

/** How much to print. */
export interface TextOptions {
  /** Whether members that are 0 are printed. True unless given. */
  zeros?: boolean;
  /** Most elements of an array to print; the others are counted. All unless given. */
  elements?: number;
}

/** Puts something else than the number at a place of a struct. */
interface Inserts {
  /** What the union member is, by name. */
  readonly unions: ReadonlyMap<string, StructLayout<object>>;
  /** What stands behind a pointer, by the byte where the pointer begins. */
  readonly targets: ReadonlyMap<number, string>;
}

const NO_INSERTS: Inserts = { unions: new Map(), targets: new Map() };

/**
 * A struct as text.
 *
 * @param layout - the struct
 * @param bytes - its bytes, fewer or more than the layout has
 * @param options - see {@link TextOptions}
 */
export function structText(
  layout: StructLayout<object>,
  bytes: Uint8Array,
  options: TextOptions = {},
): string {
  return printWhole(layout, bytes, options, NO_INSERTS);
}

/**
 * The argument of an ioctl as text, with the arrays that it points to: `array=0x7000 [{...}, {...}]`.
 *
 * @param row - the ioctl
 * @param arg - the argument
 * @param fetch - where the arrays' bytes come from
 * @param options - see {@link TextOptions}
 */
export function ioctlText(
  row: Pick<IoctlRow<never>, "layout" | "arrays">,
  arg: Uint8Array,
  fetch: FetchArray,
  options: TextOptions = {},
): string {
  if (row.layout === null) return hexBytes(arg);
  return printHolder(row.layout, row.arrays, arg, fetch, "", options);
}

/** A struct, and behind its pointers what they point to. */
function printHolder(
  layout: StructLayout<object>,
  arrays: readonly UserArray<object>[],
  bytes: Uint8Array,
  fetch: FetchArray,
  prefix: string,
  options: TextOptions,
): string {
  const named: FetchArray = (addr, length, field) => fetch(addr, length, prefix + field);
  const unions = new Map<string, StructLayout<object>>();
  const targets = new Map<number, string>();
  for (const found of arraysOf(arrays, bytes, named)) {
    const { array, data } = found;
    // Those that elements point to are printed with the elements.
    if (!arrays.includes(array)) continue;
    if (array.union !== null) unions.set(array.union.member, array.union.as);
    if (data !== null) targets.set(array.pointer.offset, printArray(found, data, fetch, prefix, options));
  }
  return printWhole(layout, bytes, options, { unions, targets });
}

function printArray(
  { array, field, count, stride }: FoundArray,
  data: Uint8Array,
  fetch: FetchArray,
  prefix: string,
  options: TextOptions,
): string {
  if (array.element === null || stride === 0) return `[${hexBytes(data)}]`;
  const layout = array.grown !== null && stride >= array.grown.size ? array.grown : array.element;
  const there = Math.min(count, Math.ceil(data.length / stride));
  const most = Math.min(there, options.elements ?? there);
  const parts = Array.from({ length: most }, (_, i) => {
    const bytes = data.subarray(i * stride, (i + 1) * stride);
    return printHolder(layout, array.arrays, bytes, fetch, `${prefix}${field}[${i}].`, options);
  });
  if (most < count) parts.push(`${count - most} more`);
  return `[${parts.join(", ")}]`;
}

/** A whole struct, and the bytes behind it. */
function printWhole(
  layout: StructLayout<object>,
  bytes: Uint8Array,
  options: TextOptions,
  inserts: Inserts,
): string {
  const parts = printMembers(layout, bytes, 0, options, inserts);
  const behind = bytes.subarray(layout.size);
  if (behind.length > 0) parts.push(`${behind.length} more bytes=${hexBytes(behind)}`);
  return `{${parts.join(", ")}}`;
}

function printMembers(
  layout: StructLayout<object>,
  bytes: Uint8Array,
  base: number,
  options: TextOptions,
  inserts: Inserts,
): string[] {
  const parts: string[] = [];
  for (const [member, field] of layout.members) {
    const text = printMember(member, field, bytes, base, options, inserts);
    if (text !== null) parts.push(`${headerName(member)}=${text}`);
  }
  return parts;
}

/** A member's text, or null for one that is left out. */
function printMember(
  member: string,
  field: Field<unknown>,
  bytes: Uint8Array,
  base: number,
  options: TextOptions,
  inserts: Inserts,
): string | null {
  const at = base + field.offset;
  const own = bytes.subarray(at, at + field.size);
  if (own.length === 0) return null;
  const target = inserts.targets.get(at);
  if (options.zeros === false && target === undefined && own.every((byte) => byte === 0)) return null;
  const { shape } = field;
  if (shape.kind === "struct") {
    const inner = printMembers(inserts.unions.get(member) ?? shape.layout, bytes, at, options, inserts);
    return `{${inner.join(", ")}}`;
  }
  if (shape.kind === "array") {
    const elements = shape.elements.map((element) => printNumber(element, bytes, base));
    return `[${elements.filter((text) => text !== null).join(", ")}]`;
  }
  const text = shape.kind === "bytes" ? hexBytes(own) : printNumber(field, bytes, base);
  return target === undefined ? text : `${text} ${target}`;
}

/** A number, or whatever of it there is. */
function printNumber(
  { offset, size, shape }: Field<unknown>,
  bytes: Uint8Array,
  base: number,
): string | null {
  const own = bytes.subarray(base + offset, base + offset + size);
  if (own.length < size || shape.kind !== "number") return own.length === 0 ? null : hexBytes(own);
  const view = new DataView(own.buffer, own.byteOffset, size);
  if (size === 8) return hex64(view);
  const value =
    size === 4 ? view.getUint32(0, true) : size === 2 ? view.getUint16(0, true) : view.getUint8(0);
  return shape.names === null ? String(value) : nameValue(shape.names, value);
}

/** All 64 bits, also of a value that a double cannot hold. */
function hex64(view: DataView): string {
  const low = view.getUint32(0, true).toString(16);
  const high = view.getUint32(4, true);
  return high === 0 ? (low === "0" ? low : `0x${low}`) : `0x${high.toString(16)}${low.padStart(8, "0")}`;
}

/** Bytes in the order of memory; 0 for any number of zeros. */
function hexBytes(bytes: Uint8Array): string {
  if (bytes.every((byte) => byte === 0)) return "0";
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join(" ");
}

/** A member's name as the header has it. @internal */
export function headerName(member: string): string {
  return member.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}
