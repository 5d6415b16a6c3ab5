/**
 * The questions of the semantics matrix: the list, and those about unbound addresses. Those about what becomes of them
 * when something is closed, evicted, cut or destroyed are in `questions-changes.ts`.
 *
 * No answer is written down here. Each function runs loads and stores on a fresh device and says what came of them.
 *
 * @module
 */

import type { SemanticsAnswer } from "../result.ts";
import { mustIssue } from "../strategy/calls.ts";
import type { SparseStrategy, Where } from "../strategy/strategy.ts";
import { MARK, PAGE_BYTES, PROBE_BYTES, Probe, SPOT, THREAD_BYTES } from "./probe.ts";

/** What a question's function finds. */
export type Verdict = Pick<SemanticsAnswer, "answer" | "ok" | "detail">;

/** One row of the matrix. */
export interface Question {
  /** Name in kebab-case. */
  id: string;
  /** In words. */
  question: string;
  /** Find the answer on a fresh device. */
  ask(strategy: SparseStrategy): Promise<Verdict>;
}

/** Questions about unbound addresses. */
export const UNBOUND_QUESTIONS: readonly Question[] = [
  { id: "read-faults", question: "Does a read of an unbound page fault?", ask: readFaults },
  { id: "write-faults", question: "Does a write to an unbound page fault?", ask: writeFaults },
  { id: "executes", question: "Can instructions be fetched from an unbound page?", ask: executes },
  {
    id: "value-before-write",
    question: "What does an unbound page read before anything was written?",
    ask: valueBefore,
  },
  { id: "value-after-write", question: "What does it read after a write to it?", ask: valueAfter },
  {
    id: "strict-honest",
    question: "Is residencyNonResidentStrict, as the user-mode driver reports it, true?",
    ask: strict,
  },
  {
    id: "aliases-same-resource",
    question: "At how many other addresses of a buffer of 100e6 bytes is such a write read back?",
    ask: aliasesSame,
  },
  {
    id: "aliases-other-resource",
    question: "Is it read back in another unbound resource of the same VM?",
    ask: aliasesOther,
  },
  {
    id: "visible-other-vm",
    question: "Is it visible in another VM of the same open file?",
    ask: (s) => visible(s, "vm"),
  },
  {
    id: "visible-other-file",
    question: "Is it visible to another open file?",
    ask: (s) => visible(s, "file"),
  },
  {
    id: "reaches-bound",
    question: "Do writes to unbound pages reach bound memory, or the other way?",
    ask: reachesBound,
  },
  { id: "border", question: "What happens to a store across a bound/unbound border?", ask: border },
  { id: "behind-the-end", question: "What does the address right behind the resource read?", ask: behind },
];

/** A word in words. */
export function word(value: number | null): string {
  if (value === null) return "faults";
  if (value === MARK) return "what was written";
  return value === 0 ? "0" : `0x${value.toString(16)}`;
}

/** A count of pages in words. */
export function pages(count: number, of: number): string {
  if (count === 0) return "no";
  return count === of ? "yes, every page" : `yes, ${count} of ${of} pages`;
}

async function readFaults(strategy: SparseStrategy): Promise<Verdict> {
  const probe = await Probe.open(strategy);
  const offsets = probe.offsets();
  for (const offset of offsets) probe.read(offset);
  const { faults } = probe;
  const samples = offsets.length;
  return { answer: pages(faults, samples), ok: faults === 0, detail: { samples, faults } };
}

async function writeFaults(strategy: SparseStrategy): Promise<Verdict> {
  const probe = await Probe.open(strategy);
  const offsets = probe.offsets();
  for (const offset of offsets) probe.write(offset, MARK);
  const { faults } = probe;
  const samples = offsets.length;
  return { answer: pages(faults, samples), ok: faults === 0, detail: { samples, faults } };
}

async function executes(strategy: SparseStrategy): Promise<Verdict> {
  const probe = await Probe.open(strategy);
  const fetched = probe.fetch(SPOT);
  const { faults } = probe;
  return { answer: fetched && faults === 0 ? "yes" : "no", ok: null, detail: { offset: SPOT, faults } };
}

async function valueBefore(strategy: SparseStrategy): Promise<Verdict> {
  const probe = await Probe.open(strategy);
  const offsets = probe.offsets(SPOT % PAGE_BYTES);
  const values = new Set(offsets.map((offset) => probe.read(offset)));
  const before = values.size === 1 ? ([...values][0] as number | null) : null;
  const twoAddresses = probe.run.session.mirrorOffset !== 0;
  return {
    answer: values.size === 1 ? word(before) : `${values.size} different words`,
    ok: before === 0 && probe.faults === 0,
    detail: {
      samples: offsets.length,
      before,
      ...(twoAddresses && { writeSideBefore: probe.readWriteSide(SPOT) }),
    },
  };
}

async function valueAfter(strategy: SparseStrategy): Promise<Verdict> {
  const probe = await Probe.open(strategy);
  const before = probe.read(SPOT);
  probe.write(SPOT, MARK);
  const after = probe.read(SPOT);
  return {
    answer: word(after),
    ok: after === 0 ? true : null,
    detail: { va: probe.resource.va + SPOT, offset: SPOT, written: MARK, before, after },
  };
}

/** Strict: every unbound page reads 0, whatever was written there. */
async function strict(strategy: SparseStrategy): Promise<Verdict> {
  const probe = await Probe.open(strategy);
  const offsets = probe.offsets(SPOT % PAGE_BYTES);
  for (const offset of offsets) probe.write(offset, MARK);
  const observed = offsets.every((offset) => probe.read(offset) === 0) && probe.faults === 0;
  const reported = strategy.reportsStrict;
  const say = (yes: boolean) => (yes ? "yes" : "no");
  return {
    answer: `reported ${say(reported)}, observed ${say(observed)}`,
    ok: observed || !reported,
    detail: { samples: offsets.length, reported, observed },
  };
}

