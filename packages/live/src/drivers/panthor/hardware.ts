/**
 * A Mali GPU for live programs: the model of `@vmbind/panthor` in a device tree.
 *
 * @module
 */

import {
  DRIVER_VERSIONS,
  IOCTLS,
  PanthorDevice,
  type PanthorFile,
  type DriverVersion as Version,
} from "@vmbind/panthor";
import { lens } from "@vmbind/panthor/trace";
import type { LiveCall } from "../../call.ts";
import {
  type Answer,
  askModel,
  type Bus,
  type DriverVersion,
  type Hardware,
  type HardwareDriver,
  type HardwareOptions,
  type LiveFile,
} from "../../hardware.ts";
import { RECORDING } from "./recording.ts";

/** `DRM_PANTHOR_USER_MMIO_OFFSET_64BIT` of `panthor_drm.h`, and where 32-bit processes have it. */
const USER_MMIO_OFFSET = 2 ** 56;
const USER_MMIO_OFFSET_32 = 2 ** 43;

class PanthorLiveFile implements LiveFile {
  readonly model: PanthorFile;

  constructor(model: PanthorFile) {
    this.model = model;
  }

  ioctl(call: LiveCall, request: number, arg: Uint8Array): Answer {
    return askModel(this.model, call, request, arg);
  }

  /** The page of the flush-id register: it reads as zero. */
  hasPage(offset: number): boolean {
    return offset >= USER_MMIO_OFFSET || offset === USER_MMIO_OFFSET_32;
  }

  close(): void {
    this.model.close();
  }
}

class PanthorHardware implements Hardware {
  readonly device: PanthorDevice;
  readonly version: DriverVersion;
  readonly bus: Bus = {
    bus: "platform",
    path: "/gpu@fb000000",
    compatible: ["rockchip,rk3588-mali", "arm,mali-valhall-csf"],
  };
  readonly addressBytes: number;
  readonly header: Readonly<Record<string, unknown>>;
  readonly title = "Mali-G610 MC4";

  constructor(driverVersion: Version, { backing, systemBytes }: HardwareOptions) {
    const limit = systemBytes === undefined ? 2 ** 36 : 2 ** 32 + systemBytes;
    this.device = new PanthorDevice({ driverVersion, memory: { backing, frames: { limit } } });
    const [major = 1, minor = 0] = driverVersion.split(".").map(Number);
    this.version = {
      name: "panthor",
      date: "20230801",
      description: "Panthor DRM driver",
      version: [major, minor, 0],
    };
    this.addressBytes = limit;
    const { gpuId, vaBits, paBits } = this.device.options;
    this.header = {
      driver_version: driverVersion,
      gpu_id: `0x${gpuId.toString(16)}`,
      va_bits: vaBits,
      pa_bits: paBits,
      page_size_bitmap: "0x201000",
    };
  }

  open(): LiveFile {
    return new PanthorLiveFile(this.device.open());
  }

  progress(): boolean {
    return false;
  }
}

/** `g610` is the newest driver; `g610-1.8` and so on are older ones. */
function versionOf(device: string): Version {
  return DRIVER_VERSIONS.find((version) => device === `g610-${version}`) ?? "1.9";
}

/** Panthor. */
export const HARDWARE: HardwareDriver = {
  name: "panthor",
  devices: new Map([
    ["g610", "Mali-G610, driver 1.9"],
    ...DRIVER_VERSIONS.map((version) => [`g610-${version}`, `Mali-G610, driver ${version}`] as const),
  ]),
  lens,
  rows: IOCTLS.rows,
  recording: RECORDING,
  create: (device, options) => new PanthorHardware(versionOf(device), options),
};
