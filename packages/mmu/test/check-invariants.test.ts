/** Each invariant of tables and TLB is shown to catch a fault that was made on purpose, in every format. */
import { beforeEach, describe, expect, it } from "vitest";
import {
  AddressSpace,
  addressHi,
  addressLo,
  checkTablePages,
  checkTables,
  checkTlb,
  type ExpectedRange,
  lpae4k,
  lpaeLeafHi,
  lpaeLeafLo,
  lpaeTableHi,
  lpaeTableLo,
  type PageTableFormat,
  PhysicalMemory,
  ppgtt,
  ppgttLeafHi,
  ppgttLeafLo,
  ppgttTableHi,
  ppgttTableLo,
  Tlb,
  UAT_PROT,
  uat,
  uatLeafHi,
  uatLeafLo,
  uatTableHi,
  uatTableLo,
  writeAscending,
  writeDirectory,
} from "../src/index.ts";

interface Encoders {
  format: PageTableFormat;
  leaf: [lo: number, hi: number];
  table(pa: number): [lo: number, hi: number];
}

const FORMATS: readonly Encoders[] = [
  {
    format: lpae4k(48),
    leaf: [lpaeLeafLo(3, 3), lpaeLeafHi(3)],
    table: (pa) => [lpaeTableLo(pa), lpaeTableHi(pa, true)],
  },
  {
    format: uat(40),
    leaf: [uatLeafLo(UAT_PROT.gpuReadWrite, true), uatLeafHi(UAT_PROT.gpuReadWrite)],
    table: (pa) => [uatTableLo(pa), uatTableHi(pa)],
  },
  {
    format: ppgtt(3),
    leaf: [ppgttLeafLo(0, 0, 2), ppgttLeafHi(0)],
    table: (pa) => [ppgttTableLo(pa, 0, false), ppgttTableHi(pa)],
  },
];

describe.each(FORMATS)("$format.name", ({ format, leaf, table }) => {
  const page = format.levels.at(-1)?.entryBytes as number;
  const VA = 4 * page;
  const PA = 0x2_0000_0000;
  const PAGES = 6;
  let memory: PhysicalMemory;
  let space: AddressSpace;
  let leafTable: number;
  let ranges: ExpectedRange[];

  /** Two mappings side by side, of three leaves each. */
  beforeEach(() => {
    memory = new PhysicalMemory({ tableBytes: format.tableBytes });
    const { tables } = memory;
    const slots = format.levels.map(() => tables.alloc());
    slots.slice(1).forEach((slot, i) => {
      writeDirectory(tables, slots[i] as number, 0, ...table(tables.address(slot)));
    });
    leafTable = slots.at(-1) as number;
    writeAscending(tables, leafTable, 4, PAGES, leaf[0] | addressLo(PA), leaf[1] | addressHi(PA), page);
    ranges = [0, 3].map((first) => ({
      start: VA + first * page,
      end: VA + (first + 3) * page,
      leaf(va, _geometry, out) {
        out.lo = leaf[0] | addressLo(PA + va - VA);
        out.hi = leaf[1] | addressHi(PA + va - VA);
        return true;
      },
    }));
    const tlb = new Tlb({ counters: memory.counters });
    space = new AddressSpace(memory, format, tables.address(slots[0] as number), { asid: 5, tlb });
    space.translate(VA);
    check();
  });

  function check(): void {
    const seen = new Set<number>();
    checkTables(memory, format, { root: space.root, ranges }, seen);
    checkTablePages(memory, seen);
    checkTlb(space);
  }

  const word = (index: number): number => leafTable * memory.tables.wordsPerTable + 2 * index;
  const flip = (at: number, bits: number): void => {
    memory.tables.words[at] = (memory.tables.words[at] as number) ^ bits;
  };

  const FAULTS: readonly [invariant: string, fault: string, breakIt: () => void][] = [
    ["leaf-value", "an address bit flips", () => flip(word(5), page)],
    ["leaf-value", "an attribute bit of the high half flips", () => flip(word(9) + 1, 1 << 22)],
    [
      "leaf-size",
      "a mapping has no such leaf",
      () => void Object.assign(ranges[0] as object, { leaf: () => false }),
    ],
    ["leaf-missing", "the first leaf is cleared", () => memory.tables.words.fill(0, word(4), word(5))],
    ["leaf-missing", "a leaf in the middle is cleared", () => memory.tables.words.fill(0, word(6), word(7))],
    ["leaf-missing", "the last leaf is cleared", () => memory.tables.words.fill(0, word(9), word(10))],
    ["leaf-missing", "all leaves are cleared", () => memory.tables.words.fill(0, word(4), word(10))],
    [
      "leaf-unexplained",
      "a leaf before the first mapping",
      () => memory.tables.words.copyWithin(word(1), word(4), word(5)),
    ],
    [
      "leaf-unexplained",
      "a leaf behind the last mapping",
      () => memory.tables.words.copyWithin(word(20), word(4), word(5)),
    ],
    ["leaf-unexplained", "a mapping goes and its leaves stay", () => void ranges.shift()],
    ["table-dead", "a table page in use is freed", () => memory.tables.free(leafTable)],
    ["table-leak", "a table page hangs nowhere", () => void memory.tables.alloc()],
    [
      "table-shared",
      "two directory entries point to one table",
      () => writeDirectory(memory.tables, leafTable - 1, 3, ...table(memory.tables.address(leafTable))),
    ],
    ["table-counters", "an allocation is not counted", () => void memory.counters.tablesAllocated--],
    ["table-counters", "the peak is too low", () => void Object.assign(memory.counters, { tablesPeak: 0 })],
  ];

  it.each(FAULTS)("%s: %s", (invariant, _fault, breakIt) => {
    breakIt();
    expect(check).toThrow(new RegExp(`^${invariant}: `));
  });

  it("tlb-stale: a leaf moves and nobody invalidates", () => {
    const moved = 64 * page;
    flip(word(4), moved);
    const [first, second] = ranges as [ExpectedRange, ExpectedRange];
    ranges = [
      {
        ...first,
        leaf(va, geometry, out) {
          first.leaf(va, geometry, out);
          if (va === VA) out.lo ^= moved;
          return true;
        },
      },
      second,
    ];
    expect(check).toThrow(/^tlb-stale: asid 5, /);
    space.tlb?.invalidateRange(5, VA, page);
    check();
  });
});
