/** Lists of objects, and what GEM_OP tells of an object and changes. */

import { EINVAL, ENOENT, EPERM, readU64, UserMemory } from "@vmbind/drm";
import { DataPages } from "@vmbind/mmu";
import { expect, test } from "vitest";
import {
  AmdgpuDevice,
  type AmdgpuFile,
  BO_LIST,
  BO_LIST_ENTRY,
  BO_LIST_OP_CREATE,
  BO_LIST_OP_DESTROY,
  BO_LIST_OP_UPDATE,
  CREATE_NO_CPU_ACCESS,
  checkDeviceInvariants,
  DOMAIN_CPU,
  DOMAIN_GTT,
  DOMAIN_VRAM,
  GEM_CREATE,
  GEM_MMAP,
  GEM_OP,
  GEM_OP_GET_GEM_CREATE_INFO,
  GEM_OP_SET_PLACEMENT,
  IOCTL_BO_LIST,
  IOCTL_GEM_CREATE,
  IOCTL_GEM_MMAP,
  IOCTL_GEM_OP,
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

/** Where an object prefers to be, as GEM_OP tells it. */
function domainsOf(file: AmdgpuFile, handle: number): number {
  const user = new UserMemory();
  const info = GEM_CREATE.encode({});
  user.place(ENTRIES_ADDR, info);
  const arg = GEM_OP.encode({ handle, op: GEM_OP_GET_GEM_CREATE_INFO, value: ENTRIES_ADDR });
  expect(file.ioctl(IOCTL_GEM_OP, arg, user)).toBe(0);
  return GEM_CREATE.read(new DataView(info.buffer)).domains;
}

function setPlacement(file: AmdgpuFile, handle: number, value: number): number {
  return file.ioctl(IOCTL_GEM_OP, GEM_OP.encode({ handle, op: GEM_OP_SET_PLACEMENT, value }));
}

test("SET_PLACEMENT says where an object prefers to be, no more", () => {
  const device = new AmdgpuDevice();
  const file = device.open();
  const individual = file.gemCreate({ boSize: 4096, alignment: 0, domains: DOMAIN_GTT, domainFlags: 0 });
  const valid = file.gemCreate({ boSize: 4096, alignment: 0, domains: DOMAIN_GTT, domainFlags: 0x40 });
  for (const domains of [DOMAIN_VRAM, DOMAIN_VRAM | DOMAIN_GTT, DOMAIN_CPU, DOMAIN_GTT]) {
    // Bits that name no memory are dropped.
    expect(setPlacement(file, individual, domains | 8 | 64)).toBe(0);
    expect(domainsOf(file, individual)).toBe(domains);
  }
  const { alwaysValid } = file.space.space;
  file.space.submit();
  expect([...alwaysValid.idle].map(({ bo }) => bo)).toEqual([file.bo(valid)]);
  expect(setPlacement(file, valid, DOMAIN_VRAM)).toBe(0);
  // It is not where it prefers to be: each submission looks at it again.
  for (let i = 0; i < 2; i++) {
    expect([...alwaysValid.evicted].map(({ bo }) => bo)).toEqual([file.bo(valid)]);
    file.space.submit();
  }
  checkDeviceInvariants(device, [file]);
});

test("memory of another device cannot go to VRAM", () => {
  const memory = { backing: new DataPages() };
  const [here, there] = [new AmdgpuDevice({ memory }).open(), new AmdgpuDevice({ memory }).open()];
  const theirs = there.gemCreate({ boSize: 4096, alignment: 0, domains: DOMAIN_GTT, domainFlags: 0 });
  const handle = here.importBo(there.exportBo(theirs));
  expect(setPlacement(here, handle, DOMAIN_VRAM | DOMAIN_GTT)).toBe(-EINVAL);
  expect(here.lastError?.reason).toMatch(/^gem_op\.value: VRAM/);
  expect(setPlacement(here, handle, DOMAIN_GTT)).toBe(0);
});

test("an object that the CPU must not see has no offset for mmap", () => {
  const file = new AmdgpuDevice().open();
  const offsetOf = (domainFlags: number): number => {
    const create = GEM_CREATE.encode({ boSize: 4096, domains: DOMAIN_VRAM, domainFlags });
    expect(file.ioctl(IOCTL_GEM_CREATE, create)).toBe(0);
    const arg = GEM_MMAP.encode({ handle: new DataView(create.buffer).getUint32(0, true) });
    return file.ioctl(IOCTL_GEM_MMAP, arg) || readU64(new DataView(arg.buffer), 0);
  };
  expect(offsetOf(0)).toBeGreaterThan(0);
  expect(offsetOf(CREATE_NO_CPU_ACCESS)).toBe(-EPERM);
  expect(file.lastError?.message).toContain("NO_CPU_ACCESS");
});
