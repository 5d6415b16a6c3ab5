/**
 * `panthor-units`: single rules. LOCK regions, page-size choice, reservations, and how VM_CREATE divides addresses.
 *
 * @module
 */

import { type Mismatch, mismatch, u64Of, type VectorCheck } from "@vmbind/gpuvm-core/conformance";
import { lockRegion } from "../as-lock.ts";
import { PanthorDevice } from "../device.ts";
import { pickPageSize, tablesForMap, tablesForUnmap } from "../page-sizes.ts";
import { IOCTL_VM_CREATE, VM_CREATE } from "../uapi.ts";

type Case = Readonly<Record<string, unknown>>;

/** Check one case of `panthor-units`. */
export const checkUnit: VectorCheck = (testCase) => {
  const unit = UNITS[testCase["unit"] as string];
  if (unit === undefined) throw new Error(`conformance: no unit ${testCase["unit"]}`);
  return unit(testCase);
};

const UNITS: Readonly<Record<string, (c: Case) => Mismatch | null>> = {
  lockaddr(c) {
    const region = lockRegion(u64Of(c["va"]), u64Of(c["size"]));
    return first([
      sameU64("value", c["value"], region.value),
      sameU64("start", c["start"], region.start),
      sameU64("locked", c["locked"], region.bytes),
    ]);
  },
  pick(c) {
    const choice = pickPageSize(u64Of(c["addr"]), u64Of(c["len"]));
    return first([
      sameU64("pgsize", c["pgsize"], choice.pageBytes),
      mismatch("pgcount", c["pgcount"], choice.count),
    ]);
  },
  rsvd_map: (c) => mismatch("tables", c["tables"], tablesForMap(u64Of(c["va"]), u64Of(c["size"]))),
  rsvd_unmap: (c) => mismatch("tables", c["tables"], tablesForUnmap(u64Of(c["va"]), u64Of(c["size"]))),
  vm_create(c) {
    const vaBits = c["va_bits"] as number;
    const file = new PanthorDevice({ vaBits, taskSize: u64Of(c["task_size"]) }).open();
    const arg = VM_CREATE.encode({ flags: c["flags"] as number, userVaRange: wrapped(c["user_va_range"]) });
    const ret = file.ioctl(IOCTL_VM_CREATE, arg);
    if (ret !== c["ret"] || ret !== 0) return mismatch("ret", c["ret"], ret);
    const { userVaRange } = VM_CREATE.read(new DataView(arg.buffer));
    return first([
      sameU64("out_user_va_range", c["out_user_va_range"], userVaRange),
      sameU64("kernel_range", c["kernel_range"], 2 ** vaBits - userVaRange),
    ]);
  },
};

/** Equal to the last bit: what no double holds would compare as NaN does, with anything. */
function sameU64(field: string, expected: unknown, got: number): Mismatch | null {
  if (BigInt(expected as string) === BigInt(got)) return null;
  return { field, expected, got: `0x${got.toString(16)}` };
}

/** A u64 that may be printed as a negative number. */
function wrapped(value: unknown): number {
  return typeof value === "string" && value.startsWith("-") ? 2 ** 64 - u64Of(value.slice(1)) : u64Of(value);
}

/** The first mismatch of a list. */
export function first(found: readonly (Mismatch | null)[]): Mismatch | null {
  return found.find((m) => m !== null) ?? null;
}
