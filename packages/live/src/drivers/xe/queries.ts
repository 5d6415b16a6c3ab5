/**
 * What a device says of its engines (DEVICE_QUERY of `xe_query.c`, Linux 7.3-rc7). Memory is described by `@vmbind/xe`. What
 * user-mode drivers ask for without having to do with memory, such as the number of subslices, is that of one card of each
 * platform.
 *
 * @module
 */

import { EINVAL, ENODEV, fail, type UserSpace, viewOf } from "@vmbind/drm";
import type { DeviceQuery, Platform } from "@vmbind/xe";
import {
  ENGINE,
  ENGINE_CLASS,
  ENGINE_CYCLES,
  FIRMWARE_VERSION,
  GT,
  type Gt,
  QUERY,
  TOPOLOGY,
  TOPOLOGY_MASK,
} from "./uapi.ts";

/** Version 20.00 of the graphics IP is Xe2. */
const XE2 = 2000;
const GT_MAIN = 0;
const GT_MEDIA = 1;
/** Hz of the timestamp counter. */
const TICKS_PER_SECOND = 19_200_000n;
/** Bits of the counter that ENGINE_CYCLES tells. */
const COUNTER_BITS = 36;
/** CLOCK_REALTIME, MONOTONIC, MONOTONIC_RAW, BOOTTIME, TAI. */
const CLOCKS: ReadonlySet<number> = new Set([0, 1, 4, 7, 11]);
/** Interface version that firmware tells for submission. */
const GUC_SUBMISSION = { majorVer: 1, minorVer: 26 };

/** How many units there are, as masks of which the first bytes are given. */
interface Geometry {
  /** Subslices. */
  readonly dss: number;
  /** L3 banks. */
  readonly l3: number;
  /** Version of the media IP. */
  readonly media: readonly [major: number, minor: number];
  /** Stepping of the graphics IP. */
  readonly stepping: number;
}

const GEOMETRY: ReadonlyMap<string, Geometry> = new Map([
  ["dg2", { dss: 32, l3: 16, media: [12, 55], stepping: 8 }],
  // A quarter of the other: 8 Xe cores and 4 MiB of L2.
  ["dg2-g11", { dss: 8, l3: 4, media: [12, 55], stepping: 5 }],
  ["bmg", { dss: 20, l3: 24, media: [13, 1], stepping: 4 }],
  ["lnl", { dss: 8, l3: 8, media: [20, 0], stepping: 4 }],
  ["ptl", { dss: 12, l3: 16, media: [30, 0], stepping: 4 }],
]);
/** Of a platform that is not in the table: a small integrated one. */
const SMALL: Geometry = { dss: 6, l3: 8, media: [12, 0], stepping: 1 };

/** Hardware attributes by key, of one word each: slices, subslices, EUs of one, threads of an EU. */
const HWCONFIG: readonly (readonly [key: number, value: number])[] = [
  [1, 8],
  [2, 32],
  [3, 8],
  [19, 8],
];

/** What a query needs beside the device. */
export interface QueryContext {
  /** What the device is. */
  readonly platform: Platform;
  /** Nanoseconds of CLOCK_MONOTONIC. */
  now(): bigint;
}

/**
 * @param context - see {@link QueryContext}
 * @param query - the ioctl's struct
 * @param user - where its answer goes, and for two queries where their question is
 * @returns the answer; null for a query that is not one of engines
 * @throws `DrmError` EINVAL, EFAULT
 */
export function answerOf(context: QueryContext, query: DeviceQuery, user: UserSpace): Uint8Array | null {
  switch (query.query) {
    case QUERY.engines:
      return engines(context.platform);
    case QUERY.gtList:
      return gtList(context.platform);
    case QUERY.hwconfig:
      return new Uint8Array(Uint32Array.from(HWCONFIG.flatMap(([key, value]) => [key, 1, value])).buffer);
    case QUERY.topology:
      return topology(context.platform);
    case QUERY.engineCycles:
      return engineCycles(context, query, user);
    case QUERY.firmware:
      return firmware(query, user);
    case QUERY.oaUnits:
      return oaUnits();
    case QUERY.pxpStatus:
      return fail(ENODEV, "device_query.query: the device has no protected content");
    default:
      return null;
  }
}

/** A count, alignment, and elements of one size. */
function list(
  count: number,
  size: number,
  write: (view: DataView, at: number, i: number) => void,
): Uint8Array {
  const out = new Uint8Array(8 + count * size);
  const view = viewOf(out);
  view.setUint32(0, count, true);
  for (let i = 0; i < count; i++) write(view, 8 + i * size, i);
  return out;
}

/** One instance of each class; video engines are on the media GT where there is one. */
function engines(platform: Platform): Uint8Array {
  const media = platform.gts - 1;
  const compute = platform.graphics >= XE2 || platform.vram64kOnly;
  const all: readonly (readonly [engineClass: number, gtId: number])[] = [
    [ENGINE_CLASS.render, 0],
    [ENGINE_CLASS.copy, 0],
    ...(compute ? [[ENGINE_CLASS.compute, 0] as const] : []),
    [ENGINE_CLASS.videoDecode, media],
    [ENGINE_CLASS.videoEnhance, media],
  ];
  return list(all.length, ENGINE.size, (view, at, i) => {
    const [engineClass, gtId] = all[i] as readonly [number, number];
    ENGINE.write(view, at, { instance: { engineClass, engineInstance: 0, gtId, pad: 0 } });
  });
}

