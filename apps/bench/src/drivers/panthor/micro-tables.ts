/**
 * Page-table writing and walking against the kernel's io-pgtable: the peers' rows M, U and T.
 *
 * VA base 8 GiB, PA base 4 GiB, 48-bit addresses, coherent walk. Tables are reserved before the clock starts; zeroing one
 * when it is taken is inside.
 *
 * @module
 */

import { xorshift64 } from "@vmbind/lab";
import {
  AddressSpace,
  IOMMU_CACHE,
  IOMMU_NOEXEC,
  IOMMU_READ,
  IOMMU_WRITE,
  lpae4k,
  lpaeLeafHi,
  lpaeLeafLo,
  PhysicalMemory,
  Walk,
} from "@vmbind/mmu";
import { BLOCK_2M, PAGE_BYTES, panthorCounters } from "@vmbind/panthor";
import { IoPgtableBatch } from "@vmbind/panthor/internals";
import { compare, type Scenario, type Step } from "../../micro/harness.ts";
import { MMU_PEERS } from "./peers.ts";

const VA = 0x200000000;
const PA = 0x100000000;
const GIB = 2 ** 30;
const PROT = IOMMU_READ | IOMMU_WRITE | IOMMU_CACHE | IOMMU_NOEXEC;
const PAGE_LO = lpaeLeafLo(3, PROT);
const PAGE_HI = lpaeLeafHi(PROT);
const ENTRIES = 512;
const PAGES = GIB / PAGE_BYTES;
const BLOCKS = GIB / BLOCK_2M;
const BLOCK_GIBS = 100;
const LOOKUPS = 1_000_000;

interface State {
  pt: IoPgtableBatch;
  space: AddressSpace;
  /** Sum of what the calls returned. */
  sum: number;
  /** What the first GiB holds. */
  leafTables: boolean;
}

/** The scenarios of the area. */
export function ioPgtableScenarios(): Scenario<State>[] {
  return [
    { repeat: 11, prepare: state, steps: [mapPages(), unmapPages(), dropTables()] },
    { repeat: 11, prepare: state, steps: [mapSamePage()] },
    // Only the first repetition makes level-2 tables, as only the first of the peer's runs does.
    { repeat: 3, prepare: state, steps: [mapPageByPage(), unmapPageByPage()] },
    { repeat: 41, prepare: state, steps: [mapBlocks(), unmapBlocks()] },
    { repeat: 11, prepare: state, steps: [mapBlockByBlock(), unmapBlockByBlock()] },
    {
      prepare: () => mapped(PAGE_BYTES),
      steps: [lookUp("T4", "4 KiB pages"), walk("T4-walk", "4 KiB pages")],
    },
    {
      prepare: () => mapped(BLOCK_2M),
      steps: [lookUp("T2", "2 MiB blocks"), walk("T2-walk", "2 MiB blocks")],
    },
  ];
}

function state(): State {
  const counters = panthorCounters();
  const memory = new PhysicalMemory({ counters });
  const pt = new IoPgtableBatch(memory, counters, 48, 48, true);
  pt.reserved = 1e6;
  return { pt, space: new AddressSpace(memory, lpae4k(), pt.rootAddress), sum: 0, leafTables: false };
}

function row(
  id: string,
  what: string,
  unit: string,
  units: number,
  rest: Omit<Step<State>, "id" | "what" | "unit" | "units" | "peer">,
): Step<State> {
  return { id, what, unit, units, peer: MMU_PEERS[id] ?? null, ...rest };
}

/** Take the leaf tables of the first GiB away. */
function clear(s: State): void {
  if (s.leafTables) s.pt.unmapPages(VA, BLOCK_2M, BLOCKS);
  s.leafTables = false;
  s.sum = 0;
}

function fill(s: State): void {
  s.sum = 0;
  for (let at = 0; at < GIB; at += BLOCK_2M) {
    s.sum += s.pt.mapPages(VA + at, PA + at, PAGE_BYTES, ENTRIES, PROT);
  }
  s.leafTables = true;
}

/** Every call returned 0, and some addresses translate as they should. */
function checkMap(s: State, physical: (at: number) => number, bytes: number): string | null {
  for (let at = 0x123; at < bytes; at += bytes / 61) {
    const byte = Math.floor(at);
    const wrong = compare(`translation of byte ${byte}`, s.pt.iovaToPhys(VA + byte), physical(byte));
    if (wrong) return wrong;
  }
  return compare("sum of results", s.sum, 0);
}

const checkUnmap =
  (bytes: number) =>
  (s: State): string | null =>
    compare("bytes unmapped", s.sum, bytes) ?? compare("translation", s.pt.iovaToPhys(VA), 0);

function mapPages(): Step<State> {
  return row("M4C", "map 1 GiB, 4 KiB pages, 512 to a call", "PTE", PAGES, {
    before: clear,
    run: fill,
    check: (s) => checkMap(s, (at) => PA + at, GIB),
  });
}

function unmapPages(): Step<State> {
  return row("U4C", "unmap it, 512 pages to a call", "PTE", PAGES, {
    run(s) {
      s.sum = 0;
      for (let at = 0; at < GIB; at += BLOCK_2M) s.sum += s.pt.unmapPages(VA + at, PAGE_BYTES, ENTRIES);
    },
    check: checkUnmap(GIB),
  });
}

