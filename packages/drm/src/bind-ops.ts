/**
 * Bind operations as objects: written into the bytes that a driver's VM_BIND takes, issued, and the answer in words.
 *
 * A driver says in a table what its operations are, in the terms of its own struct; its `vmBind` puts the bytes where its
 * ioctl expects them. What an object gets wrong is told before anything is issued, with the index of the operation and the
 * member: `ops[5].va: -1 is not an integer from 0 to 2^64 - 1`.
 *
 * @module
 */

import type { DrmFile } from "./drm-file.ts";
import { EncodeError } from "./encode-error.ts";
import { errnoName } from "./errno.ts";
import { type StructLayout, viewOf } from "./struct.ts";
import { type IoctlCall, issue } from "./umd.ts";

/** One kind of operation. */
export interface BindForm<T> {
  /** Members that make it what it is; its flags are or-ed with those of the object. */
  readonly sets: Partial<T>;
  /** Flags where the object gives none, 0 unless told. */
  readonly flags?: number;
  /** Members that an object has to give. */
  readonly needs: readonly (keyof T & string)[];
  /** Members that it may give; 0 otherwise. */
  readonly takes: readonly (keyof T & string)[];
}

/** The operations of a driver: by the name in `op`. */
export type BindForms<T, Name extends string = string> = { readonly [K in Name]: BindForm<T> };

/** What every operation object has. */
export interface NamedBindOp {
  /** Which operation it is: a name in the driver's table. */
  readonly op: string;
}

/**
 * Write operations one behind the other.
 *
 * @param layout - the driver's struct of one operation
 * @param forms - its operations
 * @param ops - the objects
 * @returns `layout.size` bytes for each
 * @throws {@link EncodeError} for what is no list, an operation that the table does not know, a member that is missing or is none of the
 * operation's, and a value that does not fit
 */
export function encodeBindOps<T extends object, Name extends string>(
  layout: StructLayout<T>,
  forms: BindForms<T, Name>,
  ops: readonly NamedBindOp[],
): Uint8Array<ArrayBuffer> {
  needList("ops", ops);
  const bytes = new Uint8Array(ops.length * layout.size);
  const view = viewOf(bytes);
  const known = new Map<string, BindForm<T>>(Object.entries(forms));
  for (const [i, op] of ops.entries()) {
    const name = `ops[${i}]`;
    writeMembers(view, i * layout.size, layout, name, valuesOf(name, known, op));
  }
  return bytes;
}

/**
 * Write structs one behind the other: what operations or their call point to.
 *
 * @param name - what errors call the array, e.g. `waits`
 * @param layout - the struct
 * @param elements - members; missing ones are 0
 * @returns `layout.size` bytes for each
 * @throws {@link EncodeError} for a member that the struct has not, and a value that does not fit, e.g. `waits[1].handle: ...`
 */
export function encodeArray<T extends object>(
  name: string,
  layout: StructLayout<T>,
  elements: readonly Partial<T>[],
): Uint8Array<ArrayBuffer> {
  needList(name, elements);
  const bytes = new Uint8Array(elements.length * layout.size);
  const view = viewOf(bytes);
  const members = layout.members.map(([member]) => member);
  for (const [i, element] of elements.entries()) {
    const where = `${name}[${i}]`;
    if (typeof element !== "object" || element === null) throw new EncodeError(where, "", "is not an object");
    needMembers(where, element, members);
    writeMembers(view, i * layout.size, layout, where, new Map<string, unknown>(Object.entries(element)));
  }
  return bytes;
}

/**
 * Refuse what is no list.
 *
 * @param name - what was given, e.g. `ops`
 * @param list - what was given for it
 * @throws {@link EncodeError} `ops: is not a list`
 */
export function needList(name: string, list: unknown): void {
  if (!Array.isArray(list)) throw new EncodeError(name, "", "is not a list");
}

/**
 * Refuse members that there are not: what is misspelled would be left out, and nobody would know.
 *
 * @param where - what they are members of, e.g. `options`
 * @param given - the members
 * @param members - those that there are
 * @throws {@link EncodeError} `options.vmid: no such member, only vmId, async`
 */
export function needMembers(where: string, given: object, members: readonly string[]): void {
  const unknown = Object.keys(given).find((name) => !members.includes(name));
  if (unknown === undefined) return;
  throw new EncodeError(where, `.${unknown}`, `no such member, only ${members.join(", ")}`);
}

