/**
 * An AMD GPU for live programs: the model of `@vmbind/amdgpu` on PCI. Submissions bring page tables up to date; their commands are
 * not run.
 *
 * @module
 */

import { type AmdgpuBo, AmdgpuDevice, IOCTLS as MODEL_IOCTLS } from "@vmbind/amdgpu";
import { lens } from "@vmbind/amdgpu/trace";
import { RECORDED_PROFILE } from "@vmbind/drm";
import {
  type Bus,
  type DriverVersion,
  type Hardware,
  type HardwareDriver,
  type HardwareOptions,
  memoryOf,
} from "../../hardware.ts";
import { CHIPS, type Chip } from "./chips.ts";
import { type AmdgpuLiveDevice, AmdgpuLiveFile, type Metadata } from "./file.ts";
import { IOCTLS } from "./ioctls.ts";
import { RECORDING } from "./recording.ts";

const AMD = 0x1002;

class AmdgpuHardware implements Hardware, AmdgpuLiveDevice {
  readonly device: AmdgpuDevice;
  readonly version: DriverVersion = {
    name: "amdgpu",
    date: "20150101",
    description: "AMD GPU",
    version: [3, 64, 0],
  };
  readonly bus: Bus;
  readonly header: Readonly<Record<string, unknown>>;
  readonly title: string;
  readonly chip: Chip;
  readonly metadata: WeakMap<AmdgpuBo, Metadata> = new WeakMap();
  readonly ioctls = IOCTLS;

  constructor(name: string, options: HardwareOptions) {
    const chip = CHIPS.get(name);
    if (chip === undefined) throw new Error(`no chip ${name}`);
    const [device, revision] = chip.pci;
    this.chip = chip;
    this.title = chip.title;
    this.bus = { bus: "pci", slot: "0000:03:00.0", vendor: AMD, device, revision };
    this.device = new AmdgpuDevice({
      gfx: chip.gfx,
      vramBytes: options.vramBytes ?? chip.vramBytes,
      quirks: RECORDED_PROFILE,
      memory: memoryOf(options),
    });
    const hex = (value: number) => `0x${value.toString(16)}`;
    this.header = {
      pci_id: hex(device),
      gfx: chip.gfxVersion,
      va_bits: 48,
      va_alignment: 4096,
      memory: { vram: hex(this.device.options.vramBytes), gtt: hex(this.device.gttBytes) },
    };
  }

  open(): AmdgpuLiveFile {
    return new AmdgpuLiveFile(this.device.open(), this);
  }

  progress(): boolean {
    return false;
  }
}

/** amdgpu. */
export const HARDWARE: HardwareDriver = {
  name: "amdgpu",
  devices: new Map([...CHIPS].map(([name, { card }]) => [name, card])),
  lens,
  rows: IOCTLS.completed(MODEL_IOCTLS.rows),
  recording: RECORDING,
  create: (name, options) => new AmdgpuHardware(name, options),
};