function geometryOf(platform: Platform): Geometry {
  return GEOMETRY.get(platform.name) ?? SMALL;
}

function gtList(platform: Platform): Uint8Array {
  const { media, stepping } = geometryOf(platform);
  const hasVram = platform.vramBytes > 0;
  const gts = Array.from({ length: platform.gts }, (_, gtId): Partial<Gt> => {
    const major = gtId === 0 ? Math.floor(platform.graphics / 100) : media[0];
    const minor = gtId === 0 ? platform.graphics % 100 : media[1];
    return {
      type: gtId === 0 ? GT_MAIN : GT_MEDIA,
      gtId,
      referenceClock: Number(TICKS_PER_SECOND),
      nearMemRegions: hasVram ? 2 : 1,
      farMemRegions: hasVram ? 1 : 0,
      // Hardware before Meteor Lake has no register that tells.
      ...(platform.gts > 1 && { ipVerMajor: major, ipVerMinor: minor, ipVerRev: stepping }),
    };
  });
  return list(gts.length, GT.size, (view, at, i) => GT.write(view, at, gts[i] as Partial<Gt>));
}

/** The first `count` bits. */
function mask(count: number, bytes: number): Uint8Array {
  const out = new Uint8Array(bytes);
  for (let bit = 0; bit < count; bit++) out[bit >> 3] = (out[bit >> 3] as number) | (1 << (bit & 7));
  return out;
}

function topology(platform: Platform): Uint8Array {
  const { dss, l3 } = geometryOf(platform);
  const wide = platform.graphics >= XE2;
  const parts: Uint8Array[] = [];
  for (let gtId = 0; gtId < platform.gts; gtId++) {
    const units = (count: number, bytes: number) => mask(gtId === 0 ? count : 0, bytes);
    const masks: readonly (readonly [type: number, mask: Uint8Array])[] = [
      [TOPOLOGY.dssGeometry, units(dss, 12)],
      [TOPOLOGY.dssCompute, units(dss, 12)],
      [TOPOLOGY.l3Bank, units(l3, 8)],
      wide ? [TOPOLOGY.simd16EuPerDss, units(8, 4)] : [TOPOLOGY.euPerDss, units(16, 4)],
    ];
    for (const [type, bytes] of masks) {
      parts.push(TOPOLOGY_MASK.encode({ gtId, type, numBytes: bytes.length }), bytes);
    }
  }
  return Buffer.concat(parts);
}

/** A query whose memory holds its question: only when the size fits. */
function questionOf(query: DeviceQuery, bytes: number, user: UserSpace): DataView | null {
  return query.size === bytes ? user.view(query.data, bytes) : null;
}

function engineCycles({ platform, now }: QueryContext, query: DeviceQuery, user: UserSpace): Uint8Array {
  const question = questionOf(query, ENGINE_CYCLES.size, user);
  const asked = ENGINE_CYCLES.read(question ?? new DataView(new ArrayBuffer(ENGINE_CYCLES.size)));
  if (!CLOCKS.has(asked.clockid)) fail(EINVAL, `engine_cycles.clockid: ${asked.clockid} is no clock`);
  if (asked.eci.gtId >= platform.gts) fail(EINVAL, `engine_cycles.eci.gt_id: no GT ${asked.eci.gtId}`);
  if (asked.eci.engineClass > ENGINE_CLASS.compute || asked.eci.engineInstance > 0) {
    fail(EINVAL, "engine_cycles.eci: there is no such engine");
  }
  const time = now();
  return ENGINE_CYCLES.encode({
    ...asked,
    width: COUNTER_BITS,
    engineCycles: Number(BigInt.asUintN(COUNTER_BITS, (time * TICKS_PER_SECOND) / 1_000_000_000n)),
    cpuTimestamp: Number(time),
    cpuDelta: 100,
  });
}

function firmware(query: DeviceQuery, user: UserSpace): Uint8Array {
  const question = questionOf(query, FIRMWARE_VERSION.size, user);
  const asked = question === null ? null : FIRMWARE_VERSION.read(question);
  if (asked !== null) {
    if (asked.pad !== 0 || asked.pad2 !== 0 || asked.reserved !== 0) {
      fail(EINVAL, "uc_fw_version: pad and reserved must be 0");
    }
    if (asked.ucType > 1) fail(EINVAL, `uc_fw_version.uc_type: ${asked.ucType} is no microcontroller`);
  }
  return FIRMWARE_VERSION.encode({ ucType: asked?.ucType ?? 0, ...GUC_SUBMISSION });
}

/** Units that count what the GPU does: there are none to be read here. A u64 of extensions, a count, padding. */
function oaUnits(): Uint8Array {
  return new Uint8Array(16);
}
