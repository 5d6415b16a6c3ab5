/**
 * An AMD GPU for live programs: the model of `@vmbind/amdgpu` on PCI. Submissions bring page tables up to date; their commands are
 * not run.
 *
 * @module
 */

import { AmdgpuDevice, IOCTLS } from "@vmbind/amdgpu";
import { lens } from "@vmbind/amdgpu/trace";
import { RECORDED_PROFILE } from "@vmbind/drm";
import type { Bus, DriverVersion, Hardware, HardwareDriver, HardwareOptions } from "../../hardware.ts";
import { AmdgpuLiveFile } from "./file.ts";
import { RECORDING } from "./recording.ts";

const AMD = 0x1002;
const NAVI21 = 0x73bf;

class AmdgpuHardware implements Hardware {
  readonly device: AmdgpuDevice;
  readonly version: DriverVersion = {
    name: "amdgpu",
    date: "20150101",
    description: "AMD GPU",
    version: [3, 64, 0],
  };
  readonly bus: Bus = { bus: "pci", slot: "0000:03:00.0", vendor: AMD, device: NAVI21, revision: 0xc3 };
  readonly header: Readonly<Record<string, unknown>>;
  readonly title = "AMD Radeon RX 6800 (Navi 21, gfx1030)";

  constructor({ backing, vramBytes, systemBytes }: HardwareOptions) {
    this.device = new AmdgpuDevice({
      quirks: RECORDED_PROFILE,
      ...(vramBytes !== undefined && { vramBytes }),
      memory: { backing, ...(systemBytes !== undefined && { frames: { limit: 2 ** 32 + systemBytes } }) },
    });
    this.header = { pci_id: "0x73bf", gfx: "10.3.0", va_bits: 48, va_alignment: 4096 };
  }

  open(): AmdgpuLiveFile {
    return new AmdgpuLiveFile(this.device.open());
  }

  progress(): boolean {
    return false;
  }
}

/** amdgpu. */
export const HARDWARE: HardwareDriver = {
  name: "amdgpu",
  devices: new Map([["navi21", "Radeon RX 6800"]]),
  lens,
  rows: IOCTLS.rows,
  recording: RECORDING,
  create: (_, options) => new AmdgpuHardware(options),
};
