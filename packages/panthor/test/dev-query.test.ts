import { E2BIG, EFAULT, EINVAL, UserMemory } from "@vmbind/drm";
import { describe, expect, it } from "vitest";
import {
  CSIF_INFO,
  DEV_QUERY,
  DEV_QUERY_ARG,
  GROUP_PRIORITIES_INFO,
  GROUP_PRIORITIES_PRIVILEGED,
  IOCTL_DEV_QUERY,
  TIMESTAMP,
  TIMESTAMP_INFO,
} from "../src/index.ts";
import { type DeviceOptions, fixture } from "./support.ts";

const AT = 0x1000;

function ask(options: DeviceOptions, type: number, size: number, bytes = new Uint8Array(256).fill(0xff)) {
  const user = new UserMemory();
  user.place(AT, bytes);
  const { file } = fixture(options);
  const ret = file.ioctl(IOCTL_DEV_QUERY, DEV_QUERY_ARG.encode({ type, size, pointer: AT }), user);
  return { ret, bytes, view: new DataView(bytes.buffer), reason: file.lastError?.reason ?? "" };
}

/** A timestamp query with these flags. */
function timestamps(flags: number, options: DeviceOptions = {}, size = TIMESTAMP_INFO.size) {
  const bytes = new Uint8Array(256);
  bytes.set(TIMESTAMP_INFO.encode({ flags }));
  const timestamps = {
    frequency: 24e6,
    gpu: 2 ** 40,
    offset: 17,
    cycles: 99,
    cpuNsec: 3_000_000_005,
    durationNsec: 40,
  };
  const got = ask({ timestamps, ...options }, DEV_QUERY.timestampInfo, size, bytes);
  return { ...got, info: TIMESTAMP_INFO.read(got.view) };
}

describe("each query", () => {
  const queries: [number, string, number, number][] = [
    [DEV_QUERY.gpuInfo, "1.0", 112, 96],
    [DEV_QUERY.csifInfo, "1.0", 24, 24],
    [DEV_QUERY.groupPrioritiesInfo, "1.2", 4, 4],
    [DEV_QUERY.mmuInfo, "1.9", 8, 8],
  ];
  it.each(queries)("%i: since %s, %i bytes, at least %i of them", (type, since, size, least) => {
    const arg = DEV_QUERY_ARG.encode({ type });
    expect(fixture().file.ioctl(IOCTL_DEV_QUERY, arg)).toBe(0);
    expect(DEV_QUERY_ARG.read(new DataView(arg.buffer)).size).toBe(size);
    expect(ask({}, type, least - 1).ret).toBe(-EINVAL);
    const exact = ask({}, type, least);
    expect([exact.ret, exact.bytes[least]]).toEqual([0, 0xff]);
    const long = ask({}, type, size + 40);
    expect([long.ret, ...long.bytes.subarray(size, size + 41)]).toEqual([0, ...new Array(40).fill(0), 0xff]);
    expect(ask({}, type, 257).ret).toBe(-EFAULT);
    const versions = ["1.0", "1.1", "1.2", "1.8", "1.9"] as const;
    for (const driverVersion of versions) {
      const known = versions.indexOf(driverVersion) >= versions.indexOf(since as "1.0");
      expect(ask({ driverVersion }, type, size).ret).toBe(known ? 0 : -EINVAL);
    }
  });

  it("of an unknown type is refused", () => expect(ask({}, 5, 100).ret).toBe(-EINVAL));

  it("tells of the firmware's interface and of priorities", () => {
    expect(CSIF_INFO.read(ask({}, DEV_QUERY.csifInfo, 24).view)).toEqual({
      csgSlotCount: 8,
      csSlotCount: 8,
      csRegCount: 96,
      scoreboardSlotCount: 8,
      unpreservedCsRegCount: 4,
      pad: 0,
    });
    const priorities = (options: DeviceOptions) =>
      GROUP_PRIORITIES_INFO.read(ask(options, DEV_QUERY.groupPrioritiesInfo, 4).view);
    expect(priorities({})).toEqual({ allowedMask: 3, pad: [0, 0, 0] });
    expect(priorities({ groupPriorities: GROUP_PRIORITIES_PRIVILEGED }).allowedMask).toBe(15);
  });
});

describe("the timestamp query", () => {
  it("tells of the GPU's timer unless asked for something else", () => {
    const usual = { timestampFrequency: 24e6, currentTimestamp: 2 ** 40, timestampOffset: 17 };
    const nothing = { durationNsec: 0, cycleCount: 0, cpuTimestampSec: 0, cpuTimestampNsec: 0 };
    expect(timestamps(0).info).toEqual({ ...usual, ...nothing, flags: 0 });
    expect(timestamps(0, {}, 16)).toMatchObject({ ret: 0, info: { ...usual, timestampOffset: 0 } });
    expect(timestamps(0, {}, 15).ret).toBe(-EINVAL);
  });

  it("tells what is asked for, and that it was", () => {
    const { cpuMonotonic, cpuMonotonicRaw, gpuCycleCount, duration } = TIMESTAMP;
    for (const clock of [cpuMonotonic, cpuMonotonicRaw]) {
      const flags = clock | gpuCycleCount | duration;
      expect(timestamps(flags).info).toEqual({
        timestampFrequency: 0,
        currentTimestamp: 0,
        timestampOffset: 0,
        flags,
        durationNsec: 40,
        cycleCount: 99,
        cpuTimestampSec: 3,
        cpuTimestampNsec: 5,
      });
    }
  });

  it("refuses clocks and bits that there are not, and what lies behind the struct", () => {
    for (const flags of [0x06, 0x08, 0x0e, 0x100, 0x80000000]) expect(timestamps(flags).ret).toBe(-EINVAL);
    const bytes = new Uint8Array(256);
    bytes[60] = 1;
    expect(ask({}, DEV_QUERY.timestampInfo, 64, bytes).ret).toBe(-E2BIG);
    expect(ask({}, DEV_QUERY.timestampInfo, 60, bytes)).toMatchObject({ ret: 0 });
    expect(ask({}, DEV_QUERY.timestampInfo, 257, new Uint8Array(256)).ret).toBe(-EFAULT);
  });

  it("had no flags before driver version 1.8, and reads nothing", () => {
    const old = timestamps(0xffff, { driverVersion: "1.7" });
    expect(old.ret).toBe(0);
    expect(old.info).toMatchObject({ timestampFrequency: 24e6, currentTimestamp: 2 ** 40, flags: 0 });
    const arg = DEV_QUERY_ARG.encode({ type: DEV_QUERY.timestampInfo });
    expect(fixture({ driverVersion: "1.7" }).file.ioctl(IOCTL_DEV_QUERY, arg)).toBe(0);
    expect(DEV_QUERY_ARG.read(new DataView(arg.buffer)).size).toBe(24);
    expect(timestamps(0, { driverVersion: "1.0" }).ret).toBe(-EINVAL);
  });
});
