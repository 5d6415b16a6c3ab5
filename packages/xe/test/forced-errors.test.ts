/** VM_BINDs that have to fail, as drivers built for debugging can be asked to: at each step everything is as it was. */
import { EINVAL, ENOSPC } from "@vmbind/drm";
import { expect, it } from "vitest";
import * as xe from "../src/index.ts";
import { bind, fixture, GIB, MIB, map, mustBind, systemBo, unmap, vramBo } from "./support.ts";

const { FORCE_OP_ERROR } = xe;

it("is an unknown bit where the driver is not built for it", () => {
  const { file } = fixture("bmg");
  expect(bind(file, [{ ...unmap(GIB, 2 * MIB), flags: FORCE_OP_ERROR }])).toBe(-EINVAL);
  expect(file.lastError?.message).toContain(
    "bind.flags: 0x80000000 has unknown bits; bit 31 is for drivers built",
  );
});

it("fails before its entries are written, before they are staged whole, and with its objects in place, by turns", () => {
  const fx = fixture("bmg", { debugBuild: true });
  const { device, file, vm } = fx;
  const { patWb } = device.platform;
  const [old, fresh] = [systemBo(fx, 8 * MIB), vramBo(fx, 4 * MIB)];
  mustBind(file, map(GIB, 8 * MIB, old, 0, patWb));
  const before = [...vm.mappings()];
  const shows = () => [0, 1, 2, 3, 5, 8].map((at) => vm.addressSpace.walk(GIB + at * MIB));
  const walks = shows();
  const steps = ["prepare", "run", "lock", "prepare"];
  for (const step of steps) {
    const ops = [
      unmap(GIB + 4 * MIB, 2 * MIB),
      { ...map(GIB + 2 * MIB, 4 * MIB, fresh, 0, patWb), flags: FORCE_OP_ERROR },
      map(GIB + 8 * MIB, 8 * MIB, old, 0, patWb),
    ];
    expect(bind(file, ops)).toBe(-ENOSPC);
    expect(file.lastError?.message).toContain(`at step "${step}"`);
    expect([[...vm.mappings()], shows()]).toEqual([before, walks]);
    xe.checkDeviceInvariants(device, [file]);
  }
  // What was refused leaves nothing that the next one would trip over.
  mustBind(file, map(GIB + 2 * MIB, 4 * MIB, fresh, 0, patWb));
  xe.checkDeviceInvariants(device, [file]);
});

it("goes through where there is nothing to be written, at the step that writes", () => {
  const { file } = fixture(
    "bmg",
    { debugBuild: true },
    xe.VM_CREATE_FLAG_LR_MODE | xe.VM_CREATE_FLAG_FAULT_MODE,
  );
  const flags = xe.VM_BIND_FLAG_NULL + FORCE_OP_ERROR;
  const deferred = (at: number) => ({ ...map(at, 2 * MIB, 0), flags });
  expect([0, 1, 2].map((i) => bind(file, [deferred(GIB + 2 * i * MIB)]))).toEqual([-ENOSPC, 0, -ENOSPC]);
});
