import { ENOMEM, issue } from "@vmbind/drm";
import type { PhysicalMemoryOptions } from "@vmbind/mmu";
import { expect, it } from "vitest";
import * as panthor from "../src/index.ts";

const MIB = 2 ** 20;
const GIB = 2 ** 30;

function repeats(memory: PhysicalMemoryOptions = {}) {
  const device = new panthor.PanthorDevice({ driverVersion: "1.8", repeat: "v5", memory });
  const file = device.open();
  const vm = file.vm(file.createVm(2 ** 47)) as panthor.PanthorVm;
  const bo = file.createBo(4096);
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

  return { device, file, vm, bind };
}

it("an operation that meets the end of what one process can hold fails like one without tables, and gives all back", () => {
  const { device, file, vm, bind } = repeats();
  const { tables } = device.memory;
  const set = tables as { limit: number };
  // Two directories and 16 tables of pages.
  set.limit = tables.live + 18;
  expect(bind(32 * MIB)).toBe(0);
  expect(tables.live).toBe(tables.limit);
  expect(() => file.createVm(2 ** 47)).toThrow("ENOMEM: vm_create: no root table, all 19 page-table pages");

  set.limit = tables.live + 18;
  expect(bind(GIB)).toBe(-ENOMEM);
  expect(vm.unusable).toBe(true);
  expect(device.counters.tablesReserved).toBe(18 + 514);
  expect(device.counters.tablesReturned).toBe(514 - 18);
  file.close();
  expect(tables.live).toBe(0);
});

it("an operation that may need more tables than there is memory for is refused before it begins", () => {
  // The root, two directories and 16 tables.
  const { device, file, vm, bind } = repeats({ tableLimitBytes: 19 * 4096 });
  const { counters, memory } = device;
  for (let round = 0; round < 3; round++) {
    // It would need 16 tables as the first one does; the kernel does not look what is there already.
    expect(bind(32 * MIB)).toBe(round === 0 ? 0 : -ENOMEM);
    expect(bind(2 * MIB)).toBe(-ENOMEM);
    expect(file.lastError?.message).toBe(
      "ENOMEM: ops[0]: no memory to set 3 page tables aside: of memory.tableLimitBytes 77824, 0 are left",
    );
    expect(vm.unusable).toBe(false);
    expect(counters.tablesReserved).toBe(18);
    expect(memory.tables.live).toBe(19);
    expect([...vm.mappings()].map(({ addr, range }) => [addr, range])).toEqual([[GIB, 32 * MIB]]);
    panthor.checkDeviceInvariants(device, [file]);
  }
});
