import { describe, expect, it } from "vitest";
import { countTables } from "../src/conformance/table-dump.ts";
import { fixture, GIB, KIB, MIB, mustBind, nul } from "./support.ts";

const BYTES_4K = 100003840;
const BYTES_64K = 100007936;
const BYTES_2M = 100663296;
const TIB = 2 ** 40;

/** Start, bytes; then 1 GiB leaves, 2 MiB leaves, 4 KiB entries, of these with the 64 KiB hint, new tables of level 0, 1, 2. */
const ROWS: [string, number, number, number, number, number, number, number, number, number][] = [
  ["100e6 in 4 KiB at 2 MiB", 64 * GIB, BYTES_4K, 0, 47, 351, 336, 1, 1, 1],
  ["100e6 in 64 KiB at 2 MiB", 64 * GIB, BYTES_64K, 0, 47, 352, 352, 1, 1, 1],
  ["100e6 in 2 MiB at 2 MiB", 64 * GIB, BYTES_2M, 0, 48, 0, 0, 0, 1, 1],
  ["100e6 in 64 KiB, 64 KiB off", 64 * GIB + 64 * KIB, BYTES_64K, 0, 46, 864, 864, 2, 1, 1],
  ["100e6 in 4 KiB, 4 KiB off", 64 * GIB + 4 * KIB, BYTES_4K, 0, 46, 863, 848, 2, 1, 1],
  ["1 TiB at 512 GiB", TIB, TIB, 1024, 0, 0, 0, 0, 0, 2],
  ["1 TiB, 4 KiB off", TIB + 4 * KIB, TIB, 1023, 511, 512, 496, 2, 2, 3],
];

describe("what one NULL bind costs", () => {
  it.each(ROWS)("%s", (_name, start, bytes, g1, m2, k4, hinted, l0, l1, l2) => {
    const { device, file, vm } = fixture("dg2", { forcedScratch: false });
    mustBind(file, nul(start, bytes));
    const { tables, leaves } = countTables(vm);
    expect(leaves).toEqual({
      "1g": g1,
      "2m": m2,
      "4k": k4 - hinted,
      "4k_ps64": hinted,
      "64k_compact": 0,
      null: g1 + m2 + k4,
    });
    expect([tables["l0"] ?? 0, tables["l1"] ?? 0, tables["l2"] ?? 0]).toEqual([l0, l1, l2]);
    const { counters } = device;
    expect([counters.bindIoctls, counters.bindOps, counters.ptOps]).toEqual([1, 1, 1]);
    expect(counters.pteWrites).toBe(g1 + m2 + k4);
    expect(counters.backingBytes).toBe(0);
    expect(vm.gpuvm.refs).toBe(3);
  });

  it("takes any aligned 2 MiB whole, and no more than 1 GiB", () => {
    const { vm, file } = fixture("bmg");
    mustBind(file, nul(GIB - 2 * MIB, GIB + 4 * MIB));
    expect(countTables(vm).leaves).toMatchObject({ "1g": 1, "2m": 2, "4k": 0 });
  });
});
