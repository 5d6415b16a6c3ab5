/**
 * Memory that an ioctl's argument points to: which member holds the pointer, which the number of elements, which their
 * distance, and what an element is, which may point to memory in turn.
 *
 * A row of the ioctl table says this once. Whoever has to know what an ioctl reads or writes beside its argument asks
 * {@link arraysOf}: a recording for the arrays of a call, a fuzzer for what it can change, a server for what it has to
 * fetch from the calling process. Names are those that recorded traces use: `ops`, `ops[3].syncs`.
 *
 * @module
 */

import type { StructLayout } from "./struct.ts";
import { readNumber } from "./struct-number.ts";
import type { UserBuffer } from "./umd.ts";

/** Names of a struct's members that are numbers; those of a struct inside it behind a dot, e.g. `ops.count`. */
export type NumberMember<T> = {
  [K in keyof T & string]: T[K] extends number
    ? K
    : T[K] extends readonly unknown[] | Uint8Array
      ? never
      : T[K] extends object
        ? `${K}.${NumberMember<T[K]>}`
        : never;
}[keyof T & string];

/** Where a number lies in a struct. */
export interface Slot {
  /** Bytes from the start of the struct. */
  readonly offset: number;
  /** 1, 2, 4 or 8 bytes. */
  readonly size: number;
}

/** Whether the driver reads the memory, or writes it. */
export type UserAccess = "in" | "out";

/** What a number must be. */
export type Condition = Exactly | MoreThan;

/** A number must have one value. */
export interface Exactly {
  /** The value. */
  readonly is: number;
}

/** A number must be larger than another. */
export interface MoreThan {
  /** The other. */
  readonly above: number;
}

/** What a member of a struct must be. */
export type MemberCondition<T> = Condition & MemberOf<T>;

/** A member of a struct. */
export interface MemberOf<T> {
  /** Its name; one of a struct inside it behind a dot. */
  readonly member: NumberMember<T>;
}

/** What a union holds. */
export interface UnionMember {
  /** The member of the layout that stands for the union. */
  readonly member: string;
  /** What it is. */
  readonly as: StructLayout<object>;
}

/** An array of `E`, as the struct `T` that points to it has it. */
export interface UserArray<T, E extends object = object> {
  /** The struct that holds the pointer. */
  readonly holder: StructLayout<T>;
  /** Name in traces. */
  readonly field: string;
  /** The pointer, 8 bytes. */
  readonly pointer: Slot;
  /** The numbers whose product is the number of elements; none for a single one. */
  readonly count: readonly Slot[];
  /** Bytes from one element to the next, or null where they lie side by side. */
  readonly stride: Slot | null;
  /** What an element is; null for bytes. */
  readonly element: StructLayout<E> | null;
  /** What an element is where the stride leaves room for it: a later header's. */
  readonly grown: StructLayout<E> | null;
  /** Whether the driver reads or writes it. */
  readonly access: UserAccess;
  /** Most elements that the driver looks at. */
  readonly most: number;
  /** The pointer may be 0, and then nothing is read or written. */
  readonly optional: boolean;
  /** The pointer is one only where this number is `is`, or above `above`. */
  readonly when: (Slot & Condition) | null;
  /** The member of a union that holds the pointer, and what it is while it does; null outside unions. */
  readonly union: UnionMember | null;
  /** What an element points to. */
  readonly arrays: readonly UserArray<object>[];
}

/** What {@link userArray} has to be told; everything is checked against the layouts. */
export interface UserArrayOptions<T, E extends object> {
  /** Name in traces: the C name of the member. */
  field: string;
  /** Number of elements, or numbers to be multiplied; a single element unless given. */
  count?: NumberMember<T> | readonly NumberMember<T>[];
  /** Bytes from one element to the next; side by side unless given. */
  stride?: NumberMember<T>;
  /** What an element is; bytes unless given. */
  element?: StructLayout<E>;
  /** What it is where the stride leaves room for it. */
  grown?: StructLayout<E>;
  /** `in` unless given. */
  access?: UserAccess;
  /** Most elements that the driver looks at; all unless given. */
  most?: number;
  /** The pointer may be 0, and then nothing is read or written. */
  optional?: boolean;
  /** The pointer is one only where a member has this value, or a larger one than this. */
  when?: MemberCondition<T>;
  /** What an element points to. */
  arrays?: readonly UserArray<E>[];
}

