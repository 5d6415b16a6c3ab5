/**
 * A page of memory is bound at two places.
 *
 * @module
 */

import { counted, hex, size } from "@vmbind/drm";
import { type Cut, type Hits, type Interval, IntervalMap, noHits } from "../../model/intervals.ts";
import { type OpRef, objectName, refName } from "../../space/piece.ts";
import type { VmSpace } from "../../space/vm-space.ts";
import type { OpChange } from "../../space/world.ts";
import type { LintFinding } from "../finding.ts";
import type { LintCall, LintContext, LintRule, LintVmEnd, RuleRun } from "../rule.ts";

/** Pairs of one object that are told; the others are counted. */
const TOLD_MAX = 8;
/** Nobody gives memory out in larger blocks. */
const BLOCK_MAX: number = 2 ** 21;

/** See the module. */
export const pageBoundTwice: LintRule = {
  id: "page-bound-twice",
  title: "a page of memory is bound at two places of sparse resources",
  category: "correctness",
  severity: "error",
  what: "The same bytes of an object are bound at two addresses of sparse resources, the GPU may write through both, and that is still so when the client goes on to its next step. Where an object is mapped as a whole beside that, and second views of a resource, are left alone: user-mode drivers map all memory at an address of its own.",
  why: "Two parts of a resource, or two resources, overwrite each other. Vulkan allows it for resources that are made as aliased; everywhere else memory was given out twice, or an unbind missed a part.",
  advice: "unbind the first place before the memory is bound at the second",
  examples: {
    bad: `
object 1 1MiB
sparse 0x200000 2MiB
bind 0x210000 64KiB object 1 + 0x20000
bind 0x310000 64KiB object 1 + 0x20000
mark wait-idle
unmap 0x200000 2MiB`,
    good: `
object 1 1MiB
map 0x800000 1MiB object 1
sparse 0x200000 2MiB
bind 0x210000 64KiB object 1 + 0x20000
call
  unbind 0x210000 64KiB
  bind 0x310000 64KiB object 1 + 0x20000
mark wait-idle
unmap 0x200000 2MiB
unmap 0x800000 1MiB`,
  },
  start: (context) => new BoundTwice(context),
};

const OFF_BY_ONE =
  "it is the one page at the edge of two binds: the offset or the length of one of them is probably a page off";

/** Whether two binds that are longer share a single page. */
function isEdge(bytes: number, page: number, first: Place, second: Place): boolean {
  return bytes === page && first.by.end - first.by.addr > page && second.by.end - second.by.addr > page;
}

/** Bytes of an object, and where they were bound last: an interval whose addresses are offsets in the object. */
interface Place extends Interval {
  readonly vm: VmSpace;
  /** Where the operation bound its first byte, and which byte of the object that was: the same for all that is cut of it. */
  readonly va: number;
  readonly start: number;
  readonly by: OpRef;
}

const cutPlace: Cut<Place> = ({ kind, object, vm, va, start, by }, addr, end, offset) => ({
  addr,
  end,
  kind,
  object,
  offset,
  vm,
  va,
  start,
  by,
});

interface Pair {
  readonly object: number;
  readonly from: number;
  readonly to: number;
  readonly first: Place;
  readonly second: Place;
}

class BoundTwice implements RuleRun {
  readonly #context: LintContext;
  readonly #places = new Map<number, IntervalMap<Place>>();
  readonly #hits: Hits = noHits();
  readonly #told = new Map<string, LintFinding>();
  readonly #names = new Map<number, string>();
  readonly #ended = new Set<VmSpace>();
  #pairs: Pair[] = [];

  constructor(context: LintContext) {
    this.#context = context;
  }

  call({ vm, changes, action }: LintCall): void {
    if (action.kind === "bo-create" || action.kind === "vm-destroy") this.#settle();
    if (vm === null) return;
    for (const change of changes) this.#take(vm, change);
    // An array is one step; where there are none, a step goes on to the next mark.
    if (changes.length > 1) this.#settle();
  }

  mark(): void {
    this.#settle();
  }

  vmEnds({ vm }: LintVmEnd): void {
    this.#settle();
    this.#ended.add(vm);
  }

  end(): void {
    this.#settle();
  }

