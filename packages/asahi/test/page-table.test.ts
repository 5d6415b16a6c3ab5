import { AddressSpace, leaves, PhysicalMemory, uat } from "@vmbind/mmu";
import { beforeEach, expect, test } from "vitest";
import { PAGE_BYTES, UatPageTable } from "../src/index.ts";

const MIB_32 = 2 ** 25;
const GIB_64 = 2 ** 36;
const LO = 0xc8b;
const HI = 0xc00000;

let memory: PhysicalMemory;
let table: UatPageTable;

beforeEach(() => {
  memory = new PhysicalMemory({ tableBytes: PAGE_BYTES });
  table = new UatPageTable(memory);
});

function mapped(): number[] {
  return [...leaves(memory, uat(), table.root)].map((leaf) => leaf.va);
}

test("unmapping skips missing leaf tables and missing 64 GiB, and nothing behind them", () => {
  const vas = [0, 3 * MIB_32, GIB_64 - PAGE_BYTES, 3 * GIB_64, 3 * GIB_64 + 5 * MIB_32];
  for (const va of vas) table.map(va, PAGE_BYTES, 0x8_0000_0000, LO, HI, false);
  expect(mapped()).toEqual(vas);
  const { tablesAllocated } = memory.counters;
  table.unmap(PAGE_BYTES, 3 * GIB_64 + 5 * MIB_32 - PAGE_BYTES);
  expect(mapped()).toEqual([0, 3 * GIB_64 + 5 * MIB_32]);
  expect(memory.counters.tablesAllocated).toBe(tablesAllocated);
});

test("allocating touches no leaf; a range of nothing allocates nothing", () => {
  table.allocate(0x20_0000_0000, 0);
  expect(table.count).toEqual({ l1: 1, l2: 0, l3: 0 });
  table.allocate(GIB_64 - MIB_32, 2 * MIB_32);
  expect(table.count).toEqual({ l1: 1, l2: 2, l3: 2 });
  expect(mapped()).toEqual([]);
  expect(memory.counters.pteWrites).toBe(0);
});

test("the last page of the half, and a range that ends exactly at 2^39", () => {
  const start = 2 ** 39 - 2 * PAGE_BYTES;
  table.map(start, 2 * PAGE_BYTES, 0x8_0000_0000, LO, HI, false);
  expect(mapped()).toEqual([start, start + PAGE_BYTES]);
  expect(new AddressSpace(memory, uat(), table.root).walk(2 ** 39 - 1).pa).toBe(0x8_0000_7fff);
  table.unmap(start, 2 * PAGE_BYTES);
  expect(mapped()).toEqual([]);
});

test("mapping overwrites what is there", () => {
  table.map(0, 4 * PAGE_BYTES, 0x8_0000_0000, LO, HI, false);
  table.map(PAGE_BYTES, 2 * PAGE_BYTES, 0x9_0000_0000, LO, HI, true);
  const space = new AddressSpace(memory, uat(), table.root);
  const pas = [0, 1, 2, 3].map((i) => space.walk(i * PAGE_BYTES).pa);
  expect(pas).toEqual([0x8_0000_0000, 0x9_0000_0000, 0x9_0000_0000, 0x8_0000_c000]);
});

test("destroying gives every table back", () => {
  table.map(GIB_64 - MIB_32, 2 * MIB_32, 0x8_0000_0000, LO, HI, true);
  table.destroy();
  expect(memory.tables.live).toBe(0);
});
