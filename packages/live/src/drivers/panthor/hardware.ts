/**
 * A Mali GPU for live programs: the model of `@vmbind/panthor` in a device tree.
 *
 * @module
 */

import { GemObject, GemObjects, RECORDED_PROFILE } from "@vmbind/drm";
import {
  DRIVER_VERSIONS,
  type GpuInfo,
  GROUP_PRIORITIES_OF_ALL,
  GROUP_PRIORITIES_PRIVILEGED,
  IOCTLS as MODEL_IOCTLS,
  PanthorDevice,
  type PanthorTimestamps,
  type DriverVersion as Version,
} from "@vmbind/panthor";
import { lens } from "@vmbind/panthor/trace";
import {
  type Bus,
  type DriverVersion,
  type Hardware,
  type HardwareDriver,
  type HardwareOptions,
  memoryOf,
} from "../../hardware.ts";
import { monotonicNow } from "../../scheduler.ts";
import { PanthorLiveFile } from "./file.ts";
import { GroupScheduler } from "./groups.ts";
import { IOCTLS } from "./ioctls.ts";
import { RECORDING } from "./recording.ts";

/** What a Mali-G610 says of itself beside its memory: user-mode drivers will not start on zeros. */
const G610: Partial<GpuInfo> = {
  csfId: 0x40a0412,
  l2Features: 0x7130306,
  tilerFeatures: 0x809,
  memFeatures: 0x301,
  threadFeatures: 0x4010000,
  maxThreads: 0x800,
  threadMaxWorkgroupSize: 0x400,
  threadMaxBarrierSize: 0x400,
  textureFeatures: new Array<number>(4).fill(0xffff_ffff),
};
const MMAP_PAGE_BYTES = 4096;
const TIMER_HZ = 24_000_000n;
const NS_PER_SECOND = 1_000_000_000n;

/** Clocks that run: the model asks each time. */
const CLOCKS: PanthorTimestamps = {
  frequency: Number(TIMER_HZ),
  offset: 0,
  durationNsec: 0,
  get gpu() {
    return Number((monotonicNow() * TIMER_HZ) / NS_PER_SECOND);
  },
  get cycles() {
    return Number(monotonicNow());
  },
  get cpuNsec() {
    return Number(monotonicNow());
  },
};

class PanthorHardware implements Hardware {
  readonly device: PanthorDevice;
  readonly version: DriverVersion;
  readonly bus: Bus = {
    bus: "platform",
    path: "/gpu@fb000000",
    compatible: ["rockchip,rk3588-mali", "arm,mali-valhall-csf"],
  };
  readonly header: Readonly<Record<string, unknown>>;
  readonly title = "Mali-G610 MC4";
  readonly #scheduler: GroupScheduler;

  constructor(driverVersion: Version, options: HardwareOptions) {
    this.device = new PanthorDevice({
      quirks: RECORDED_PROFILE,
      driverVersion,
      memory: memoryOf(options),
      timestamps: CLOCKS,
      gpuInfo: G610,
      // Clients are of the user that runs the server.
      groupPriorities: process.getuid?.() === 0 ? GROUP_PRIORITIES_PRIVILEGED : GROUP_PRIORITIES_OF_ALL,
    });
    this.#scheduler = new GroupScheduler(options.note);
    // As on any machine that has been used since it was started, the very first offset for mmap is taken: igt's panthor_gem
    // looks at the low 32 bits of an offset, which are 0 of that one alone.
    this.device.gems.offsets.add(new GemObject(new GemObjects(), MMAP_PAGE_BYTES), MMAP_PAGE_BYTES);
    const [major = 1, minor = 0] = driverVersion.split(".").map(Number);
    this.version = {
      name: "panthor",
      date: "20230801",
      description: "Panthor DRM driver",
      version: [major, minor, 0],
    };
    const { gpuId, vaBits, paBits } = this.device.options;
    this.header = {
      driver_version: driverVersion,
      gpu_id: `0x${gpuId.toString(16)}`,
      va_bits: vaBits,
      pa_bits: paBits,
      page_size_bitmap: "0x201000",
    };
  }

  open(): PanthorLiveFile {
    return new PanthorLiveFile(this.device.open(), this.#scheduler, IOCTLS);
  }

  progress(): boolean {
    this.#scheduler.progress();
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
  rows: IOCTLS.completed(MODEL_IOCTLS.rows),
  recording: RECORDING,
  create: (device, options) => new PanthorHardware(versionOf(device), options),
};
