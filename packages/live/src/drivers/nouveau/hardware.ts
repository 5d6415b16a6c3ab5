/**
 * An NVIDIA GPU for live programs: the model of `@vmbind/nouveau` on PCI. Jobs are taken and not run: what they wait for is what
 * they signal.
 *
 * @module
 */

import { RECORDED_PROFILE } from "@vmbind/drm";
import { IOCTLS, NouveauDevice } from "@vmbind/nouveau";
import { lens } from "@vmbind/nouveau/trace";
import {
  type Bus,
  type DriverVersion,
  type Hardware,
  type HardwareDriver,
  type HardwareOptions,
  memoryOf,
} from "../../hardware.ts";
import { NouveauLiveFile } from "./file.ts";
import { RECORDING } from "./recording.ts";

const NVIDIA = 0x10de;
/** `NV_DEVICE_INFO_V0_AMPERE`. */
const AMPERE = 0x0d;
/** Classes of GA102: 2D, inline to memory, 3D, compute, copy. */
const CLASSES = [0x902d, 0xa140, 0xc797, 0xc7c0, 0xc7b5];

class NouveauHardware implements Hardware {
  readonly device: NouveauDevice;
  readonly version: DriverVersion = {
    name: "nouveau",
    date: "20120801",
    description: "nVidia Riva/TNT/GeForce/Quadro/Tesla/Tegra K1+",
    version: [1, 4, 3],
  };
  readonly bus: Bus;
  readonly header: Readonly<Record<string, unknown>>;
  readonly title = "GeForce RTX 3080 (GA102, Ampere)";

  constructor(options: HardwareOptions) {
    const { vramBytes } = options;
    this.device = new NouveauDevice({
      quirks: RECORDED_PROFILE,
      ...(vramBytes !== undefined && { vramBytes }),
      memory: memoryOf(options),
    });
    const { pciDevice, chipset, vramBytes: vram, mmapStep } = this.device.options;
    this.bus = { bus: "pci", slot: "0000:03:00.0", vendor: NVIDIA, device: pciDevice, revision: 0xa1 };
    const hex = (value: number) => `0x${value.toString(16)}`;
    this.header = {
      pci_id: hex(pciDevice),
      chipset: hex(chipset),
      va_bits: 47,
      page_size: 4096,
      vram_size: hex(vram),
      mmap_step: mmapStep,
    };
  }

  open(): NouveauLiveFile {
    const { chipset, vramBytes } = this.device.options;
    const about = { chipset, family: AMPERE, chip: "GA102", name: "GeForce RTX 3080", classes: CLASSES };
    return new NouveauLiveFile(this.device.open(), { ...about, vramBytes });
  }

  progress(): boolean {
    return false;
  }
}

/** Nouveau. */
export const HARDWARE: HardwareDriver = {
  name: "nouveau",
  devices: new Map([["ga102", "GeForce RTX 3080"]]),
  lens,
  rows: IOCTLS.rows,
  recording: RECORDING,
  create: (_, options) => new NouveauHardware(options),
};