/**
 * Describe an array that a struct points to.
 *
 * @param holder - the struct
 * @param pointer - its member that holds the pointer
 * @param options - see {@link UserArrayOptions}
 * @throws Error for a member that is not in the layout
 */
export function userArray<T extends object, E extends object = never>(
  holder: StructLayout<T>,
  pointer: NumberMember<T>,
  options: UserArrayOptions<T, E>,
): UserArray<T, E> {
  return describe(holder, slotOf(holder, pointer), null, options);
}

/**
 * Describe an array whose pointer is in a union.
 *
 * @param holder - the struct
 * @param member - the member of the layout that stands for the union
 * @param as - what the union is while it holds the pointer
 * @param pointer - the member of `as` that holds it
 * @param options - see {@link UserArrayOptions}; `when` tells the cases of the union apart
 * @throws Error for a member that is not in the layout
 */
export function unionArray<T extends object, U extends object, E extends object = never>(
  holder: StructLayout<T>,
  member: keyof T & string,
  as: StructLayout<U>,
  pointer: NumberMember<U>,
  options: UserArrayOptions<T, E>,
): UserArray<T, E> {
  const { offset, size } = slotOf(as, pointer);
  return describe(holder, { offset: holder.fields[member].offset + offset, size }, { member, as }, options);
}

function describe<T extends object, E extends object>(
  holder: StructLayout<T>,
  pointer: Slot,
  union: UserArray<T>["union"],
  options: UserArrayOptions<T, E>,
): UserArray<T, E> {
  const { count = [], stride, when } = options;
  const counts: readonly string[] = typeof count === "string" ? [count] : count;
  return {
    holder,
    field: options.field,
    pointer,
    count: counts.map((path) => slotOf(holder, path)),
    stride: stride === undefined ? null : slotOf(holder, stride),
    element: options.element ?? null,
    grown: options.grown ?? null,
    access: options.access ?? "in",
    most: options.most ?? Number.POSITIVE_INFINITY,
    optional: options.optional ?? false,
    when: when === undefined ? null : { ...when, ...slotOf(holder, when.member) },
    union,
    arrays: options.arrays ?? [],
  };
}

/** Where a member lies; `path` may lead into a struct inside the struct. */
function slotOf(layout: StructLayout<object>, path: string): Slot {
  let { members } = layout;
  let base = 0;
  for (const name of path.split(".")) {
    const found = members.find((member) => member[0] === name);
    if (found === undefined) break;
    const { offset, size, shape } = found[1];
    base += offset;
    if (shape.kind === "number") return { offset: base, size };
    if (shape.kind === "struct") members = shape.layout.members;
  }
  throw new Error(`${layout.name}: no number ${path}`);
}

/** An array of one call. */
export interface FoundArray {
  /** What is known of it. */
  readonly array: UserArray<object>;
  /** Name in traces, e.g. `ops[3].syncs`. */
  readonly field: string;
  /** Numbers of the elements that it was found in, from the outermost: 3 for `ops[3].syncs`, none for `ops`. */
  readonly within: readonly number[];
  /** User address in bytes, NaN for one that a double cannot hold. */
  readonly addr: number;
  /** Elements, at most what the driver looks at. */
  readonly count: number;
  /** Bytes from one element to the next. */
  readonly stride: number;
  /** `count * stride` bytes; null where they could not be had, and for what the driver writes. */
  readonly data: Uint8Array | null;
}

