/**
 * An Adreno GPU for live programs: the model of `@vmbind/msm` in a device tree. Submits are taken and not run: what they wait
 * for is what they signal.
 *
 * @module
 */

import { RECORDED_PROFILE } from "@vmbind/drm";
import { IOCTLS, MsmDevice } from "@vmbind/msm";
import { lens } from "@vmbind/msm/trace";
import {
  type Bus,
  type DriverVersion,
  type Hardware,
  type HardwareDriver,
  type HardwareOptions,
  memoryOf,
} from "../../hardware.ts";
import { monotonicNow } from "../../scheduler.ts";
import { MsmLiveFile } from "./file.ts";
import { RECORDING } from "./recording.ts";

/** Hz of the GPU's timer, `ALWAYS_ON_COUNTER`. */
const TIMER_HZ = 19_200_000n;
const NS_PER_SECOND = 1_000_000_000n;
/** First address that user space manages, `va_start`. */
const VA_START = 2 ** 32;

class MsmHardware implements Hardware {
  readonly device: MsmDevice;
  readonly version: DriverVersion = {
    name: "msm",
    date: "20130625",
    description: "MSM Snapdragon DRM",
    version: [1, 13, 0],
  };
  readonly bus: Bus = {
    bus: "platform",
    path: "/soc@0/gpu@3d00000",
    compatible: ["qcom,adreno-43051401", "qcom,adreno"],
  };
  readonly header: Readonly<Record<string, unknown>>;
  readonly title = "Turnip Adreno (TM) 750";

  constructor(options: HardwareOptions) {
    const { params } = new MsmDevice().options;
    this.device = new MsmDevice({
      quirks: RECORDED_PROFILE,
      // turnip's queues allow it.
      preemption: false,
      params: {
        ...params,
        get timestamp() {
          return Number((monotonicNow() * TIMER_HZ) / NS_PER_SECOND);
        },
      },
      memory: memoryOf(options),
    });
    const { vaBits, prr } = this.device.options;
    const hex = (value: number) => `0x${value.toString(16)}`;
    this.header = {
      driver_version: "1.13",
      chip_id: hex(params.chipId),
      page_size: 4096,
      va_start: hex(VA_START),
      va_size: hex(2 ** vaBits - VA_START),
      has_prr: prr,
    };
  }

  open(): MsmLiveFile {
    return new MsmLiveFile(this.device.open());
  }

  progress(): boolean {
    return false;
  }
}

/** msm. */
export const HARDWARE: HardwareDriver = {
  name: "msm",
  devices: new Map([["a750", "Adreno 750"]]),
  lens,
  rows: IOCTLS.rows,
  recording: RECORDING,
  create: (_, options) => new MsmHardware(options),
};