function writeMembers(
  view: DataView,
  base: number,
  { members }: StructLayout<object>,
  name: string,
  values: ReadonlyMap<string, unknown>,
): void {
  for (const [member, field] of members) {
    try {
      field.write(view, base, values.get(member));
    } catch (error) {
      if (!(error instanceof EncodeError)) throw error;
      throw new EncodeError(name, `.${member}${error.member}`, error.rule);
    }
  }
}

/** The members of an operation by name, once they are known to be its own. */
function valuesOf<T>(
  name: string,
  forms: ReadonlyMap<string, BindForm<T>>,
  op: NamedBindOp,
): Map<string, unknown> {
  if (typeof op !== "object" || op === null) throw new EncodeError(name, "", "is not an object");
  const form = forms.get(op.op);
  if (form === undefined) {
    throw new EncodeError(name, ".op", `${JSON.stringify(op.op)} is none of ${[...forms.keys()].join(", ")}`);
  }
  const members: readonly string[] = [...form.needs, ...form.takes];
  const given = new Map<string, unknown>(Object.entries(op));
  given.delete("op");
  for (const [member, value] of given) {
    if (!members.includes(member)) {
      throw new EncodeError(name, `.${member}`, `"${op.op}" has no such member, only ${members.join(", ")}`);
    }
    if (value === undefined) given.delete(member);
  }
  for (const member of form.needs) {
    if (!given.has(member)) throw new EncodeError(name, `.${member}`, `missing, "${op.op}" needs it`);
  }
  const values = new Map<string, unknown>(Object.entries(form.sets));
  const fixed = values.get("flags");
  const flags = given.get("flags") ?? form.flags ?? 0;
  for (const [member, value] of given) values.set(member, value);
  // What is no number is left to the writer, which says so.
  values.set("flags", typeof flags === "number" && typeof fixed === "number" ? orBits(flags, fixed) : flags);
  return values;
}

/** `a | b` where that is 32 bits; `a` where it is none, for the writer to refuse. */
function orBits(a: number, b: number): number {
  return a >>> 0 === a ? (a | b) >>> 0 : a;
}

/** What came of a driver's `vmBind`. */
export interface BindResult {
  /** Positive errno, 0 when all went well. */
  readonly errno: number;
  /** Its name, e.g. `EINVAL`; null when all went well. */
  readonly errnoName: string | null;
  /** The field and the rule that it broke; null when all went well. */
  readonly reason: string | null;
  /** Index of the operation that failed; null when none did, or the call was refused for what is beside its operations. */
  readonly failed: number | null;
  /** The ioctls that were issued, `arg` as the driver left it. */
  readonly calls: readonly IoctlCall[];
}

/**
 * Issue one call with all its operations.
 *
 * @param file - the open file
 * @param call - the call
 * @param array - what the driver's reasons call the array of operations, e.g. `ops`
 * @param single - what they call the only operation of a call, where that is something else
 * @returns the answer
 */
export function issueBind(file: DrmFile, call: IoctlCall, array: string, single?: string): BindResult {
  if (issue(file, call) === 0) return allDone([call]);
  const reason = reasonOf(file);
  return refused(file, failedOp(reason, array, single), [call]);
}

/**
 * Issue calls of one operation each, up to the first that fails.
 *
 * @param file - the open file
 * @param calls - the calls
 * @returns the answer; `calls` has those that were issued
 */
export function issueBindEach(file: DrmFile, calls: readonly IoctlCall[]): BindResult {
  const failed = calls.findIndex((call) => issue(file, call) !== 0);
  return failed < 0 ? allDone(calls) : refused(file, failed, calls.slice(0, failed + 1));
}

function allDone(calls: readonly IoctlCall[]): BindResult {
  return { errno: 0, errnoName: null, reason: null, failed: null, calls };
}

function refused(file: DrmFile, failed: number | null, calls: readonly IoctlCall[]): BindResult {
  const errno = file.lastError?.errno ?? 0;
  return { errno, errnoName: errnoName(errno), reason: reasonOf(file), failed, calls };
}

function reasonOf(file: DrmFile): string {
  return file.lastError?.reason ?? "";
}

/** A reason begins with the operation that it is about. */
function failedOp(reason: string, array: string, single: string | undefined): number | null {
  if (reason.startsWith(`${array}[`)) return Number.parseInt(reason.slice(array.length + 1), 10);
  return single !== undefined && /^[.:]/.test(reason.slice(single.length)) && reason.startsWith(single)
    ? 0
    : null;
}
