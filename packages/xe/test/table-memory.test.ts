/**
 * Page tables take memory: VRAM on discrete parts, which they share with objects, system memory elsewhere. How many there may
 * be is an option of the device; that running into it changes nothing is a law of all drivers, see `packages/driver-laws`.
 */
import { ENOMEM } from "@vmbind/drm";
import { directories, leaves } from "@vmbind/mmu";
import { describe, expect, it } from "vitest";
import * as xe from "../src/index.ts";
import { bind, fixture, GIB, KIB, MIB, map, mustBind, nul, unmap, vramBo } from "./support.ts";

const TIB = 1024 * GIB;
/** What an entry of the root of a 57-bit VA covers. */
const TIB256 = 256 * TIB;
const TABLE = 4 * KIB;

describe("a NULL mapping of the whole 57-bit VA", () => {
  const whole = fixture("pvc");
  const { device, file, vm } = whole;
  const { counters } = device;
  const { tables } = device.memory;
  const SIZE = 2 ** 57;
  const TABLES = 512 * 512 + 512 + 1;

  it("has all its tables, in little memory", () => {
    const before = process.memoryUsage().rss;
    mustBind(file, nul(0, SIZE));
    expect(process.memoryUsage().rss - before).toBeLessThan(512 * MIB);
    expect(tables.live).toBe(TABLES);
    expect(counters).toMatchObject({
      tablesLive: TABLES,
      tablesPeak: TABLES,
      pteWrites: 512 ** 3,
      tableWrites: 512 ** 2 + 512,
    });
    expect(device.vram.usedBytes).toBe(TABLES * TABLE);
    xe.checkDeviceInvariants(device, [file]);
  });

  it("translates everywhere", () => {
    for (const va of [0, GIB - 1, 512 * GIB, 77 * TIB + 12345, TIB256, SIZE - TIB256, SIZE - 4096]) {
      const { kind, level } = vm.addressSpace.walk(va);
      expect({ va, kind, level }).toEqual({ va, kind: "null", level: 2 });
    }
  });

  it("is listed as if each table existed: its own address, 512 leaves", () => {
    const { memory, format, root } = vm.addressSpace;
    const start = SIZE - TIB256;
    const found = [...directories(memory, format, root, { start, prune: (slot) => tables.isFilled(slot) })];
    expect(found.filter(({ level }) => level === 3)).toHaveLength(512);
    const slots = new Set(found.map(({ slot }) => slot));
    expect(slots.size).toBe(found.length);
    for (const slot of slots) expect(tables.isLive(slot)).toBe(true);
    const { level, va } = found.at(-1) as (typeof found)[number];
    expect({ level, va }).toEqual({ level: 3, va: SIZE - 512 * GIB });
    const listed = [...leaves(memory, format, root, { start: va })];
    expect(listed).toHaveLength(512);
    expect(listed.at(-1)).toMatchObject({ va: SIZE - GIB, level: 2, sizeBytes: GIB, kind: "null" });
    expect(new Set(listed.map(({ entry }) => entry)).size).toBe(1);
  });

  it("is cut in the middle of a table like any other, and what is around the cut stays", () => {
    const { filled } = tables;
    const hole = 300 * TIB + 5 * GIB;
    mustBind(file, unmap(hole, 2 * GIB));
    // The tables before and behind are made again by the binds of what is left, the one with the hole is not all null now.
    expect(tables.filled).toBe(filled - 1);
    for (const [va, kind] of [
      [hole - 4096, "null"],
      [hole, "fault"],
      [hole + 2 * GIB - 4096, "fault"],
      [hole + 2 * GIB, "null"],
      [SIZE - 4096, "null"],
      [0, "null"],
    ] as const) {
      expect({ va, kind: vm.addressSpace.walk(va).kind }).toEqual({ va, kind });
    }
    xe.checkDeviceInvariants(device, [file]);
  });

  it("goes with all its tables", () => {
    mustBind(file, unmap(0, SIZE));
    expect(counters.tablesLive).toBe(1);
    expect(vm.addressSpace.walk(77 * TIB).kind).toBe("fault");
    xe.checkDeviceInvariants(device, [file]);
    // The same pages are taken again, and hold nothing of what they were.
    mustBind(file, nul(TIB + GIB, GIB));
    expect(vm.addressSpace.walk(TIB).kind).toBe("fault");
    xe.checkDeviceInvariants(device, [file]);
  });
});

