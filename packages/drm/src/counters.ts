/**
 * The cost sheet: what a device counts, as a schema.
 *
 * One plain object per device carries the counters of all layers; each layer adds to its own part of it. Costs are
 * counted where they arise and never estimated from time. A counter is said once: its name in a layer's schema, with what
 * kind of number it is, its unit, its title and how it is counted. Fresh sheets, differences, types, tables and documents
 * come from there.
 *
 * @example
 * ```ts
 * import { type CostSchema, zeroSheet } from "@vmbind/drm";
 *
 * const SCHEMA: CostSchema<"flushes"> = {
 *   flushes: { kind: "sum", unit: "count", title: "flushes", how: "Cache flushes." },
 * };
 * const counters = zeroSheet(SCHEMA);
 * counters.flushes++;
 * console.log(counters); // { flushes: 1 }
 * ```
 *
 * @module
 */

/**
 * How a counter behaves: a `sum` only grows, and a stretch of time costs the difference; a `level` is how much there is
 * now, a `peak` the most there ever was.
 */
export type CounterKind = "sum" | "level" | "peak";

/** One counter. */
export interface Counter {
  /** How it behaves. */
  readonly kind: CounterKind;
  /** What it counts. */
  readonly unit: "count" | "bytes";
  /** What it is called in text. */
  readonly title: string;
  /** How it is counted. */
  readonly how: string;
}

/** Counters by name, in the order of the sheet. */
export type CostSchema<Name extends string = string> = Readonly<Record<Name, Counter>>;

/** The numbers of a schema. */
export type CostSheet<Name extends string = string> = Record<Name, number>;

/** What a sheet is made from. */
interface Mould {
  /** A sheet as text: bytes are fractions. */
  readonly text: string;
  /** The counters that are bytes. */
  readonly bytes: readonly string[];
  /** The first sheet. */
  readonly first: CostSheet;
}

const MOULDS: WeakMap<CostSchema, Mould> = new WeakMap();

/**
 * A fresh sheet.
 *
 * What counts is compiled for the sheet's shape, so all sheets of a schema must have one, that of an object literal: a
 * sheet made of spreads has cost up to twice the time, because its shape was forgotten with the last sheet of it. A parsed
 * object has the literal's shape, and one sheet is kept. Bytes begin as fractions, so that passing 2^31 does not change
 * the shape either. For the same reason a count that may come from a division is added with `| 0`: V8 keeps a quotient as a fraction,
 * and sheets of other drivers have the names in common.
 *
 * @param schema - all the counters
 * @returns a plain object, all zero
 */
export function zeroSheet<Name extends string>(schema: CostSchema<Name>): CostSheet<Name> {
  let mould = MOULDS.get(schema);
  if (mould === undefined) {
    mould = mouldOf(schema);
    MOULDS.set(schema, mould);
  }
  return cast(mould.text, mould.bytes) as CostSheet<Name>;
}

function mouldOf(schema: CostSchema): Mould {
  const names = Object.keys(schema);
  const bytes = names.filter((name) => schema[name]?.unit === "bytes");
  const text = `{${names.map((name) => `"${name}":${bytes.includes(name) ? 0.5 : 0}`).join()}}`;
  return { text, bytes, first: cast(text, bytes) };
}

function cast(text: string, bytes: readonly string[]): CostSheet {
  const sheet: CostSheet = JSON.parse(text);
  for (const name of bytes) sheet[name] = 0;
  return sheet;
}

/** Names of the counters of {@link UAPI_COSTS}. */
export type UapiCounter =
  | "ioctls"
  | "ioctlErrors"
  | "bindIoctls"
  | "bindOps"
  | "payloadBytes"
  | "tablesReserved"
  | "tablesReturned";

/** The part of a device's sheet that counts what crosses from user space. */
export type UapiCounters = CostSheet<UapiCounter>;

/** What crosses from user space, and what the driver reserves before it knows what it needs. */
export const UAPI_COSTS: CostSchema<UapiCounter> = {
  ioctls: {
    kind: "sum",
    unit: "count",
    title: "ioctls",
    how: "ioctls of any kind that the user-mode driver issued, failed ones too.",
  },
  ioctlErrors: {
    kind: "sum",
    unit: "count",
    title: "failed ioctls",
    how: "ioctls that returned an error.",
  },
  bindIoctls: {
    kind: "sum",
    unit: "count",
    title: "VM_BIND ioctls",
    how: "VM_BIND ioctls that the user-mode driver issued.",
  },
  bindOps: {
    kind: "sum",
    unit: "count",
    title: "operations",
    how: "Operations in the VM_BIND ioctls, read from the bytes that the driver gets.",
  },
  payloadBytes: {
    kind: "sum",
    unit: "bytes",
    title: "payload",
    how: "Bytes that the kernel copies in: argument structs and the arrays that they point to.",
  },
  tablesReserved: {
    kind: "sum",
    unit: "count",
    title: "tables reserved",
    how: "Page-table pages set aside before an operation in case it needs them.",
  },
  tablesReturned: {
    kind: "sum",
    unit: "count",
    title: "tables returned",
    how: "Reserved pages that went back unused.",
  },
};

/**
 * Names of the counters of mappings, which every driver has, whatever it keeps its mappings in: how many were made, cut and
 * removed, how many there are, and in how many pairs of VM and object.
 */
export type MappingCounter =
  | "mapSteps"
  | "remapSteps"
  | "unmapSteps"
  | "gpuvasLive"
  | "gpuvasPeak"
  | "vmBosLive"
  | "vmBosPeak";

/** The part of a device's sheet that counts mappings. */
export type MappingCounters = CostSheet<MappingCounter>;

/** @returns all zero */
export function uapiCounters(): UapiCounters {
  return zeroSheet(UAPI_COSTS);
}