function dropTables(): Step<State> {
  return row("U4T", "unmap a GiB of 4 KiB pages in one call, 512 tables freed", "table", BLOCKS, {
    before(s) {
      clear(s);
      fill(s);
    },
    run(s) {
      s.sum = s.pt.unmapPages(VA, BLOCK_2M, BLOCKS);
      s.leafTables = false;
    },
    check: checkUnmap(GIB),
  });
}

function mapSamePage(): Step<State> {
  return row("M4S", "map 1 GiB, always the same page, 512 to a run", "PTE", PAGES, {
    before: clear,
    run(s) {
      for (let at = 0; at < GIB; at += BLOCK_2M) {
        s.sum += ENTRIES - s.pt.mapSamePage(VA + at, PA, ENTRIES, PAGE_LO, PAGE_HI);
      }
      s.leafTables = true;
    },
    check: (s) => checkMap(s, (at) => PA + (at % PAGE_BYTES), GIB),
  });
}

function mapPageByPage(): Step<State> {
  return row("M4R", "map 1 GiB, always the same page, one to a call", "PTE", PAGES, {
    before: clear,
    run(s) {
      for (let at = 0; at < GIB; at += PAGE_BYTES) s.sum += s.pt.mapPages(VA + at, PA, PAGE_BYTES, 1, PROT);
      s.leafTables = true;
    },
    check: (s) => checkMap(s, (at) => PA + (at % PAGE_BYTES), GIB),
  });
}

function unmapPageByPage(): Step<State> {
  return row("U4R", "unmap it, one page to a call", "PTE", PAGES, {
    run(s) {
      s.sum = 0;
      for (let at = 0; at < GIB; at += PAGE_BYTES) s.sum += s.pt.unmapPages(VA + at, PAGE_BYTES, 1);
    },
    check: checkUnmap(GIB),
  });
}

function mapBlocks(): Step<State> {
  return row("M2C", "map 100 GiB, 2 MiB blocks, 512 to a call", "block", BLOCK_GIBS * BLOCKS, {
    before: clear,
    run(s) {
      for (let at = 0; at < BLOCK_GIBS * GIB; at += GIB) {
        s.sum += s.pt.mapPages(VA + at, PA + at, BLOCK_2M, BLOCKS, PROT);
      }
    },
    check: (s) => checkMap(s, (at) => PA + at, BLOCK_GIBS * GIB),
  });
}

function unmapBlocks(): Step<State> {
  return row("U2C", "unmap it, 512 blocks to a call", "block", BLOCK_GIBS * BLOCKS, {
    run(s) {
      s.sum = 0;
      for (let at = 0; at < BLOCK_GIBS * GIB; at += GIB) s.sum += s.pt.unmapPages(VA + at, BLOCK_2M, BLOCKS);
    },
    check: checkUnmap(BLOCK_GIBS * GIB),
  });
}

function mapBlockByBlock(): Step<State> {
  return row("M2R", "map 100 GiB, always the same block, one to a call", "block", BLOCK_GIBS * BLOCKS, {
    before: clear,
    run(s) {
      for (let at = 0; at < BLOCK_GIBS * GIB; at += BLOCK_2M) {
        s.sum += s.pt.mapPages(VA + at, PA, BLOCK_2M, 1, PROT);
      }
    },
    check: (s) => checkMap(s, (at) => PA + (at % BLOCK_2M), BLOCK_GIBS * GIB),
  });
}

function unmapBlockByBlock(): Step<State> {
  return row("U2R", "unmap it, one block to a call", "block", BLOCK_GIBS * BLOCKS, {
    run(s) {
      s.sum = 0;
      for (let at = 0; at < BLOCK_GIBS * GIB; at += BLOCK_2M) s.sum += s.pt.unmapPages(VA + at, BLOCK_2M, 1);
    },
    check: checkUnmap(BLOCK_GIBS * GIB),
  });
}

function mapped(pageBytes: number): State {
  const s = state();
  const perCall = pageBytes === PAGE_BYTES ? ENTRIES : BLOCKS;
  for (let at = 0; at < GIB; at += pageBytes * perCall)
    s.pt.mapPages(VA + at, PA + at, pageBytes, perCall, PROT);
  return s;
}

let drawn: Float64Array | null = null;

/** Random byte addresses in a GiB, drawn once. */
function addresses(): Float64Array {
  if (drawn) return drawn;
  const next = xorshift64(88172645463325252n);
  drawn = Float64Array.from({ length: LOOKUPS }, () => Number((next() >> 20n) & 0x3fffffffn));
  return drawn;
}

function checkLookUps(s: State): string | null {
  const expected = addresses().reduce((sum, at) => sum + PA + at, 0);
  return compare("sum of physical addresses", s.sum, expected);
}

function lookUp(id: string, pages: string): Step<State> {
  return row(id, `iova_to_phys of 1,000,000 random addresses, ${pages}`, "look-up", LOOKUPS, {
    before: () => void addresses(),
    run(s) {
      const queries = addresses();
      let sum = 0;
      for (let i = 0; i < LOOKUPS; i++) sum += s.pt.iovaToPhys(VA + (queries[i] as number));
      s.sum = sum;
    },
    check: checkLookUps,
  });
}

function walk(id: string, pages: string): Step<State> {
  return row(id, `the same through the MMU's walker, ${pages}`, "walk", LOOKUPS, {
    run(s) {
      const queries = addresses();
      const out = new Walk();
      let sum = 0;
      for (let i = 0; i < LOOKUPS; i++) sum += s.space.walk(VA + (queries[i] as number), out).pa;
      s.sum = sum;
    },
    check: checkLookUps,
  });
}
