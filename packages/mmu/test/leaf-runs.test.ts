/** Leaves that a mapping says follow each other are judged as those that are asked for one by one, whatever is wrong with them. */
import fc from "fast-check";
import { expect, it } from "vitest";
import {
  addressHi,
  addressLo,
  checkTables,
  type ExpectedRange,
  lpae4k,
  lpaeLeafHi,
  lpaeLeafLo,
  lpaeTableHi,
  lpaeTableLo,
  PhysicalMemory,
  ScatterList,
  writeDirectory,
} from "../src/index.ts";

const PAGE = 4096;
const TABLES = 2;
const LEAVES = TABLES * 512;
const format = lpae4k(39);
/** Entries that are empty may show a page as well, and a mapping may show the same. */
const SCRATCH_PAGE = 0x77;
const EMPTY_LO = addressLo(SCRATCH_PAGE * PAGE) | lpaeLeafLo(3, 3);
const EMPTY_HI = addressHi(SCRATCH_PAGE * PAGE) | lpaeLeafHi(3);

/** Pages of one mapping, segment by segment, and how many lie free before it. */
const mapping = fc.record({
  gap: fc.nat(3),
  segments: fc.array(
    fc.record({
      // Some of them run across 4 GiB, where the high half goes up as well.
      pa: fc
        .oneof(fc.nat(2 ** 20), fc.integer({ min: 2 ** 20 - 20, max: 2 ** 20 }), fc.constant(SCRATCH_PAGE))
        .map((n) => n * PAGE),
      bytes: fc.oneof(fc.integer({ min: 1, max: 40 }), fc.constant(400)).map((n) => n * PAGE),
      /** Its first page is shown all over it. */
      repeats: fc.boolean(),
    }),
    { minLength: 1, maxLength: 4 },
  ),
});

/** What is done to a leaf. */
const damage = fc.record({
  leaf: fc.nat(LEAVES - 1),
  how: fc.constantFrom("lo", "hi", "clear", "copy"),
  bit: fc.nat(31),
});

