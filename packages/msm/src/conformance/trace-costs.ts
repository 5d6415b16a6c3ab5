/**
 * `msm-trace-costs`: what the ioctls of a recording cost the real code, and what they left mapped.
 *
 * The logical device's file alone, on a fresh device: the physical device's only probes.
 *
 * @module
 */

import { UserMemory } from "@vmbind/drm";
import {
  type Mismatch,
  mismatch,
  type RecordedIoctl,
  sha256,
  type TraceVectorCheck,
} from "@vmbind/gpuvm-core/conformance";
import { leaves } from "@vmbind/mmu";
import { MsmDevice } from "../device.ts";
import type { MsmFile } from "../file.ts";
import { hexOf, tablesByLevel } from "./state.ts";

type Json = Record<string, unknown>;

/** The open file that is looked at. */
const FILE = 1;

/** Check one case of `msm-trace-costs`. */
export const checkTraceCosts: TraceVectorCheck = (testCase, _header, records) => {
  // The recorded queues allow preemption; syncobjs were made by ioctls that recordings leave out.
  const device = new MsmDevice({ preemption: false, adoptSyncobjs: true });
  const file = device.open();
  const got: Json = { trace: testCase["trace"], wait_idle: null };
  let ioctls = 0;
  for (const record of records) {
    if (record.kind === "mark") {
      if (record.mark === "wait-idle") got["wait_idle"] = stateAtRest(device, file);
      continue;
    }
    if (record.file !== FILE) continue;
    const found = replayCall(file, record, `ioctl ${ioctls++}`);
    if (found !== null) return found;
  }
  const { counters } = device;
  const vm = file.needVm();
  return mismatch("case", testCase, {
    ...got,
    ioctls,
    io_map: counters.ioMapCalls,
    io_unmap: counters.ioUnmapCalls,
    pt_rsvd: counters.tablesReserved,
    pt_back: counters.tablesReturned,
    tlb: counters.tlbInvalidations,
    steps: counters.ptMaps + counters.ptUnmaps,
    peak_vmas: counters.gpuvasPeak,
    end: { vmas: vm.gpuvm.count, tables: tablesByLevel(vm) },
  });
};

function replayCall(file: MsmFile, record: RecordedIoctl, at: string): Mismatch | null {
  const user = new UserMemory();
  for (const { addr, data } of record.arrays) user.place(addr, data);
  const arg = record.argIn.slice();
  const ret = file.ioctl(record.request, arg, user);
  return mismatch(`${at}.ret`, record.ret, ret) ?? mismatch(`${at}.arg_out`, text(record.argOut), text(arg));
}

function text(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

function stateAtRest(device: MsmDevice, file: MsmFile): Json {
  const vm = file.needVm();
  const { memory, format, root } = vm.addressSpace;
  const prr = device.prr.address;
  let count = 0;
  let nulls = 0;
  for (const { entry } of leaves(memory, format, root)) {
    count++;
    if (Number(entry & 0xfffffffff000n) === prr) nulls++;
  }
  const lines = [...vm.mappings()].map(
    ({ addr, range, bo, gem, offset }) =>
      `${hexOf(addr)} ${hexOf(range)} ${bo} ${gem === null ? "0x0" : hexOf(offset)}\n`,
  );
  return {
    vmas: vm.gpuvm.count,
    leaves: count,
    null_leaves: nulls,
    vma_digest: sha256(lines),
    tables: tablesByLevel(vm),
  };
}
