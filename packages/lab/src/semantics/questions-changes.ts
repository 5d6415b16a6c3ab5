/**
 * Questions of the semantics matrix about change: what unbound and bound addresses show after a handle was closed, memory
 * was evicted, a mapping was cut, or the resource has gone.
 *
 * @module
 */

import type { SparseStrategy } from "../strategy/strategy.ts";
import { MARK, PAGE_BYTES, PROBE_BYTES, Probe, SPOT } from "./probe.ts";
import { pages, type Question, type Verdict, word } from "./questions.ts";

/** Questions about change. */
export const CHANGE_QUESTIONS: readonly Question[] = [
  {
    id: "memory-handle-closed",
    question: "What does a bound block read after the handle of its memory was closed?",
    ask: memoryClosed,
  },
  {
    id: "dummy-handle-closed",
    question: "Do unbound pages fault after the handles behind them were closed?",
    ask: dummyClosed,
  },
  {
    id: "evicted",
    question: "What do unbound pages read after what is behind them was evicted, and after the next submit?",
    ask: evicted,
  },
  {
    id: "cut-in-window",
    question: "Does a bind that cuts the sparse mapping off its window change what the rest shows?",
    ask: cut,
  },
  {
    id: "partial-unmap",
    question: "What does the hole of a partial unmap off the window read, and is the rest as before?",
    ask: partialUnmap,
  },
  { id: "unbound-again", question: "What does a block read after its memory was unbound?", ask: unbound },
  {
    id: "new-resource",
    question: "Does a new resource show what was written to unbound pages of a destroyed one?",
    ask: newResource,
  },
  {
    id: "destroyed",
    question: "What does the address read after the resource was destroyed?",
    ask: destroyed,
  },
];

async function memoryClosed(strategy: SparseStrategy): Promise<Verdict> {
  const probe = await Probe.open(strategy);
  const offset = 8 * probe.blockBytes;
  const memory = probe.bindBlock(offset);
  probe.write(offset, MARK);
  const before = probe.read(offset);
  probe.closeHandle(memory.handle);
  const after = probe.read(offset);
  return {
    answer: withSoftFault(after, probe.faults),
    ok: null,
    detail: { offset, written: MARK, before, after, faults: probe.faults },
  };
}

/** A load that the shader got a word from although the GPU recorded a fault. */
function withSoftFault(value: number | null, faults: number): string {
  return value !== null && faults > 0 ? `${word(value)}, a soft fault` : word(value);
}

async function dummyClosed(strategy: SparseStrategy): Promise<Verdict> {
  const probe = await Probe.open(strategy);
  const { roles } = probe.run.session;
  if (roles.size === 0) return { answer: "there is no handle", ok: true, detail: { samples: 0, faults: 0 } };
  for (const handle of [...roles.keys()]) probe.closeHandle(handle);
  const offsets = probe.offsets();
  for (const offset of offsets) probe.read(offset);
  const { faults } = probe;
  return {
    answer: pages(faults, offsets.length),
    // No user-mode driver does this.
    ok: faults === 0 ? true : null,
    detail: { samples: offsets.length, faults },
  };
}

/** A shrinker takes the object away; a submit brings it back before the job runs. */
async function evicted(strategy: SparseStrategy): Promise<Verdict> {
  const probe = await Probe.open(strategy);
  const behind = probe.objectAt(SPOT);
  if (behind === null) {
    return { answer: "nothing to evict", ok: true, detail: { note: "no object is mapped" } };
  }
  const { shrinker } = probe.run.session;
  if (shrinker === null) {
    const note = "the driver has no shrinker: an object's pages stay until it goes";
    return { answer: "cannot be evicted", ok: true, detail: { note } };
  }
  probe.write(SPOT, MARK);
  const before = probe.read(SPOT);
  shrinker.evict(behind);
  const after = probe.read(SPOT);
  shrinker.submit();
  const restored = probe.read(SPOT);
  return {
    answer: `${word(after)}; then ${word(restored)}`,
    ok: restored === before,
    detail: { offset: SPOT, written: MARK, before, after, restored, faults: probe.faults },
  };
}