it("runs of leaves, and of empty entries", () => {
  fc.assert(
    fc.property(
      fc.array(mapping, { maxLength: 6 }),
      fc.array(damage, { maxLength: 2 }),
      fc.boolean(),
      (mappings, damages, scratch) => {
        const memory = new PhysicalMemory();
        const { tables } = memory;
        const [root, middle, ...leafTables] = Array.from({ length: 2 + TABLES }, () => tables.alloc()) as [
          number,
          number,
          ...number[],
        ];
        const point = (from: number, index: number, to: number): void => {
          const pa = tables.address(to);
          writeDirectory(tables, from, index, lpaeTableLo(pa), lpaeTableHi(pa, true));
        };
        point(root, 0, middle);
        for (const [i, slot] of leafTables.entries()) point(middle, i, slot);
        const word = (leaf: number): number => {
          return (leafTables[Math.floor(leaf / 512)] as number) * tables.wordsPerTable + (leaf % 512) * 2;
        };

        for (let i = 0; scratch && i < LEAVES; i++) {
          tables.words[word(i)] = EMPTY_LO;
          tables.words[word(i) + 1] = EMPTY_HI;
        }
        const empty = scratch ? { emptyLo: [0, 0, 0, EMPTY_LO], emptyHi: [0, 0, 0, EMPTY_HI] } : {};

        const ranges: ExpectedRange[] = [];
        let asked = 0;
        let next = 0;
        for (const { gap, segments } of mappings) {
          const pages = ScatterList.of(segments);
          const first = next + gap;
          next = first + pages.totalBytes / PAGE;
          if (next > LEAVES) break;
          const leaf: ExpectedRange["leaf"] = (va, _geometry, out) => {
            const at = va - first * PAGE;
            const segment = pages.segmentAt(at);
            const repeats = segments[segment]?.repeats === true;
            const pa = repeats ? (pages.pa[segment] as number) : pages.addressAt(at);
            asked++;
            out.lo = addressLo(pa) | lpaeLeafLo(3, 3);
            out.hi = addressHi(pa) | lpaeLeafHi(3);
            out.run = (pages.offset[segment] as number) + (pages.bytes[segment] as number) - at;
            out.repeats = repeats;
            return true;
          };
          const out = { lo: 0, hi: 0, run: 0, repeats: false };
          for (let i = first; i < next; i++) {
            leaf(i * PAGE, format.levels[2] as (typeof format.levels)[0], out);
            tables.words[word(i)] = out.lo;
            tables.words[word(i) + 1] = out.hi;
          }
          ranges.push({ start: first * PAGE, end: next * PAGE, leaf });
        }
        const intact = tables.words.slice();
        for (const { leaf, how, bit } of damages) {
          const at = word(leaf);
          if (how === "clear") tables.words.fill(0, at, at + 2);
          else if (how === "copy")
            tables.words.copyWithin(at, word((leaf + 1) % LEAVES), word((leaf + 1) % LEAVES) + 2);
          else
            tables.words[at + (how === "hi" ? 1 : 0)] =
              (tables.words[at + (how === "hi" ? 1 : 0)] as number) ^ (1 << bit);
        }

        /** What is wrong, "" for nothing, and how many entries were met in each table. */
        const verdict = (expected: readonly ExpectedRange[]): [wrong: string, tables: string[]] => {
          const visited: string[] = [];
          const tree = { root: tables.address(root), ranges: expected, ...empty };
          try {
            checkTables(memory, format, tree, new Set(), (slot, { level }, va, used) => {
              visited.push(`${slot} ${level} ${va} ${used}`);
            });
            return ["", visited];
          } catch (error) {
            return [(error as Error).message, visited];
          }
        };
        asked = 0;
        const byRuns = verdict(ranges);
        const askedByRuns = asked;
        const oneByOne = ranges.map((range) => ({
          ...range,
          leaf: (...[va, geometry, out]: Parameters<ExpectedRange["leaf"]>) => {
            const has = range.leaf(va, geometry, out);
            out.run = 0;
            return has;
          },
        }));
        asked = 0;
        expect(byRuns).toEqual(verdict(oneByOne));
        expect(askedByRuns).toBeLessThanOrEqual(asked);
        const isHarmed = (i: number): boolean => {
          const at = word(i);
          return tables.words[at] !== intact[at] || tables.words[at + 1] !== intact[at + 1];
        };
        const harmed = Array.from({ length: LEAVES }, (_, i) => i).filter(isHarmed);
        const isMapped = (i: number): boolean =>
          ranges.some(({ start, end }) => start <= i * PAGE && i * PAGE < end);
        if (harmed.length === 0) {
          const used = leafTables.map((slot, i) => {
            const mapped = Array.from({ length: 512 }, (_, j) => 512 * i + j).filter(isMapped);
            return `${slot} 3 ${512 * PAGE * i} ${mapped.length}`;
          });
          expect(byRuns[1].slice(0, TABLES)).toEqual(used);
          expect(byRuns[0]).toBe("");
        }
        if (harmed.some(isMapped)) expect(byRuns[0]).not.toBe("");
      },
    ),
    { numRuns: 500 },
  );
});

it("a leaf that reaches beyond the run of the one before is asked for, though it looks like the next", () => {
  const memory = new PhysicalMemory();
  const { tables } = memory;
  const [root, middle] = [tables.alloc(), tables.alloc()] as [number, number];
  const pa = tables.address(middle);
  writeDirectory(tables, root, 0, lpaeTableLo(pa), lpaeTableHi(pa, true));
  const block = 512 * PAGE;
  // Memory in one piece of three blocks and a half; the fourth block cannot be one leaf.
  const bytes = 3.5 * block;
  for (let i = 0; i < 4; i++) {
    tables.words[middle * tables.wordsPerTable + 2 * i] = addressLo(i * block) | lpaeLeafLo(2, 3);
    tables.words[middle * tables.wordsPerTable + 2 * i + 1] = addressHi(i * block) | lpaeLeafHi(3);
  }
  const range: ExpectedRange = {
    start: 0,
    end: 5 * block,
    leaf(va, { level, entryBytes }, out) {
      out.lo = addressLo(va) | lpaeLeafLo(level, 3);
      out.hi = addressHi(va) | lpaeLeafHi(3);
      out.run = bytes - va;
      return out.run >= entryBytes;
    },
  };
  expect(() => checkTables(memory, format, { root: tables.address(root), ranges: [range] })).toThrow(
    `leaf-size: the mapping has no level 2 entry for 0x${(3 * block).toString(16)}`,
  );
});
