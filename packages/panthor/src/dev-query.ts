/**
 * What a device says about itself: DEV_QUERY (`panthor_drv.c`, Linux 7.3-rc7).
 *
 * A null pointer asks for the size of the answer. Otherwise as much of it is copied as the caller has room for, at least what it
 * had when it entered the uAPI, and the caller's memory behind it is zeroed. The timestamp query also reads: flags say what
 * is asked for, and a caller with a longer struct must have left the rest zero.
 *
 * @module
 */

import { E2BIG, EINVAL, fail, type UserSpace } from "@vmbind/drm";
import type { PanthorFile, PanthorFileDevice } from "./file.ts";
import type { DriverVersion, PanthorTimestamps } from "./options.ts";
import { PAGE_SIZE_BITMAP } from "./page-sizes.ts";
import * as uapi from "./uapi.ts";

/** What clear_user writes at a time. */
const ZEROS = new Uint8Array(4096);

/** What is known of one type of query. */
interface Query {
  /** Driver version that brought it. */
  readonly since: DriverVersion;
  /** Bytes of the answer. */
  size(device: PanthorFileDevice): number;
  /** Smallest user size. */
  readonly minSize: number;
  /** The answer. */
  answer(device: PanthorFileDevice, arg: uapi.DevQuery, user: UserSpace): Uint8Array;
}

const QUERIES: ReadonlyMap<number, Query> = new Map([
  [
    uapi.DEV_QUERY.gpuInfo,
    { since: "1.0", size: () => uapi.GPU_INFO.size, minSize: uapi.GPU_INFO_MIN_SIZE, answer: gpuInfo },
  ],
  [
    uapi.DEV_QUERY.csifInfo,
    { since: "1.0", size: () => uapi.CSIF_INFO.size, minSize: uapi.CSIF_INFO.size, answer: csifInfo },
  ],
  [
    uapi.DEV_QUERY.timestampInfo,
    {
      since: "1.1",
      size: (device) => (device.since("1.8") ? uapi.TIMESTAMP_INFO.size : uapi.TIMESTAMP_INFO_OLD_SIZE),
      minSize: uapi.TIMESTAMP_INFO_MIN_SIZE,
      answer: timestampInfo,
    },
  ],
  [
    uapi.DEV_QUERY.groupPrioritiesInfo,
    {
      since: "1.2",
      size: () => uapi.GROUP_PRIORITIES_INFO.size,
      minSize: uapi.GROUP_PRIORITIES_INFO.size,
      answer: ({ options }) => uapi.GROUP_PRIORITIES_INFO.encode({ allowedMask: options.groupPriorities }),
    },
  ],
  [
    uapi.DEV_QUERY.mmuInfo,
    {
      since: "1.9",
      size: () => uapi.MMU_INFO.size,
      minSize: uapi.MMU_INFO.size,
      answer: () => uapi.MMU_INFO.encode({ pageSizeBitmap: PAGE_SIZE_BITMAP }),
    },
  ],
] satisfies [number, Query][]);

/**
 * DEV_QUERY.
 *
 * @param file - the open file
 * @param arg - the struct
 * @param user - the caller's memory
 * @throws `DrmError` EINVAL, EFAULT, E2BIG
 */
export function devQuery(file: PanthorFile, arg: uapi.DevQuery, user: UserSpace): Partial<uapi.DevQuery> {
  const { device } = file;
  const query = QUERIES.get(arg.type);
  if (query === undefined || !device.since(query.since)) {
    return fail(EINVAL, `dev_query.type: ${arg.type} is unknown to driver ${device.options.driverVersion}`);
  }
  if (arg.pointer === 0) return { size: query.size(device) };
  if (arg.size < query.minSize) fail(EINVAL, `dev_query.size: ${arg.size} is below ${query.minSize}`);
  const info = query.answer(device, arg, user);
  // The size is the caller's word, up to 4 GiB: the memory must be there before anything is done, and zeros go in pieces.
  user.view(arg.pointer, arg.size);
  user.write(arg.pointer, info.subarray(0, arg.size));
  for (let at = info.length; at < arg.size; at += ZEROS.length) {
    user.write(arg.pointer + at, ZEROS.subarray(0, arg.size - at));
  }
  return {};
}