async function cut(strategy: SparseStrategy): Promise<Verdict> {
  const probe = await Probe.open(strategy);
  const { samples, changed } = aroundHole(probe, (offset) => {
    probe.bindBlock(offset);
    return probe.blockBytes;
  });
  return {
    answer: pages(changed, samples),
    ok: changed === 0,
    detail: { offset: holeIn(probe), samples, changed, faults: probe.faults },
  };
}

async function partialUnmap(strategy: SparseStrategy): Promise<Verdict> {
  const probe = await Probe.open(strategy);
  const { samples, changed } = aroundHole(probe, (offset) => probe.unmapBlock(offset));
  const offset = holeIn(probe);
  const before = probe.faults;
  const after = probe.readWriteSide(offset);
  const faults = probe.faults - before;
  const rest = changed === 0 ? "the rest as before" : `${changed} of ${samples} other pages are not`;
  return {
    answer: `${withSoftFault(after, faults)}; ${rest}`,
    ok: changed === 0,
    detail: { offset, samples, changed, after, faults },
  };
}

/** Where a block is cut out: in the middle of the second of three windows of 2 MiB. */
function holeIn(probe: Probe): number {
  const window = PROBE_BYTES / 3;
  return window + window / 2 + 3 * probe.blockBytes;
}

/**
 * Every page of the first window gets a word of its own, then a hole is made. The rest must show what it showed before;
 * where eviction exists, also after everything was mapped anew.
 */
function aroundHole(probe: Probe, make: (offset: number) => number): { samples: number; changed: number } {
  const offsets = probe.offsets();
  for (const offset of offsets) {
    if (offset < PROBE_BYTES / 3) probe.write(offset, MARK + offset / PAGE_BYTES);
  }
  const look = () => offsets.map((offset) => `${probe.read(offset)} ${probe.readWriteSide(offset)}`);
  const before = look();
  const start = holeIn(probe);
  const end = start + make(start);
  const differences = (): number => {
    const now = look();
    return offsets.filter((at, i) => (at < start || at >= end) && now[i] !== before[i]).length;
  };
  let changed = differences();
  const { shrinker } = probe.run.session;
  const behind = probe.objectAt(SPOT);
  if (shrinker !== null && behind !== null) {
    shrinker.evict(behind);
    shrinker.submit();
    changed += differences();
  }
  return { samples: offsets.length - (end - start) / PAGE_BYTES, changed };
}

async function unbound(strategy: SparseStrategy): Promise<Verdict> {
  const probe = await Probe.open(strategy);
  const offset = 8 * probe.blockBytes;
  probe.bindBlock(offset);
  probe.write(offset, MARK);
  const before = probe.read(offset);
  probe.unbindBlock(offset);
  const after = probe.read(offset);
  return {
    answer: word(after),
    ok: before === MARK && after !== MARK && probe.faults === 0,
    detail: { offset, written: MARK, before, after, faults: probe.faults },
  };
}

async function newResource(strategy: SparseStrategy): Promise<Verdict> {
  const probe = await Probe.open(strategy);
  const offsets = probe.offsets();
  for (const offset of offsets) probe.write(offset, MARK);
  probe.destroy();
  const fresh = probe.create("fresh", PROBE_BYTES);
  const aliases = offsets.filter((offset) => probe.read(offset, fresh) === MARK).length;
  return {
    answer: pages(aliases, offsets.length),
    ok: aliases === 0 ? true : null,
    detail: { written: MARK, samples: offsets.length, aliases },
  };
}

async function destroyed(strategy: SparseStrategy): Promise<Verdict> {
  const probe = await Probe.open(strategy);
  probe.write(SPOT, MARK);
  probe.destroy();
  const after = probe.read(SPOT);
  return {
    answer: withSoftFault(after, probe.faults),
    ok: null,
    detail: { va: probe.resource.va + SPOT, offset: SPOT, written: MARK, after, faults: probe.faults },
  };
}