  #take(vm: VmSpace, { ref, op, object, resource, makes }: OpChange): void {
    const isMemory = op.effect === "map" && op.sparse === undefined && object !== null;
    if (!isMemory || resource === null || makes) return;
    const places = this.#places.get(object.number) ?? new IntervalMap(cutPlace);
    this.#places.set(object.number, places);
    this.#names.set(object.number, objectName(object));
    const from = op.offset;
    const to = op.offset + op.range;
    const place: Place = {
      addr: from,
      end: to,
      kind: "",
      object: object.number,
      offset: 0,
      vm,
      va: ref.addr,
      start: from,
      by: ref,
    };
    for (const old of places.in(from, to)) {
      if (this.#ended.has(old.vm)) continue;
      this.#pairs.push({
        object: object.number,
        from: Math.max(from, old.addr),
        to: Math.min(to, old.end),
        first: old,
        second: place,
      });
    }
    places.map(place, this.#hits);
  }

  #settle(): void {
    for (const pair of this.#pairs) {
      // Bound again where it is: the same place.
      if (pair.first.vm === pair.second.vm && place(pair.first, 0) === place(pair.second, 0)) continue;
      const bytes = stillBound(pair);
      if (bytes > 0) this.#tell(pair, bytes);
    }
    this.#pairs = [];
  }

  #tell({ object, from, first, second }: Pair, bytes: number): void {
    const key = `${object} ${first.by.seq}:${first.by.op}`;
    if (this.#told.has(key)) return;
    const ofObject = [...this.#told.keys()].filter((k) => k.startsWith(`${object} `)).length;
    if (ofObject >= TOLD_MAX) return;
    const name = this.#names.get(object) ?? "an object";
    const isOneOff = isEdge(bytes, this.#context.pageBytes, first, second);
    // The one that does not fit the blocks of memory that the other one keeps to is likely wrong; else the later one.
    const stray = isOneOff && fit(first) < fit(second) ? first : second;
    const other = stray === first ? second : first;
    const [mine, others] = [place(stray, from), place(other, from)];
    const pages = counted(Math.max(1, Math.round(bytes / this.#context.pageBytes)), "page");
    const finding = this.#context.report(
      {
        at: stray.by,
        vm: stray.vm.id,
        addr: mine,
        range: bytes,
        place: this.#context.place(stray.vm, mine),
        text: `binds ${pages} of ${name} + ${hex(from)} at ${this.#context.place(stray.vm, mine)}, and ${refName(other.by)} has them at ${this.#context.place(other.vm, others)}, too: ${size(bytes)} are writable at two addresses`,
        ...(isOneOff && { advice: OFF_BY_ONE }),
        related: [{ at: other.by, text: `bound them at ${hex(others)}, and nobody has unbound them` }],
      },
      other.by,
    );
    this.#told.set(key, finding);
    this.#context.explain(finding, first.by);
    this.#context.explain(finding, second.by);
  }
}

/** The largest power of two that divides where a bind begins in its object, and its length. */
function fit({ start, by }: Place): number {
  let power = 1;
  while (power < BLOCK_MAX && start % (power * 2) === 0 && (by.end - by.addr) % (power * 2) === 0) power *= 2;
  return power;
}

/** Where in the address space a byte of the object was bound. */
function place({ va, start }: Place, byte: number): number {
  return va + byte - start;
}

/** @returns bytes of the pair that are bound and writable at both addresses now */
function stillBound({ object, from, to, first, second }: Pair): number {
  const one = place(first, from);
  const two = place(second, from);
  let bytes = 0;
  for (const a of first.vm.pieces.in(one, one + to - from)) {
    if (!shows(a, object, one, from)) continue;
    const start = Math.max(a.addr, one) - one;
    const stop = Math.min(a.end, one + to - from) - one;
    for (const b of second.vm.pieces.in(two + start, two + stop)) {
      if (!shows(b, object, two, from)) continue;
      bytes += Math.min(b.end, two + stop) - Math.max(b.addr, two + start);
    }
  }
  return bytes;
}

function shows(
  piece: { object: number; is: string; mayWrite: boolean; aside: boolean; addr: number; offset: number },
  object: number,
  va: number,
  from: number,
): boolean {
  const isThere = piece.object === object && piece.offset - piece.addr === from - va;
  return isThere && piece.is === "memory" && piece.mayWrite && !piece.aside;
}
