/** Memory that is always short: what MADVISE gives up is gone when the ioctl returns. What a purge does is in `madvise.test.ts`. */
import { EBUSY, EINVAL } from "@vmbind/drm";
import { expect, it } from "vitest";
import * as xe from "../src/index.ts";
import { bind, fixture, GIB, MIB, map, mustBind, systemBo } from "./support.ts";

it.each([
  [true, true, -EINVAL],
  [false, false, -EBUSY],
])("with memory pressure %s, an object that is given up is purged: %s", (memoryPressure, purged, again) => {
  const fx = fixture("lnl", { memoryPressure });
  const { device, file, vm } = fx;
  const { patWb } = device.platform;
  const handles = [systemBo(fx, 2 * MIB), systemBo(fx, 2 * MIB)] as const;
  handles.forEach((handle, i) => {
    mustBind(file, map(GIB + 4 * i * MIB, 2 * MIB, handle, 0, patWb));
  });
  const advice = {
    vmId: 1,
    start: GIB,
    range: 2 * MIB,
    type: xe.VMA_ATTR_PURGEABLE_STATE,
    val: xe.VMA_PURGEABLE_STATE_DONTNEED,
  };
  expect(file.ioctl(xe.IOCTL_MADVISE, xe.MADVISE.encode(advice))).toBe(0);
  expect(handles.map((handle) => file.bo(handle)?.purged)).toEqual([purged, false]);
  expect(vm.addressSpace.walk(GIB).kind).toBe(purged ? "null" : "page");
  expect(vm.addressSpace.walk(GIB + 4 * MIB).kind).toBe("page");
  expect(bind(file, [map(8 * GIB, 2 * MIB, handles[0], 0, patWb)])).toBe(again);
  xe.checkDeviceInvariants(device, [file]);
  // By hand it goes all the same, and once.
  expect([device.shrink(), device.shrink()]).toEqual([purged ? 0 : 1, 0]);
  xe.checkDeviceInvariants(device, [file]);
});
