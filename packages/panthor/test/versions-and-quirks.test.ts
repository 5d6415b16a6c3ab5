/** What differs by driver version and by quirk, and how a cut divides a block. */
import { EFAULT, EINVAL, EIO, ENOMEM, UserMemory } from "@vmbind/drm";
import { describe, expect, it } from "vitest";
import {
  BO_WB_MMAP,
  DEV_QUERY,
  DEV_QUERY_ARG,
  GPU_INFO,
  IOCTL_DEV_QUERY,
  LINUX_QUIRKS,
  MAP_NOEXEC,
  MAP_REPEAT,
  MMU_INFO,
  NO_QUIRKS,
  REPEAT_PATCH_QUIRKS,
} from "../src/index.ts";
import { expectRefused, map, sparse, unmap, VA } from "./operations.ts";
import { bind, createBo, type Fixture, fixture, mustBind, type TestOp, tableShape } from "./support.ts";

describe("driver versions", () => {
  const query = (fx: Fixture, type: number) => {
    const arg = DEV_QUERY_ARG.encode({ type });
    return {
      ret: fx.file.ioctl(IOCTL_DEV_QUERY, arg),
      size: DEV_QUERY_ARG.read(new DataView(arg.buffer)).size,
    };
  };

  it("1.8 (Linux 7.2.13) has MAP_SPARSE, 1.9 (Linux 7.3-rc7) brings MMU_INFO", () => {
    const old = fixture({ driverVersion: "1.7" });
    expectRefused(old, sparse(), EINVAL, /bo_handle: 0 is not a handle/);
    const bo = createBo(old.file, 0x1000);
    expectRefused(old, sparse({ boHandle: bo }), EINVAL, /flags: 0x8 is unknown to driver 1.7/);
    const between = fixture({ driverVersion: "1.8" });
    mustBind(between, [sparse()]);
    expect(query(between, DEV_QUERY.mmuInfo).ret).toBe(-EINVAL);
    const now = fixture();
    mustBind(now, [sparse()]);
    expect(query(now, DEV_QUERY.mmuInfo)).toEqual({ ret: 0, size: 8 });
  });

  it("1.7 brings WB_MMAP", () => {
    expect(() => createBo(fixture({ driverVersion: "1.6" }).file, 0x1000, 0, BO_WB_MMAP)).toThrow(
      /0x2 is unknown/,
    );
    expect(createBo(fixture({ driverVersion: "1.7" }).file, 0x1000, 0, BO_WB_MMAP)).toBe(1);
  });

  it("a query copies what fits, zeroes the rest, and needs the first size of the struct", () => {
    const fx = fixture({ vaBits: 40, paBits: 36 });
    const out = new Uint8Array(128).fill(0xff);
    const user = new UserMemory();
    user.place(0x1000, out);
    const ask = (size: number) =>
      fx.file.ioctl(
        IOCTL_DEV_QUERY,
        DEV_QUERY_ARG.encode({ type: DEV_QUERY.gpuInfo, size, pointer: 0x1000 }),
        user,
      );
    expect(ask(0x5f)).toBe(-EINVAL);
    expect(ask(0x60)).toBe(0);
    expect(GPU_INFO.read(new DataView(out.buffer)).mmuFeatures).toBe((36 << 8) | 40);
    expect(out[0x60]).toBe(0xff);
    expect(ask(128)).toBe(0);
    expect([out[0x60], out[127]]).toEqual([0, 0]);
    out.fill(0xff);
    const { arrayBuffers } = process.memoryUsage();
    expect(ask(0xffff_ffff)).toBe(-EFAULT);
    expect(process.memoryUsage().arrayBuffers - arrayBuffers).toBeLessThan(2 ** 30);
    expect(out.every((byte) => byte === 0xff)).toBe(true);
    expect(query(fx, DEV_QUERY.gpuInfo)).toEqual({ ret: 0, size: 112 });
    expect(query(fx, 5).ret).toBe(-EINVAL);
    expect(MMU_INFO.size).toBe(8);
  });
});

describe("a cut of a block", () => {
  it("widens whatever the folios are, with every quirk of Linux too", () => {
    for (const quirks of [NO_QUIRKS, LINUX_QUIRKS]) {
      for (const smallFolios of [false, true]) {
        const fx = fixture({ boFragmentation: "huge", quirks });
        const handle = fx.file.createBo(0x200000, { smallFolios });
        mustBind(fx, [map(handle, { size: 0x200000 })]);
        expect(tableShape(fx.vm).blocks).toBe(1);
        mustBind(fx, [unmap({ va: VA + 0x5000 })]);
        expect(tableShape(fx.vm)).toMatchObject({ blocks: 0, ptes: 511 });
        expect([fx.vm.unusable, fx.vm.addressSpace.walk(VA + 0x5000).kind]).toEqual([false, "fault"]);
      }
    }
  });
});

