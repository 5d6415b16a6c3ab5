/** Objects that go from one device to another. Between files of one it is a law: see `packages/driver-laws`. */
import { EBUSY } from "@vmbind/drm";
import { DataPages } from "@vmbind/mmu";
import { describe, expect, it } from "vitest";
import { checkDeviceInvariants, PanthorDevice } from "../src/index.ts";
import { createBo, type Fixture, mustBind, openWithVm } from "./support.ts";

const VA = 0x4000_0000;
const MIB2 = 0x20_0000;

const bindAll = (f: Pick<Fixture, "file" | "vmId">, boHandle: number): void =>
  mustBind(f, [{ boHandle, va: VA, size: MIB2 }]);

describe("an object of another device", () => {
  it("shows the same memory, which its own device may not move meanwhile", () => {
    const backing = new DataPages();
    const one = new PanthorDevice({ memory: { backing, frames: { base: 2 ** 32, limit: 2 ** 33 } } });
    const two = new PanthorDevice({ memory: { backing, frames: { base: 2 ** 33, limit: 2 ** 34 } } });
    const [a, b] = [openWithVm(one), openWithVm(two)];
    const dmaBuf = a.file.exportBo(createBo(a.file, MIB2));
    const handle = b.file.importBo(dmaBuf);
    dmaBuf.put();
    bindAll(a, 1);
    bindAll(b, handle);
    b.vm.addressSpace.store32(VA + 4, 5);
    expect([a.vm.addressSpace.load32(VA + 4), b.file.bo(handle)?.imported]).toEqual([5, true]);
    const bo = a.file.bo(1);
    if (bo === undefined) throw new Error("no object");
    expect(() => one.evict(bo)).toThrow(expect.objectContaining({ errno: EBUSY }));
    checkDeviceInvariants(one, [a.file]);
    checkDeviceInvariants(two, [b.file]);
    b.file.close();
    one.evict(bo);
    expect(bo.residentBytes).toBe(0);
    // A CPU access brings it back.
    expect([...bo.segments(0, 8)].map(({ bytes }) => bytes)).toEqual([8]);
    expect(bo.residentBytes).toBe(MIB2);
    a.file.close();
    expect([one.gems.size, two.gems.size]).toEqual([0, 0]);
  });
});
