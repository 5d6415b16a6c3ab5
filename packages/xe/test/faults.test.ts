/**
 * What a refused ioctl of xe leaves all the same, and what a later one makes of it. That an ioctl does all or nothing,
 * whichever allocation fails, is a law of all drivers that undo: see `packages/driver-laws`.
 */
import { type AllocFault, ENOMEM } from "@vmbind/drm";
import { expect, it } from "vitest";
import * as xe from "../src/index.ts";
import { bind, fixture, GIB, MIB, map, mustBind, nul, prefetch, unmap } from "./support.ts";

const KIB64 = 0x1_0000;
const ADDR = 8 * GIB;

it("leaf sizes stay noted although the PREFETCH that staged them was refused, and a later cut goes by them", () => {
  const state = (refuse: boolean): [flags: number, present: boolean][] => {
    let left = Number.POSITIVE_INFINITY;
    const allocFault: AllocFault = (point) => point === "page-table" && left-- <= 0;
    const flags = xe.VM_CREATE_FLAG_LR_MODE | xe.VM_CREATE_FLAG_FAULT_MODE;
    const { device, file, vm } = fixture("bmg", { allocFault }, flags);
    mustBind(file, nul(ADDR, MIB));
    if (refuse) {
      // The tables of the first operation can be had, those of the second cannot.
      left = vm.pageTable.rootLevel;
      const far = nul(2 ** 40, KIB64, xe.VM_BIND_FLAG_IMMEDIATE);
      expect(bind(file, [prefetch(ADDR, MIB), far])).toBe(-ENOMEM);
      left = Number.POSITIVE_INFINITY;
    }
    mustBind(file, unmap(ADDR + KIB64, KIB64));
    xe.checkDeviceInvariants(device, [file]);
    return [...vm.mappings()].map((m) => [m.flags & xe.VMA_PTE_FLAGS, m.present]);
  };
  // Never bound, so its leaves may become anything up to 1 GiB: no cut here spares a piece, and both are bound.
  const bound = [xe.VMA_PTE_4K | xe.VMA_PTE_64K, true];
  expect(state(false)).toEqual([bound, bound]);
  // Noted: 64 KiB at most. Both pieces are skipped and stay what the whole was, not bound.
  const skipped = [xe.VMA_PTE_64K, false];
  expect(state(true)).toEqual([skipped, skipped]);
});

it("a refused ioctl does not make the driver forget zero leaves that it had forgotten only half", () => {
  let left = Number.POSITIVE_INFINITY;
  const allocFault: AllocFault = (point) => point === "page-table" && left-- <= 0;
  const flags = xe.VM_CREATE_FLAG_SCRATCH_PAGE | xe.VM_CREATE_FLAG_LR_MODE | xe.VM_CREATE_FLAG_FAULT_MODE;
  const { file, vm } = fixture("bmg", { allocFault, quirks: xe.LINUX_QUIRKS }, flags);
  mustBind(file, nul(ADDR, MIB));
  expect(() => vm.addressSpace.load32(ADDR)).toThrow();
  left = 0;
  expect(bind(file, [prefetch(ADDR, MIB), nul(2 ** 40, KIB64, xe.VM_BIND_FLAG_IMMEDIATE)])).toBe(-ENOMEM);
  left = Number.POSITIVE_INFINITY;
  mustBind(file, unmap(ADDR, MIB));
  expect(vm.addressSpace.load32(ADDR)).toBe(0);
});

it("an object keeps the memory that a refused ioctl got for it", () => {
  const memory = { frames: { limit: 0x100000000 + 4 * MIB } };
  const { file } = fixture("lnl", { memory });
  const { patWb } = file.device.platform;
  const options = { placement: xe.PLACEMENT_SYSTEM, cpuCaching: xe.GEM_CPU_CACHING_WB };
  const [first, second] = [file.createBo(3 * MIB, options), file.createBo(2 * MIB, options)];
  const both = [map(ADDR, 3 * MIB, first, 0, patWb), map(ADDR + 4 * MIB, 2 * MIB, second, 0, patWb)];
  expect(bind(file, both)).toBe(-ENOMEM);
  // So only the first fits.
  expect([bind(file, both.slice(0, 1)), bind(file, both.slice(1))]).toEqual([0, -ENOMEM]);
});