/**
 * Where the bytes of an array come from.
 *
 * @param addr - user address in bytes, or NaN
 * @param length - bytes, up to 2^64; what is asked for is a caller's word
 * @param field - name in traces
 * @returns as many bytes, or null
 */
export type FetchArray = (addr: number, length: number, field: string) => Uint8Array | null;

/** An array's bytes as traces have them. */
export interface NamedBytes {
  /** Name in traces. */
  readonly field: string;
  /** The bytes. */
  readonly data: Uint8Array;
}

/**
 * @param arrays - the arrays of a recorded call
 * @returns what finds them by their names
 */
export function fromRecorded(arrays: readonly NamedBytes[]): FetchArray {
  return (_addr, _length, wanted) => arrays.find(({ field }) => field === wanted)?.data ?? null;
}

/**
 * @param buffers - what a user-mode driver's call points to
 * @returns what finds arrays by their addresses
 */
export function fromBuffers(buffers: readonly UserBuffer[]): FetchArray {
  return (wanted, length) => buffers.find(({ addr }) => addr === wanted)?.bytes.slice(0, length) ?? null;
}

/**
 * The arrays that a struct points to, and what their elements point to.
 *
 * @param arrays - what is known of them: those of a row of the ioctl table
 * @param arg - the argument; members behind its end are 0
 * @param fetch - where the bytes come from; not asked for what the driver writes
 * @returns those that are not empty, each followed by those that it points to; nothing is thrown whatever the bytes are
 */
export function arraysOf(
  arrays: readonly UserArray<object>[],
  arg: Uint8Array,
  fetch: FetchArray,
): FoundArray[] {
  const found: FoundArray[] = [];
  collect(arrays, arg, "", [], fetch, found);
  return found;
}

function collect(
  arrays: readonly UserArray<object>[],
  bytes: Uint8Array,
  prefix: string,
  within: readonly number[],
  fetch: FetchArray,
  found: FoundArray[],
): void {
  for (const array of arrays) {
    const view = padded(bytes, array.holder.size);
    if (!points(array, view)) continue;
    const addr = readSlot(view, array.pointer);
    const whole = array.count.reduce((product, slot) => product * readSlot(view, slot), 1);
    // A count that a double cannot hold is above any limit.
    const count = Number.isNaN(whole) ? array.most : Math.min(whole, array.most);
    if (count === 0 || count === Number.POSITIVE_INFINITY || (array.optional && addr === 0)) continue;
    const stride = array.stride === null ? elementBytes(array) : readSlot(view, array.stride);
    const field = prefix + array.field;
    const data = array.access === "out" ? null : fetch(addr, count * stride, field);
    found.push({ array, field, within, addr, count, stride, data });
    if (array.arrays.length === 0 || data === null || stride === 0) continue;
    for (let i = 0; i < count && i * stride < data.length; i++) {
      const element = data.subarray(i * stride, (i + 1) * stride);
      collect(array.arrays, element, `${field}[${i}].`, [...within, i], fetch, found);
    }
  }
}

/** Bytes from one element to the next where the struct does not say. */
function elementBytes({ element }: UserArray<object>): number {
  return element === null ? 1 : element.size;
}

/** Whether the struct holds the pointer at all. */
function points({ when }: UserArray<object>, view: DataView): boolean {
  if (when === null) return true;
  const value = readSlot(view, when);
  return "is" in when ? value === when.is : value > when.above;
}

/**
 * A number of a struct.
 *
 * @param view - the struct
 * @param slot - where the number lies
 * @returns it; NaN for a u64 that a double cannot hold
 */
export function readSlot(view: DataView, { offset, size }: Slot): number {
  return readNumber(view, offset, size);
}

/** At least `size` bytes, those behind the end zero: an older header's struct is shorter. */
function padded(bytes: Uint8Array, size: number): DataView {
  if (bytes.length >= size) return new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const whole = new Uint8Array(size);
  whole.set(bytes);
  return new DataView(whole.buffer);
}
