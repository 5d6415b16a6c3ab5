/**
 * An Apple GPU for live programs: the model of `@vmbind/asahi` in a device tree.
 *
 * @module
 */

import { AsahiDevice, IOCTLS as MODEL_IOCTLS } from "@vmbind/asahi";
import { lens } from "@vmbind/asahi/trace";
import { RECORDED_PROFILE } from "@vmbind/drm";
import {
  type Bus,
  type DriverVersion,
  type Hardware,
  type HardwareDriver,
  type HardwareOptions,
  memoryOf,
} from "../../hardware.ts";
import { AsahiLiveFile } from "./file.ts";
import { IOCTLS } from "./ioctls.ts";
import { RECORDING } from "./recording.ts";

class AsahiHardware implements Hardware {
  readonly device: AsahiDevice;
  readonly version: DriverVersion = {
    name: "asahi",
    date: "20250101",
    description: "Apple AGX Graphics",
    version: [0, 0, 0],
  };
  readonly bus: Bus = { bus: "platform", path: "/soc/gpu@406400000", compatible: ["apple,agx-t8103"] };
  readonly header: Readonly<Record<string, unknown>>;
  readonly title = "Apple M1 (G13G B1)";

  constructor(options: HardwareOptions) {
    this.device = new AsahiDevice({
      softFaults: true,
      quirks: RECORDED_PROFILE,
      memory: memoryOf(options),
    });
    const { chipId, vmStart, vmEnd, vmKernelMinSize } = this.device.params;
    const hex = (value: number) => `0x${value.toString(16)}`;
    this.header = {
      driver_version: "0.0",
      chip_id: hex(chipId),
      page_size: 16384,
      vm_start: hex(vmStart),
      vm_end: hex(vmEnd),
      vm_kernel_min_size: hex(vmKernelMinSize),
      soft_faults: true,
    };
  }

  open(): AsahiLiveFile {
    return new AsahiLiveFile(this.device.open(), IOCTLS);
  }

  progress(): boolean {
    return false;
  }
}

/** Asahi. */
export const HARDWARE: HardwareDriver = {
  name: "asahi",
  devices: new Map([["g13", "Apple M1"]]),
  lens,
  rows: IOCTLS.completed(MODEL_IOCTLS.rows),
  recording: RECORDING,
  create: (_, options) => new AsahiHardware(options),
};
