/**
 * `panthor-units`: single rules. LOCK regions, page-size choice, reservations, and how VM_CREATE divides addresses.
 *
 * @module
 */

import { EINVAL, fail } from "@vmbind/drm";
import { hex, type Mismatch, mismatch, type VectorCheck } from "@vmbind/gpuvm-core/conformance";
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
    const region = lockRegion(hex(c["va"]), hex(c["size"]));
    return first([
      mismatch("value", hex(c["value"]), region.value),
      mismatch("start", hex(c["start"]), region.start),
      mismatch("locked", hex(c["locked"]), region.bytes),
    ]);
  },
  pick(c) {
    const choice = pickPageSize(hex(c["addr"]), hex(c["len"]));
    return first([
      mismatch("pgsize", hex(c["pgsize"]), choice.pageBytes),
      mismatch("pgcount", c["pgcount"], choice.count),
    ]);
  },
  rsvd_map: (c) => mismatch("tables", c["tables"], tablesForMap(hex(c["va"]), hex(c["size"]))),
  rsvd_unmap: (c) => mismatch("tables", c["tables"], tablesForUnmap(hex(c["va"]), hex(c["size"]))),
  vm_create(c) {
    const vaBits = integer(c, "va_bits");
    const file = new PanthorDevice({ vaBits, taskSize: hex(c["task_size"]) }).open();
    const arg = VM_CREATE.encode({ flags: integer(c, "flags"), userVaRange: wrapped(c["user_va_range"]) });
    const ret = file.ioctl(IOCTL_VM_CREATE, arg);
    if (ret !== c["ret"] || ret !== 0) return mismatch("ret", c["ret"], ret);
    const { userVaRange } = VM_CREATE.read(new DataView(arg.buffer));
    return first([
      mismatch("out_user_va_range", hex(c["out_user_va_range"]), userVaRange),
      mismatch("kernel_range", hex(c["kernel_range"]), 2 ** vaBits - userVaRange),
    ]);
  },
};

/** A u64 that may be printed as a negative number. */
function wrapped(value: unknown): number {
  return typeof value === "string" && value.startsWith("-") ? 2 ** 64 - hex(value.slice(1)) : hex(value);
}

/** The first mismatch of a list. */
export function first(found: readonly (Mismatch | null)[]): Mismatch | null {
  return found.find((m) => m !== null) ?? null;
}
