/** Objects that go from one device to another. Between files of one it is a law: see `packages/driver-laws`. */
import { EBUSY, issue } from "@vmbind/drm";
import { DataPages } from "@vmbind/mmu";
import { describe, expect, it } from "vitest";
import {
  checkDeviceInvariants,
  GEM_DOMAIN_GART,
  GEM_INFO,
  GEM_NEW,
  IOCTL_GEM_NEW,
  NouveauDevice,
  type NouveauFile,
  openNvk,
  VM_BIND_OP_MAP,
  vmBindCall,
} from "../src/index.ts";

const ADDR = 0x40_0000_0000;
const SIZE = 0x1_0000;

function newObject(file: NouveauFile): number {
  const arg = new Uint8Array(GEM_NEW.size);
  const view = new DataView(arg.buffer);
  const at = GEM_NEW.fields.info.offset;
  GEM_INFO.write(view, at, { size: SIZE, domain: GEM_DOMAIN_GART });
  expect(file.ioctl(IOCTL_GEM_NEW, arg)).toBe(0);
  return GEM_INFO.read(view, at).handle;
}

function map(file: NouveauFile, handle: number): void {
  expect(issue(file, vmBindCall([{ op: VM_BIND_OP_MAP, handle, addr: ADDR, range: SIZE }]))).toBe(0);
}

describe("an object of another device", () => {
  it("shows the same memory, also what was stored while it was moved away here", () => {
    const backing = new DataPages();
    const one = new NouveauDevice({ memory: { backing, frames: { base: 2 ** 32, limit: 2 ** 33 } } });
    const two = new NouveauDevice({ memory: { backing, frames: { base: 2 ** 33, limit: 2 ** 34 } } });
    const [a, b] = [one.open(), two.open()];
    for (const file of [a, b]) openNvk(file);
    const mine = newObject(a);
    const dmaBuf = a.exportBo(mine);
    const theirs = b.importBo(dmaBuf);
    dmaBuf.put();
    map(a, mine);
    map(b, theirs);
    const [gpuA, gpuB] = [a, b].map((file) => file.ownVm?.addressSpace);
    gpuB?.store32(ADDR + 4, 5);
    expect(gpuA?.load32(ADDR + 4)).toBe(5);
    const [boA, boB] = [a.bo(mine), b.bo(theirs)];
    if (boA === undefined || boB === undefined || b.ownVm === null) throw new Error("no object");
    expect(() => one.evict(boA)).toThrow(expect.objectContaining({ errno: EBUSY }));

    two.evict(boB);
    gpuA?.store32(ADDR + 4, 6);
    b.restoreObjects(b.ownVm);
    expect([gpuA?.load32(ADDR + 4), gpuB?.load32(ADDR + 4)]).toEqual([6, 6]);
    checkDeviceInvariants(one, [a]);
    checkDeviceInvariants(two, [b]);

    b.close();
    one.evict(boA);
    expect(boA.residentBytes).toBe(0);
    // A CPU access brings it back, with its bytes.
    const [segment] = boA.segments(4, 4);
    const word = new Uint8Array(4);
    one.memory.read(segment?.pa as number, word);
    expect([...word]).toEqual([6, 0, 0, 0]);
    a.close();
    expect([one.gems.size, two.gems.size]).toEqual([0, 0]);
  });
});
