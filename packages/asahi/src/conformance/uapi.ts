/**
 * `asahi-uapi`: struct bytes as a C compiler lays them out, and op arrays of odd strides.
 *
 * @module
 */

import { DrmError, type StructLayout, UserMemory } from "@vmbind/drm";
import {
  bytes,
  errno,
  integer,
  list,
  type Mismatch,
  mismatch,
  object,
  optional,
  type Shape,
  text,
  u64,
  u64Of,
  variants,
} from "@vmbind/gpuvm-core/conformance";
import * as uapi from "../uapi.ts";
import * as submit from "../uapi-submit.ts";
import { BindOpReader } from "../vm-bind.ts";

type Layout = StructLayout<Record<string, unknown>>;

const STRUCTS: Readonly<Record<string, readonly [layout: unknown, request?: number]>> = {
  get_params: [uapi.GET_PARAMS, uapi.IOCTL_GET_PARAMS],
  params_global: [uapi.PARAMS_GLOBAL],
  get_time: [uapi.GET_TIME, uapi.IOCTL_GET_TIME],
  vm_create: [uapi.VM_CREATE, uapi.IOCTL_VM_CREATE],
  vm_destroy: [uapi.VM_DESTROY, uapi.IOCTL_VM_DESTROY],
  vm_bind: [uapi.VM_BIND, uapi.IOCTL_VM_BIND],
  gem_bind_op: [uapi.GEM_BIND_OP],
  gem_create: [uapi.GEM_CREATE, uapi.IOCTL_GEM_CREATE],
  gem_mmap_offset: [uapi.GEM_MMAP_OFFSET, uapi.IOCTL_GEM_MMAP_OFFSET],
  gem_bind_object: [uapi.GEM_BIND_OBJECT, uapi.IOCTL_GEM_BIND_OBJECT],
  sync: [submit.SYNC],
  queue_create: [submit.QUEUE_CREATE, uapi.IOCTL_QUEUE_CREATE],
  queue_destroy: [submit.QUEUE_DESTROY, uapi.IOCTL_QUEUE_DESTROY],
  submit: [submit.SUBMIT, uapi.IOCTL_SUBMIT],
};

/** Records of an array at most. */
const BINDS_MAX = 2 ** 16;
/** A number, as the vectors write it. */
const NUMBER: Shape = (value) => (typeof value === "string" ? u64 : integer(0, 2 ** 32 - 1))(value);
const RECORDS: Shape = list(fieldsOf(uapi.GEM_BIND_OP), BINDS_MAX);

const ARRAY_CASE: Shape = object(
  {
    id: text,
    struct: text,
    stride: integer(0, 2 ** 32 - 1),
    num_binds: integer(0, BINDS_MAX),
    array: bytes,
    // Where the driver differs, what it decodes or that it fails; an array that cannot be read has no `ops`.
    ops: optional(RECORDS),
    ops_driver: optional(RECORDS),
    error_driver: optional(errno),
  },
  (value) => {
    if (!Object.hasOwn(value, "error_driver")) {
      const right = value["ops"];
      if (!Array.isArray(right)) return { at: ".ops", rule: "is missing" };
      return right.length === value["num_binds"] ? null : { at: ".ops", rule: "expected num_binds records" };
    }
    return Object.hasOwn(value, "ops_driver") ? { at: ".ops_driver", rule: "beside error_driver" } : null;
  },
);

/** A case of `asahi-uapi`: an array, or one of the structs with all its members. */
export const UAPI_CASE: Shape = variants("struct", {
  vm_bind_array: ARRAY_CASE,
  ...Object.fromEntries(
    Object.entries(STRUCTS).map(([name, [layout, request]]) => [
      name,
      object({
        id: text,
        struct: text,
        bytes,
        fields: fieldsOf(layout as Layout),
        ...(request === undefined ? {} : { request: u64 }),
      }),
    ]),
  ),
});

/** All members of a struct under the names of the header; numbers are looked into, arrays and bytes are not. */
function fieldsOf(layout: { fields: Readonly<Record<string, { shape: { kind: string } }>> }): Shape {
  const anything: Shape = () => null;
  const known = new Map(Object.entries(layout.fields));
  return (value) => {
    if (typeof value !== "object" || value === null || Array.isArray(value)) return object({})(value);
    const given = new Map(Object.entries(value).map(([name, member]) => [camelCase(name), { name, member }]));
    for (const [field, { name, member }] of given) {
      const shape = known.get(field)?.shape;
      if (shape === undefined) return { at: `.${name}`, rule: "is no member of the struct" };
      const fault = (shape.kind === "number" ? NUMBER : anything)(member);
      if (fault) return { at: `.${name}${fault.at}`, rule: fault.rule };
    }
    for (const field of known.keys()) if (!given.has(field)) return { at: `.${field}`, rule: "is missing" };
    return null;
  };
}

/**
 * @param testCase - see the module comment
 * @returns the first difference, or null
 */
export function checkUapi(testCase: Record<string, unknown>): Mismatch | null {
  return testCase["struct"] === "vm_bind_array" ? checkArray(testCase) : checkStruct(testCase);
}

