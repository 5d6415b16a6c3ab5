import { ENOMEM, issue } from "@vmbind/drm";
import { expect, it } from "vitest";
import * as panthor from "../src/index.ts";

const GIB = 2 ** 30;

it("an operation that meets the end of table memory fails like one without tables, and gives all back", () => {
  const device = new panthor.PanthorDevice({ driverVersion: "1.8", repeat: "v5" });
  const file = device.open();
  const vm = file.vm(file.createVm(2 ** 47)) as panthor.PanthorVm;
  const bo = file.createBo(4096);
  const { tables } = device.memory;
  const set = tables as { limit: number };
  const bind = (size: number): number =>
    issue(file, {
      name: "VM_BIND",
      request: panthor.IOCTL_VM_BIND,
      arg: panthor.VM_BIND.encode({
        vmId: 1,
        ops: { stride: panthor.VM_BIND_OP_REPEAT.size, count: 1, array: 0x1000 },
      }),
      buffers: [
        {
          addr: 0x1000,
          bytes: panthor.VM_BIND_OP_REPEAT.encode({
            flags: panthor.OP_MAP | panthor.MAP_REPEAT,
            boHandle: bo,
            va: GIB,
            size,
            boRepeatRange: 4096,
          }),
        },
      ],
    });

  // Two directories and 16 tables of pages.
  set.limit = tables.live + 18;
  expect(bind(32 * 2 ** 20)).toBe(0);
  expect(tables.live).toBe(tables.limit);
  expect(() => file.createVm(2 ** 47)).toThrow("ENOMEM: vm_create: no page is left for the root table");

  set.limit = tables.live + 18;
  expect(bind(GIB)).toBe(-ENOMEM);
  expect(vm.unusable).toBe(true);
  expect(device.counters.tablesReserved).toBe(18 + 514);
  expect(device.counters.tablesReturned).toBe(514 - 18);
  file.close();
  expect(tables.live).toBe(0);
});
