/**
 * `panthor-units`: single rules. LOCK regions, page-size choice, reservations, and how VM_CREATE divides addresses.
 *
 * @module
 */

import { EINVAL, fail } from "@vmbind/drm";
import { type Mismatch, mismatch, u64Of, type VectorCheck } from "@vmbind/gpuvm-core/conformance";
import { lockRegion } from "../as-lock.ts";
import { PanthorDevice } from "../device.ts";
import { pickPageSize, tablesForMap, tablesForUnmap } from "../page-sizes.ts";
import { IOCTL_VM_CREATE, VM_CREATE } from "../uapi.ts";
import { integer, type Json } from "./json.ts";

type Case = Json;

/** Check one case of `panthor-units`. */
export const checkUnit: VectorCheck = (testCase) => {
  const unit = UNITS[testCase["unit"] as string];
  return unit ? unit(testCase) : fail(EINVAL, `unit: ${JSON.stringify(testCase["unit"])} is unknown`);
};

const UNITS: Readonly<Record<string, (c: Case) => Mismatch | null>> = {
  lockaddr(c) {
    const region = lockRegion(u64Of(c["va"]), u64Of(c["size"]));
    return first([
      mismatch("value", u64Of(c["value"]), region.value),
      mismatch("start", u64Of(c["start"]), region.start),
      mismatch("locked", u64Of(c["locked"]), region.bytes),
    ]);
  },
  pick(c) {
    const choice = pickPageSize(u64Of(c["addr"]), u64Of(c["len"]));
    return first([
      mismatch("pgsize", u64Of(c["pgsize"]), choice.pageBytes),
      mismatch("pgcount", c["pgcount"], choice.count),
    ]);
  },
  rsvd_map: (c) => mismatch("tables", c["tables"], tablesForMap(u64Of(c["va"]), u64Of(c["size"]))),
  rsvd_unmap: (c) => mismatch("tables", c["tables"], tablesForUnmap(u64Of(c["va"]), u64Of(c["size"]))),
  vm_create(c) {
    const vaBits = integer(c, "va_bits");
    const file = new PanthorDevice({ vaBits, taskSize: u64Of(c["task_size"]) }).open();
    const arg = VM_CREATE.encode({ flags: integer(c, "flags"), userVaRange: wrapped(c["user_va_range"]) });
    const ret = file.ioctl(IOCTL_VM_CREATE, arg);
    if (ret !== c["ret"] || ret !== 0) return mismatch("ret", c["ret"], ret);
    const { userVaRange } = VM_CREATE.read(new DataView(arg.buffer));
    return first([
      mismatch("out_user_va_range", u64Of(c["out_user_va_range"]), userVaRange),
      mismatch("kernel_range", u64Of(c["kernel_range"]), 2 ** vaBits - userVaRange),
    ]);
  },
};

/** A u64 that may be printed as a negative number. */
function wrapped(value: unknown): number {
  return typeof value === "string" && value.startsWith("-") ? 2 ** 64 - u64Of(value.slice(1)) : u64Of(value);
}

/** The first mismatch of a list. */
export function first(found: readonly (Mismatch | null)[]): Mismatch | null {
  return found.find((m) => m !== null) ?? null;
}
