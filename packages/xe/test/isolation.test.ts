/** What only xe can give away: the pages of a process. The rest is in `packages/driver-laws`. */
import { expect, it } from "vitest";
import * as xe from "../src/index.ts";
import { mustBind } from "./support.ts";

const ADDR = 0x1_0000_0000;
const PAGE = 4096;

function open(device: xe.XeDevice): { file: xe.XeFile; vm: xe.XeVm } {
  const file = device.open();
  if (file.ioctl(xe.IOCTL_VM_CREATE, xe.VM_CREATE.encode({})) !== 0) throw file.lastError;
  return { file, vm: file.vm(1) as xe.XeVm };
}

it("the process's pages that MAP_USERPTR pinned are its own, and zeroed when it is gone", () => {
  const device = new xe.XeDevice("bmg");
  const op = { op: xe.VM_BIND_OP_MAP_USERPTR, addr: ADDR, range: PAGE, objOffset: 0x5000, patIndex: 2 };
  const [victim, spy] = [open(device), open(device)];
  for (const { file } of [victim, spy]) mustBind(file, { ...op, patIndex: device.platform.patWb });
  victim.vm.addressSpace.store8(ADDR, 0xee);
  expect([victim, spy].map(({ vm }) => vm.addressSpace.load8(ADDR))).toEqual([0xee, 0]);
  const pa = victim.vm.addressSpace.walk(ADDR).pa;
  victim.file.close();
  const heir = open(device);
  mustBind(heir.file, { ...op, patIndex: device.platform.patWb });
  // The very same memory.
  expect([heir.vm.addressSpace.walk(ADDR).pa, heir.vm.addressSpace.load8(ADDR)]).toEqual([pa, 0]);
});