async function aliasesSame(strategy: SparseStrategy): Promise<Verdict> {
  const probe = await Probe.open(strategy, THREAD_BYTES);
  const offsets = probe.offsets(SPOT % PAGE_BYTES).filter((offset) => offset !== SPOT);
  probe.write(SPOT, MARK);
  const seen = offsets.filter((offset) => probe.read(offset) === MARK);
  const atWriteSide = offsets.filter((offset) => probe.readWriteSide(offset) === MARK);
  const distances = (seen.length > 0 ? seen : atWriteSide).map((offset) => Math.abs(offset - SPOT));
  const twoAddresses = probe.run.session.mirrorOffset !== 0;
  return {
    answer: seen.length === 0 ? "none" : `${seen.length}`,
    ok: seen.length === 0 ? true : null,
    detail: {
      offset: SPOT,
      written: MARK,
      samples: offsets.length,
      aliases: seen.length,
      ...(twoAddresses && { writeSideAliases: atWriteSide.length }),
      sharedBytes: distances.length === 0 ? 0 : distances.reduce((a, b) => Math.min(a, b)),
    },
  };
}

async function aliasesOther(strategy: SparseStrategy): Promise<Verdict> {
  const probe = await Probe.open(strategy);
  const other = probe.create("other", PROBE_BYTES);
  const offsets = probe.offsets(SPOT % PAGE_BYTES);
  probe.write(SPOT, MARK);
  const aliases = offsets.filter((offset) => probe.read(offset, other) === MARK).length;
  const writeSideAliases = offsets.filter((offset) => probe.readWriteSide(offset, other) === MARK).length;
  const twoAddresses = probe.run.session.mirrorOffset !== 0;
  return {
    answer: pages(aliases, offsets.length),
    ok: aliases === 0 ? true : null,
    detail: {
      offset: SPOT,
      written: MARK,
      samples: offsets.length,
      aliases,
      ...(twoAddresses && { writeSideAliases }),
    },
  };
}

/** Both sides have a resource at the same address; what one stores, does the other load? */
async function visible(strategy: SparseStrategy, where: Where): Promise<Verdict> {
  const probe = await Probe.open(strategy);
  const { session } = probe.run;
  const { va, bytes } = probe.resource;
  const neighbour = session.neighbour(where);
  for (const call of neighbour.umd.create(va, bytes)) mustIssue(neighbour.file, call);
  const offsets = probe.offsets(SPOT % PAGE_BYTES);
  for (const offset of offsets) probe.write(offset, MARK);
  const sides = session.mirrorOffset === 0 ? [0] : [0, session.mirrorOffset];
  const seen = (side: number): number => {
    const space = neighbour.vm.addressSpace;
    return offsets.filter((offset) => probe.readAt(va + side + offset, space) === MARK).length;
  };
  const aliases = Math.max(...sides.map(seen));
  const mayBe = where === "vm" ? null : false;
  return {
    answer: pages(aliases, offsets.length),
    ok: aliases === 0 ? true : mayBe,
    detail: { va, written: MARK, samples: offsets.length, aliases, faults: probe.faults },
  };
}

/** A block is bound in the middle and everything is written, first outside of it, then inside. */
async function reachesBound(strategy: SparseStrategy): Promise<Verdict> {
  const probe = await Probe.open(strategy);
  const start = 8 * probe.blockBytes;
  probe.bindBlock(start);
  const offsets = probe.offsets(SPOT % PAGE_BYTES);
  const inside = offsets.filter((offset) => offset >= start && offset < start + probe.blockBytes);
  const outside = offsets.filter((offset) => !inside.includes(offset));
  const valuesOf = (list: readonly number[]) => list.map((offset) => probe.read(offset));
  const difference = (before: (number | null)[], list: readonly number[]) =>
    valuesOf(list).filter((value, i) => value !== before[i]).length;

  const insideBefore = valuesOf(inside);
  for (const offset of outside) probe.write(offset, MARK);
  const reached = difference(insideBefore, inside);
  const outsideBefore = valuesOf(outside);
  for (const offset of inside) probe.write(offset, ~MARK >>> 0);
  const changed = reached + difference(outsideBefore, outside);
  return {
    answer: pages(changed, offsets.length),
    ok: changed === 0,
    detail: { offset: start, samples: offsets.length, changed, faults: probe.faults },
  };
}

/** Eight bytes, four on each side of the start of a bound block. */
async function border(strategy: SparseStrategy): Promise<Verdict> {
  const probe = await Probe.open(strategy);
  const start = 8 * probe.blockBytes;
  probe.bindBlock(start);
  const va = probe.resource.va + start - 4;
  const before = probe.faults;
  probe.storeAt(va, new Uint8Array(new Uint32Array([MARK, MARK]).buffer));
  const faults = probe.faults - before;
  const unbound = probe.read(start - 4);
  const bound = probe.read(start);
  return {
    answer: `bound half ${bound === MARK ? "stored" : "lost"}, unbound half ${unbound === MARK ? "readable" : "dropped"}`,
    ok: bound === MARK && faults === 0,
    detail: { va, written: MARK, before: unbound, after: bound, faults },
  };
}

async function behind(strategy: SparseStrategy): Promise<Verdict> {
  const probe = await Probe.open(strategy);
  const { bytes, va } = probe.resource;
  const after = probe.read(bytes);
  const { faults } = probe;
  const soft = after !== null && faults > 0;
  return {
    answer: soft ? `${word(after)}, a soft fault` : word(after),
    ok: null,
    detail: { va: va + bytes, offset: bytes, after, faults },
  };
}
