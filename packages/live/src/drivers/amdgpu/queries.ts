/**
 * INFO about the hardware (`amdgpu_kms.c`, `amdgpu_drm.h`, Linux 7.3-rc7): engines, firmware, registers, the clock, and of the device
 * what has nothing to do with memory. Values are those of a {@link Chip} as far as a Vulkan driver asks for them to start.
 *
 * @module
 */

import { EINVAL, fail } from "@vmbind/drm";
import { monotonicNow } from "../../scheduler.ts";
import type { Chip } from "./chips.ts";
import { ENGINE_TYPES } from "./uapi.ts";

/** Queries of `AMDGPU_INFO_` that are answered here. */
const QUERY = {
  accelWorking: 0x00,
  hwIpInfo: 0x02,
  hwIpCount: 0x03,
  timestamp: 0x05,
  fwVersion: 0x0e,
  readMmrReg: 0x15,
  devInfo: 0x16,
  videoCaps: 0x21,
  maxIbs: 0x22,
} as const;

const HW_IP_BYTES = 48;
/** `mmGB_ADDR_CONFIG`, at the same place on all generations. */
const GB_ADDR_CONFIG = 0x263e;
/** `cu_bitmap`: 4 arrays for each of 4 shader engines, a word each. */
const CU_BITMAP_AT = 56;
const CU_BITMAP_ARRAYS = 4;
/** `gpu_counter_freq`, in kHz. */
const COUNTER_KHZ_AT = 28;

/**
 * @param chip - the GPU
 * @param query - `AMDGPU_INFO_` number
 * @param word - the first word of the query's own members
 * @param second - the second one
 * @param bytes - how much the caller has room for
 * @returns the answer, null for a query that is not answered here
 * @throws DrmError EINVAL for engines that the uAPI does not have
 */
export function hardwareInfo(
  chip: Chip,
  query: number,
  word: number,
  second: number,
  bytes: number,
): Uint8Array | null {
  switch (query) {
    case QUERY.accelWorking:
      return words(1);
    case QUERY.hwIpInfo:
      if (second !== 0) fail(EINVAL, `info.query_hw_ip.ip_instance: ${second}, and there is only 0`);
      return hwIpInfo(chip, engineType(word));
    case QUERY.hwIpCount:
      return words(chip.engines.has(engineType(word)) ? 1 : 0);
    case QUERY.timestamp:
      return timestamp(chip);
    case QUERY.fwVersion:
      return words(0x50, 0x50);
    case QUERY.readMmrReg:
      return words(
        ...new Array(Math.min(bytes, 4096) >> 2).fill(word === GB_ADDR_CONFIG ? chip.addrConfig : 0),
      );
    case QUERY.videoCaps:
      return new Uint8Array(Math.min(bytes, 4096));
    case QUERY.maxIbs:
      return words(192, 125, 192, 16, 16, 16, 16, 16, 16, 16);
    default:
      return null;
  }
}

/** Put what the model does not know into its answer to DEV_INFO. */
export function completeDevice({ pci, shaders, info }: Chip, device: DataView): void {
  const put = (at: number, value: number) => {
    if (at + 4 <= device.byteLength) device.setUint32(at, value, true);
  };
  const [engines, arrays, units] = shaders;
  put(0, pci[0]); // device_id
  put(12, pci[1]); // pci_rev
  put(20, engines); // num_shader_engines
  put(24, arrays); // num_shader_arrays_per_engine
  put(48, engines * arrays * units); // cu_active_number
  put(248, units); // num_cu_per_sh
  for (const [at, value] of info) put(at, value);
  for (let i = 0; i < engines * arrays; i++) {
    const array = CU_BITMAP_ARRAYS * Math.floor(i / arrays) + (i % arrays);
    put(CU_BITMAP_AT + 4 * array, 2 ** units - 1);
  }
}

/** Whether a query is DEV_INFO. */
export function isDeviceQuery(query: number): boolean {
  return query === QUERY.devInfo;
}

/** A type of engine; of those that this GPU has not there are none. */
function engineType(type: number): number {
  return type < ENGINE_TYPES ? type : fail(EINVAL, `info.query_hw_ip.type: ${type} is no type of engine`);
}

function hwIpInfo({ engines }: Chip, type: number): Uint8Array {
  const view = new DataView(new ArrayBuffer(HW_IP_BYTES));
  const ip = engines.get(type);
  if (ip !== undefined) {
    const [major, minor, revision] = ip.version;
    view.setUint32(0, major, true);
    view.setUint32(4, minor, true);
    view.setUint32(16, 32, true);
    view.setUint32(20, 32, true);
    view.setUint32(24, ip.rings, true);
    view.setUint32(28, (major << 16) | (minor << 8) | revision, true);
  }
  return new Uint8Array(view.buffer);
}

/** The GPU's clock: it runs with the host's, at its own frequency. */
function timestamp({ info }: Chip): Uint8Array {
  const khz = info.find(([at]) => at === COUNTER_KHZ_AT)?.[1] ?? 0;
  const out = new BigUint64Array(1);
  out[0] = (monotonicNow() * BigInt(khz)) / 1_000_000n;
  return new Uint8Array(out.buffer);
}

function words(...values: number[]): Uint8Array {
  return new Uint8Array(Uint32Array.from(values).buffer);
}
