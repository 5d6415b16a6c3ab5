import { ENOMEM, issue } from "@vmbind/gpuvm-core";
import { describe, expect, it } from "vitest";
import * as panthor from "../src/index.ts";

const GIB = 2 ** 30;

describe("page tables beyond the memory for them", () => {
  it("are refused before anything changes, and taken back when the operation is done", () => {
    const device = new panthor.PanthorDevice({ driverVersion: "1.8", repeat: "v5" });
    const file = device.open();
    const vm = file.vm(file.createVm(2 ** 47));
    const bo = file.createBo(4096);
    const { tables } = device.memory;
    const live = tables.live;
    const bind = (ops: Partial<panthor.VmBindOpRepeat>[], flags = 0): number =>
      issue(file, {
        name: "VM_BIND",
        request: panthor.IOCTL_VM_BIND,
        arg: panthor.VM_BIND.encode({
          vmId: 1,
          flags,
          ops: { stride: panthor.VM_BIND_OP_REPEAT.size, count: ops.length, array: 0x1000 },
        }),
        buffers: [{ addr: 0x1000, bytes: encodeAll(ops) }],
      });
    const repeat = (size: number): Partial<panthor.VmBindOpRepeat> => ({
      flags: panthor.OP_MAP | panthor.MAP_REPEAT,
      boHandle: bo,
      va: GIB,
      size,
      boRepeatRange: 4096,
    });

    // A table of 4 KiB pages for every 2 MiB: 512 GiB take 262144 of them, and two levels above.
    expect(bind([repeat(512 * GIB)])).toBe(-ENOMEM);
    expect(file.lastError?.reason).toBe(
      "vm_bind_op.size: 0x8000000000 needs 262658 page tables, so many are not left",
    );
    expect([...(vm?.mappings() ?? [])]).toEqual([]);
    expect(tables.live).toBe(live);

    // Asynchronous operations set theirs aside together.
    const most = repeat(300 * GIB);
    expect(bind([most, { ...most, va: 400 * GIB }], panthor.VM_BIND_ASYNC)).toBe(-ENOMEM);
    expect(device.tablesAside).toBe(0);
    expect(bind([repeat(GIB)])).toBe(0);
    expect(device.tablesAside).toBe(0);
    panthor.checkDeviceInvariants(device, [file]);
    file.close();
    expect(tables.live).toBe(0);
  });
});

function encodeAll(ops: readonly Partial<panthor.VmBindOpRepeat>[]): Uint8Array {
  return new Uint8Array(ops.flatMap((op) => [...panthor.VM_BIND_OP_REPEAT.encode(op)]));
}
