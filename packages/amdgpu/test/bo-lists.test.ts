/** Lists of objects keep their handles when they are updated, whatever handles are free. */

import { ENOENT, UserMemory } from "@vmbind/drm";
import { expect, test } from "vitest";
import {
  AmdgpuDevice,
  type AmdgpuFile,
  BO_LIST,
  BO_LIST_ENTRY,
  BO_LIST_OP_CREATE,
  BO_LIST_OP_DESTROY,
  BO_LIST_OP_UPDATE,
  checkDeviceInvariants,
  DOMAIN_GTT,
  IOCTL_BO_LIST,
} from "../src/index.ts";

const ENTRIES_ADDR = 0x1000;

/** What BO_LIST answers: the handle of the list, or the errno. */
function boList(
  file: AmdgpuFile,
  operation: number,
  listHandle: number,
  handles: readonly number[] = [],
): number {
  const user = new UserMemory();
  const bytes = handles.map((boHandle) => BO_LIST_ENTRY.encode({ boHandle }));
  user.place(ENTRIES_ADDR, Uint8Array.from(bytes.flatMap((entry) => [...entry])));
  const arg = BO_LIST.encode({
    operation,
    listHandle,
    boNumber: handles.length,
    boInfoSize: BO_LIST_ENTRY.size,
    boInfoPtr: ENTRIES_ADDR,
  });
  const ret = file.ioctl(IOCTL_BO_LIST, arg, user);
  return ret === 0 ? new DataView(arg.buffer).getUint32(0, true) : ret;
}

test("an update leaves a list under its handle, where a lower one is free", () => {
  const device = new AmdgpuDevice();
  const file = device.open();
  const [a, b] = [1, 2].map(() =>
    file.gemCreate({ boSize: 4096, alignment: 0, domains: DOMAIN_GTT, domainFlags: 0 }),
  ) as [number, number];
  expect([1, 2].map(() => boList(file, BO_LIST_OP_CREATE, 0, [a]))).toEqual([1, 2]);
  expect(boList(file, BO_LIST_OP_DESTROY, 1)).toBe(0);
  expect(boList(file, BO_LIST_OP_UPDATE, 2, [b, b])).toBe(2);
  expect([...file.submissions.held()]).toEqual([file.bo(b), file.bo(b)]);
  // The list is not under the free one.
  expect(boList(file, BO_LIST_OP_UPDATE, 1, [a])).toBe(-ENOENT);
  expect(boList(file, BO_LIST_OP_UPDATE, 2, [a])).toBe(2);
  expect(boList(file, BO_LIST_OP_CREATE, 0, [b])).toBe(1);
  checkDeviceInvariants(device, [file]);
  file.close();
  expect(device.gems.size).toBe(0);
});
