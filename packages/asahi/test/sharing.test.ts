/** Objects that go from file to file. */
import { EINVAL } from "@vmbind/drm";
import { DataPages } from "@vmbind/mmu";
import { describe, expect, it } from "vitest";
import {
  AsahiDevice,
  type AsahiFile,
  BIND_READ,
  BIND_WRITE,
  checkDeviceInvariants,
  GEM_VM_PRIVATE,
  PAGE_BYTES,
} from "../src/index.ts";

const KERNEL = { kernelStart: 0x77_ffff_8000, kernelEnd: 0x7f_ffff_8000, vmId: 0, pad: 0 };
const ADDR = 0x20_0000_0000;

function bindPage(file: AsahiFile, handle: number): void {
  file.vmCreate({ ...KERNEL });
  file.bind(1, [{ flags: BIND_READ | BIND_WRITE, handle, offset: 0, range: PAGE_BYTES, addr: ADDR }]);
}

describe("an object in two files", () => {
  it("is one object; closing a handle unmaps it in that file only", () => {
    const device = new AsahiDevice();
    const [a, b] = [device.open(), device.open()];
    a.gemCreate({ size: 1, flags: 0, vmId: 0 });
    const handle = a.gemCreate({ size: PAGE_BYTES, flags: 0, vmId: 0 });
    const dmaBuf = a.exportBo(handle);
    expect([handle, a.importBo(dmaBuf), b.importBo(dmaBuf)]).toEqual([2, 2, 1]);
    dmaBuf.put();
    bindPage(a, 2);
    bindPage(b, 1);
    const mapped = () => [a, b].map((file) => [...(file.vm(1)?.mappings() ?? [])].map(({ bo }) => bo));
    expect(mapped()).toEqual([[2], [1]]);
    a.vm(1)?.addressSpace.store32(ADDR, 31);
    expect(b.bo(1)?.read(0, 1)[0]).toBe(31);
    expect(b.objectAt(a.gemMmapOffset({ handle: 2, flags: 0 }) + 3)).toEqual({ object: b.bo(1), offset: 3 });
    checkDeviceInvariants(device, [a, b]);
    a.gemClose(2);
    expect(mapped()).toEqual([[], [1]]);
    checkDeviceInvariants(device, [a, b]);
    b.close();
    a.close();
    expect([device.gems.size, device.counters.backingBytes]).toEqual([0, 0]);
  });

  it("is not exported when it is VM_PRIVATE", () => {
    const file = new AsahiDevice().open();
    file.vmCreate({ ...KERNEL });
    const handle = file.gemCreate({ size: 1, flags: GEM_VM_PRIVATE, vmId: 1 });
    expect(() => file.exportBo(handle)).toThrow(expect.objectContaining({ errno: EINVAL }));
  });

  it("is refused from another device", () => {
    const backing = new DataPages();
    const [a, b] = [
      new AsahiDevice({ memory: { backing } }).open(),
      new AsahiDevice({ memory: { backing } }).open(),
    ];
    const dmaBuf = a.exportBo(a.gemCreate({ size: 1, flags: 0, vmId: 0 }));
    expect(() => b.importBo(dmaBuf)).toThrow("EINVAL: import: objects of other devices are not modelled");
  });
});

describe("syncobjs", () => {
  it("are there, though VM_BIND takes none", () => {
    const { syncobjs } = new AsahiDevice({ adoptSyncobjs: true }).open();
    expect([syncobjs.create(), syncobjs.get(1)?.find(0), syncobjs.get(9)?.find(7)?.signaled]).toEqual([
      1,
      null,
      true,
    ]);
  });
});