function checkStruct(testCase: Record<string, unknown>): Mismatch | null {
  const known = STRUCTS[testCase["struct"] as string];
  if (known === undefined) throw new Error(`conformance: no struct ${testCase["struct"]}`);
  const layout = known[0] as Layout;
  const raw = bytesOf(testCase["bytes"] as string);
  const fields = members(testCase["fields"]);
  if (raw.length !== layout.size) return { field: "bytes.length", expected: raw.length, got: layout.size };
  const view = new DataView(raw.buffer);
  const decoded =
    mismatch("fields", fields, layout.read(view)) ??
    exactly("fields", testCase["fields"] as Record<string, unknown>, layout, view);
  if (decoded !== null) return decoded;
  // What no double can hold exactly reads as NaN and cannot be written.
  if (!Object.values(fields).flat().some(Number.isNaN)) {
    const encoded = mismatch("bytes", testCase["bytes"], hexOf(layout.encode(fields)));
    if (encoded !== null) return encoded;
  }
  if (testCase["request"] === undefined) return null;
  return mismatch("request", u64Of(testCase["request"]), known[1]);
}

function checkArray(testCase: Record<string, unknown>): Mismatch | null {
  const right = testCase["ops"] as Records | undefined;
  if (right?.length === testCase["num_binds"]) {
    const found =
      mismatch("ops", numbers(right), readOps(testCase, false)) ?? exactOps(testCase, "ops", false);
    if (found !== null) return found;
  }
  const error = testCase["error_driver"];
  if (error === undefined) {
    const driven = testCase["ops_driver"] === undefined ? "ops" : "ops_driver";
    return (
      mismatch(driven, numbers(testCase[driven]), readOps(testCase, true)) ?? exactOps(testCase, driven, true)
    );
  }
  try {
    return { field: "error_driver", expected: error, got: readOps(testCase, true) };
  } catch (thrown) {
    if (!(thrown instanceof DrmError)) throw thrown;
    return mismatch("error_driver", error, -thrown.errno);
  }
}

type Records = readonly Record<string, unknown>[];

function readOps(testCase: Record<string, unknown>, packed: boolean): uapi.GemBindOp[] {
  const user = new UserMemory();
  const userptr = 0x1000;
  user.place(userptr, bytesOf(testCase["array"] as string));
  const { stride, num_binds } = testCase as { stride: number; num_binds: number };
  const reader = new BindOpReader({ vmId: 1, numBinds: num_binds, stride, pad: 0, userptr }, user, packed);
  return Array.from({ length: num_binds }, (_, i) => ({ ...reader.read(i) }));
}

/** The records of an array once more, to the last bit; the driver finds them without the gaps between them. */
function exactOps(testCase: Record<string, unknown>, name: string, packed: boolean): Mismatch | null {
  const { size } = uapi.GEM_BIND_OP;
  const array = bytesOf(testCase["array"] as string);
  const stride = testCase["stride"] as number;
  const held = Math.min(size, stride);
  for (const [i, record] of (testCase[name] as Records).entries()) {
    const base = i * (packed ? held : stride);
    const whole = new Uint8Array(size);
    whole.set(array.subarray(base, base + held));
    const found = exactly(`${name}[${i}]`, record, uapi.GEM_BIND_OP, new DataView(whole.buffer));
    if (found !== null) return found;
  }
  return null;
}

/** Compares the u64 members with the bytes: those that no double holds read as NaN, which equals itself. */
function exactly(
  field: string,
  expected: Record<string, unknown>,
  layout: { fields: Readonly<Record<string, { offset: number; size: number; shape: { kind: string } }>> },
  view: DataView,
): Mismatch | null {
  for (const [name, value] of Object.entries(expected)) {
    const { offset, size, shape } = layout.fields[camelCase(name)] ?? { offset: 0, size: 0, shape: null };
    if (size !== 8 || shape?.kind !== "number") continue;
    const got = view.getBigUint64(offset, true);
    if (BigInt(value as string) !== got)
      return { field: `${field}.${name}`, expected: value, got: `0x${got.toString(16)}` };
  }
  return null;
}

/** The members of a struct by the names that its layout has: a vector spells them as the header does. */
function members(fields: unknown): Record<string, unknown> {
  const named = Object.entries(numbers(fields) ?? {}).map(([name, value]) => [camelCase(name), value]);
  return Object.fromEntries(named);
}

function camelCase(name: string): string {
  return name.replace(/_([a-z0-9])/g, (_, letter: string) => letter.toUpperCase());
}

/** Hex strings to numbers, at any depth. */
function numbers(value: unknown): unknown {
  if (typeof value === "string") return u64Of(value);
  if (Array.isArray(value)) return value.map(numbers);
  if (value === null || typeof value !== "object") return value;
  return Object.fromEntries(Object.entries(value).map(([key, member]) => [key, numbers(member)]));
}

function bytesOf(digits: string): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(digits.match(/../g) ?? [], (pair) => Number.parseInt(pair, 16));
}

function hexOf(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