function gpuInfo(device: PanthorFileDevice): Uint8Array {
  const { vaBits, paBits, gpuId, coherent, asPresent, gpuInfo: more } = device.options;
  return uapi.GPU_INFO.encode({
    gpuId,
    mmuFeatures: vaBits | (paBits << 8),
    textureFeatures: [0, 0, 0, 0],
    asPresent,
    selectedCoherency: !device.since("1.7") ? 0 : coherent ? 0 : 31,
    shaderPresent: 0x50005,
    l2Present: 1,
    tilerPresent: 1,
    ...more,
  });
}

/** The firmware of a Mali-G610. */
function csifInfo(): Uint8Array {
  return uapi.CSIF_INFO.encode({
    csgSlotCount: 8,
    csSlotCount: 8,
    csRegCount: 96,
    scoreboardSlotCount: 8,
    unpreservedCsRegCount: 4,
  });
}

function timestampInfo(device: PanthorFileDevice, arg: uapi.DevQuery, user: UserSpace): Uint8Array {
  const { timestamps } = device.options;
  const { gpu, gpuOffset, frequency } = uapi.TIMESTAMP;
  const usual = gpu | gpuOffset | frequency;
  if (!device.since("1.8")) {
    return uapi.TIMESTAMP_INFO.encode(shown(timestamps, usual)).subarray(0, uapi.TIMESTAMP_INFO_OLD_SIZE);
  }
  const flags = timestampFlags(arg, user);
  return uapi.TIMESTAMP_INFO.encode({ ...shown(timestamps, flags === 0 ? usual : flags), flags });
}

/** What the caller asks for; 0 where its struct is too short to say. */
function timestampFlags(arg: uapi.DevQuery, user: UserSpace): number {
  const { size } = uapi.TIMESTAMP_INFO;
  const view = user.view(arg.pointer, arg.size);
  for (let at = size; at < arg.size; at++) {
    if (view.getUint8(at) !== 0)
      fail(E2BIG, `dev_query.pointer: byte ${at} beyond the known ${size} is not 0`);
  }
  const { offset } = uapi.TIMESTAMP_INFO.fields.flags;
  // A struct that ends within the flags gives their first bytes.
  let flags = 0;
  for (let i = 3; i >= 0; i--) {
    flags = flags * 256 + (offset + i < arg.size ? view.getUint8(offset + i) : 0);
  }
  const { cpuTypeMask, cpuMonotonicRaw } = uapi.TIMESTAMP;
  if ((flags & cpuTypeMask) > cpuMonotonicRaw) {
    fail(EINVAL, `timestamp_info.flags: 0x${flags.toString(16)} asks for no clock of the CPU that there is`);
  }
  const known = Object.values(uapi.TIMESTAMP).reduce((all, bit) => all | bit, 0);
  if ((flags & ~known) !== 0) {
    fail(EINVAL, `timestamp_info.flags: 0x${((flags & ~known) >>> 0).toString(16)} is unknown`);
  }
  return flags;
}

/** What is not asked for is zero. */
function shown(clocks: PanthorTimestamps, flags: number): Partial<uapi.TimestampInfo> {
  const { gpu, cpuTypeMask, gpuOffset, gpuCycleCount, frequency, duration } = uapi.TIMESTAMP;
  const asked = (bit: number, value: number): number => ((flags & bit) !== 0 ? value : 0);
  return {
    timestampFrequency: asked(frequency, clocks.frequency),
    currentTimestamp: asked(gpu, clocks.gpu),
    timestampOffset: asked(gpuOffset, clocks.offset),
    durationNsec: asked(duration, clocks.durationNsec),
    cycleCount: asked(gpuCycleCount, clocks.cycles),
    cpuTimestampSec: asked(cpuTypeMask, Math.floor(clocks.cpuNsec / 1e9)),
    cpuTimestampNsec: asked(cpuTypeMask, clocks.cpuNsec % 1e9),
  };
}
