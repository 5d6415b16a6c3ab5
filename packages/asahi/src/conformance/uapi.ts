/**
 * `asahi-uapi`: struct bytes as a C compiler lays them out, and op arrays of odd strides.
 *
 * @module
 */

import { DrmError, EINVAL, fail, type StructLayout, UserMemory } from "@vmbind/drm";
import { type Mismatch, mismatch, u64Of } from "@vmbind/gpuvm-core/conformance";
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

/**
 * @param testCase - see the module comment
 * @returns the first difference, or null
 */
export function checkUapi(testCase: Record<string, unknown>): Mismatch | null {
  return testCase["struct"] === "vm_bind_array" ? checkArray(testCase) : checkStruct(testCase);
}

function checkStruct(testCase: Record<string, unknown>): Mismatch | null {
  const name = String(testCase["struct"]);
  const known = STRUCTS[name];
  if (known === undefined) return fail(EINVAL, `struct: ${name} is not in asahi_drm.h`);
  const layout = known[0] as Layout;
  const bytes = bytesOf(String(testCase["bytes"]));
  const fields = members(testCase["fields"]);
  if (bytes.length !== layout.size)
    return { field: "bytes.length", expected: bytes.length, got: layout.size };
  const decoded = mismatch("fields", fields, layout.read(new DataView(bytes.buffer)));
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
  const right = testCase["ops"];
  // An array that cannot be read at all has an error and no ops.
  if (Array.isArray(right) && right.length === testCase["num_binds"]) {
    const found = mismatch("ops", numbers(right), readOps(testCase, false));
    if (found !== null) return found;
  }
  const error = testCase["error_driver"];
  if (error === undefined) {
    return mismatch("ops_driver", numbers(testCase["ops_driver"] ?? right), readOps(testCase, true));
  }
  try {
    return { field: "error_driver", expected: error, got: readOps(testCase, true) };
  } catch (thrown) {
    if (!(thrown instanceof DrmError)) throw thrown;
    return typeof error === "number" ? mismatch("error_driver", -Math.abs(error), -thrown.errno) : null;
  }
}

function readOps(testCase: Record<string, unknown>, packed: boolean): uapi.GemBindOp[] {
  const user = new UserMemory();
  const userptr = 0x1000;
  user.place(userptr, bytesOf(String(testCase["array"])));
  const { stride, num_binds } = testCase as { stride: number; num_binds: number };
  const reader = new BindOpReader({ vmId: 1, numBinds: num_binds, stride, pad: 0, userptr }, user, packed);
  return Array.from({ length: num_binds }, (_, i) => ({ ...reader.read(i) }));
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
  if (!/^([0-9a-f]{2})*$/.test(digits)) fail(EINVAL, `bytes: expected hex digits, got ${digits}`);
  return Uint8Array.from(digits.match(/../g) ?? [], (pair) => Number.parseInt(pair, 16));
}

function hexOf(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