describe("quirks", () => {
  const repeat = (bo: number, op: TestOp): TestOp =>
    map(bo, { flags: MAP_NOEXEC | MAP_REPEAT, size: 0x4000, boRepeatRange: 0x1000, ...op });
  const withBo = (options: Parameters<typeof fixture>[0]) => {
    const fx = fixture({ repeat: "v4", ...options });
    return { fx, bo: createBo(fx.file, 0x8000) };
  };

  it("REPEAT is refused where the posted patch forgot to", () => {
    const { fx, bo } = withBo({});
    mustBind(fx, [repeat(bo, {})]);
    expectRefused(fx, repeat(bo, { boRepeatRange: 0 }), EINVAL, /bo_repeat_range: 0 with MAP_REPEAT/);
    expectRefused(
      fx,
      repeat(bo, { boRepeatRange: 0x800 }),
      EINVAL,
      /bo_repeat_range: 0x800 is not a multiple/,
    );
    expectRefused(fx, repeat(bo, { pad: 1 }), EINVAL, /^ops\[0\]\.pad: 0x1 is not 0/);
    expectRefused(fx, repeat(bo, { flags: MAP_NOEXEC }), EINVAL, /not 0 without MAP_REPEAT/);
    expectRefused(
      fx,
      repeat(bo, { boRepeatRange: 0x3000 }),
      EINVAL,
      /size: 0x4000 is not a multiple of bo_repeat_range/,
    );
    expectRefused(fx, repeat(bo, { boOffset: 0x8000 }), EINVAL, /exceeds the object's/);
    expect(bind(fx, [map(bo)], { stride: 48 }).ret).toBe(0);
  });

  it("REPEAT v5 has a 64-bit window of which 32 bits may be used, whatever else it forgot", () => {
    const { fx, bo } = withBo({ repeat: "v5", quirks: REPEAT_PATCH_QUIRKS });
    expectRefused(fx, repeat(bo, { pad: 1 }), EINVAL, /does not fit 32 bits/);
  });

  it("the posted patch: zero divides, half a page breaks the VM, ignored fields are ignored", () => {
    const { fx, bo } = withBo({ quirks: REPEAT_PATCH_QUIRKS });
    expectRefused(fx, repeat(bo, { boRepeatRange: 0 }), EIO, /divides by zero/);
    mustBind(fx, [repeat(bo, { pad: 1 }), repeat(bo, { flags: MAP_NOEXEC })]);
    expectRefused(fx, repeat(bo, { boRepeatRange: 0x800 }), ENOMEM, /mapped nothing/);
    expect(fx.vm.unusable).toBe(true);
  });

  it("the posted patch leaves one repetition mapped when a later one fails", () => {
    for (const faithful of [false, true]) {
      const { fx, bo } = withBo({ ...(faithful && { quirks: REPEAT_PATCH_QUIRKS }) });
      // An entry that no mapping knows of makes the third repetition fail.
      fx.vm.pageTable.io.reserved = 3;
      fx.vm.pageTable.io.mapPages(VA + 0x4000, 0x100000000, 0x1000, 1, 3);
      expect(bind(fx, [repeat(bo, { size: 0x8000, boRepeatRange: 0x2000 })]).ret).toBe(-17);
      const left = [0, 1, 2, 3].map((i) => fx.vm.addressSpace.walk(VA + i * 0x1000).kind === "page");
      expect(left).toEqual(faithful ? [false, false, true, true] : [false, false, false, false]);
    }
  });

  it("the posted patch shows the wrong bytes behind a cut, once they are mapped again", () => {
    for (const faithful of [false, true]) {
      const { fx, bo } = withBo({ ...(faithful && { quirks: { repeatPhaseShift: true } }) });
      mustBind(fx, [repeat(bo, { size: 0x8000, boRepeatRange: 0x4000 }), unmap({ va: VA + 0x1000 })]);
      const object = fx.file.bo(bo);
      if (!object) throw new Error("no object");
      fx.device.evict(object);
      fx.vm.validate();
      expect(fx.vm.addressSpace.walk(VA + 0x2000).pa).toBe(object.pages?.addressAt(faithful ? 0 : 0x2000));
    }
  });
});