describe("a filled table", () => {
  it.each([
    ["zero leaves of a fault-mode VM with scratch", xe.VM_CREATE_FLAG_SCRATCH_PAGE, "fault"],
    ["leaves of a NULL mapping", 0, "null"],
  ] as const)("%s: what a write changes, changes in that table alone", (_name, scratch, kind) => {
    const flags = scratch === 0 ? 0 : scratch | xe.VM_CREATE_FLAG_LR_MODE | xe.VM_CREATE_FLAG_FAULT_MODE;
    const { device, file, vm } = fixture("bmg", {}, flags);
    mustBind(file, nul(TIB, 2 * TIB));
    mustBind(file, unmap(TIB + 3 * GIB, GIB));
    const unbound = scratch === 0 ? "fault" : "null";
    const kinds = [TIB, TIB + 3 * GIB, TIB + 4 * GIB, 2 * TIB + 3 * GIB].map(
      (va) => vm.addressSpace.walk(va).kind,
    );
    expect(kinds).toEqual([kind, unbound, kind, kind]);
    xe.checkDeviceInvariants(device, [file]);
  });
});

describe("the limit of page-table memory", () => {
  it.each([
    ["pvc", {}, 64 * GIB],
    ["bmg", {}, 12 * GIB],
    ["lnl", {}, 60 * GIB],
    ["lnl", { frames: { base: 4 * GIB, limit: 5 * GIB } }, GIB],
    ["bmg", { frames: { base: 4 * GIB, limit: 5 * GIB } }, 12 * GIB],
    ["bmg", { tableLimitBytes: MIB }, MIB],
  ])("of %s with %o follows the platform, or the option", (platform, memory, bytes) => {
    expect(fixture(platform, { memory }).device.memory.tables.limitBytes).toBe(bytes);
  });

  it.each(["pvc", "lnl"])("refuses what needs more tables as a whole, on %s", (platform) => {
    const { device, file, vm } = fixture(platform, { memory: { tableLimitBytes: MIB + TABLE - 1 } });
    mustBind(file, nul(0, GIB));
    const { tablesLive } = device.counters;
    // The first operation fits, the second does not.
    expect(bind(file, [nul(TIB, TIB), nul(4 * TIB, 300 * 512 * GIB)])).toBe(-ENOMEM);
    expect(file.lastError?.message).toBe(
      "ENOMEM: page table: all 256 page-table pages of 4096 bytes that memory.tableLimitBytes 1052671 allows are in use",
    );
    expect([...vm.mappings()].map(({ addr, range }) => [addr, range])).toEqual([[0, GIB]]);
    expect(device.counters.tablesLive).toBe(tablesLive);
    expect(vm.addressSpace.walk(TIB).kind).toBe("fault");
    xe.checkDeviceInvariants(device, [file]);
    mustBind(file, nul(4 * TIB, 250 * 512 * GIB));
    xe.checkDeviceInvariants(device, [file]);
  });
});

describe("VRAM", () => {
  it("has no page for a table when objects fill it", () => {
    const fx = fixture("bmg");
    const { device, file, vm } = fx;
    const { patUc } = device.platform;
    const size = device.vramBytes - 16 * TABLE;
    const bo = vramBo(fx, size);
    // Root and one path to a leaf table are there already.
    mustBind(file, nul(0, 4 * KIB));
    mustBind(file, map(TIB, size - (size % (2 * MIB)), bo, 0, patUc));
    const { tablesLive } = device.counters;
    expect(device.vram.leftBytes).toBe(16 * TABLE - tablesLive * TABLE);
    expect(bind(file, [nul(2 * TIB, 32 * 512 * GIB)])).toBe(-ENOMEM);
    expect(file.lastError?.message).toBe(
      `ENOMEM: page table: no page for a table, of VRAM (platform.vramBytes ${device.vramBytes}) objects take ${size}, page tables 65536`,
    );
    expect(device.counters.tablesLive).toBe(tablesLive);
    expect(vm.addressSpace.walk(2 * TIB).kind).toBe("fault");
    xe.checkDeviceInvariants(device, [file]);
    // System memory is another matter.
    const lnl = fixture("lnl");
    mustBind(lnl.file, nul(2 * TIB, 32 * 512 * GIB));
  });

  it("has no room for an object where page tables are", () => {
    const fx = fixture("bmg");
    const { device, file } = fx;
    const { patUc } = device.platform;
    const bo = vramBo(fx, device.vramBytes);
    expect(bind(file, [map(0, 2 * MIB, bo, 0, patUc)])).toBe(-ENOMEM);
    expect(file.lastError?.message).toContain("objects take 0, page tables 4096");
    expect(device.vram.usedBytes).toBe(TABLE);
  });
});

describe("a device after one that was retired", () => {
  it("knows nothing of its tables", () => {
    for (let i = 0; i < 3; i++) {
      const { device, file, vm } = fixture("pvc");
      // Directories enough that what is kept of them grows more than once, in another order each time.
      for (let n = 0; n < 40; n++) mustBind(file, nul(TIB256 + ((n * 7 + i) % 40) * 512 * GIB, 2 * MIB));
      expect(vm.addressSpace.walk(TIB256 + 3 * 512 * GIB).kind).toBe("null");
      xe.checkDeviceInvariants(device, [file]);
      device.memory.tables.retire();
    }
  });
});
