/**
 * An unbind lies a page beside the bind that it was meant for.
 *
 * @module
 */

import { size, span } from "@vmbind/drm";
import { type OpRef, refName } from "../../space/piece.ts";
import { type Resource, resourceName } from "../../space/resource.ts";
import type { VmSpace } from "../../space/vm-space.ts";
import type { OpChange } from "../../space/world.ts";
import type { LintCall, LintContext, LintRule, RuleRun } from "../rule.ts";

/** Lengths that binds have, about: only those of one length make a pair. */
const SPREAD = 16;
/** Pairs that chance may make before one is no surprise any more. */
const SURPRISE = 0.25;

/** See the module. */
export const unbindMissesBind: LintRule = {
  id: "unbind-misses-bind",
  title: "an unbind lies one page beside a bind of the same length",
  category: "correctness",
  severity: "error",
  what: "An unbind of a range that nobody bound as such, one page before or behind a living bind that is as long. One of the two is a page off. Single pages are left alone, and resources in which so much is bound and unbound at random that such a pair is no surprise.",
  why: "A page of the bind stays mapped after the application has given its memory to somebody else, and on the other side a page goes that should have stayed, or was never there.",
  advice: "compare the two calls: the application unbinds exactly what it has bound",
  examples: {
    bad: `
object 1 1MiB
sparse 0x200000 2MiB
bind 0x211000 64KiB object 1
unbind 0x210000 64KiB
unmap 0x200000 2MiB`,
    good: `
object 1 1MiB
sparse 0x200000 2MiB
bind 0x210000 64KiB object 1
unbind 0x210000 64KiB
unmap 0x200000 2MiB`,
  },
  start: (context) => new Misses(context),
};

/** What was bound in a resource. */
interface Bound {
  /** Ranges that ever were. */
  readonly ranges: Set<string>;
  /** Unbinds of other ranges. */
  unexplained: number;
}

class Misses implements RuleRun {
  readonly #context: LintContext;
  readonly #bound = new Map<Resource, Bound>();

  constructor(context: LintContext) {
    this.#context = context;
  }

  call({ changes, vm }: LintCall): void {
    if (vm === null) return;
    for (const change of changes) {
      const { op, resource, makes, ref, ends } = change;
      for (const old of ends) this.#bound.delete(old);
      if (resource === null || makes || op.sparse?.view !== undefined) continue;
      const says = op.sparse?.says;
      if (op.effect === "map" && says === undefined) this.#remember(resource, ref);
      else if (says === "unbound" || says === "uncover") this.#look(vm, resource, change);
    }
  }

  #remember(resource: Resource, { addr, end }: OpRef): void {
    const known = this.#bound.get(resource) ?? { ranges: new Set<string>(), unexplained: 0 };
    this.#bound.set(resource, known);
    known.ranges.add(`${addr}:${end}`);
  }

  #look(vm: VmSpace, resource: Resource, { ref, before }: OpChange): void {
    const page = this.#context.pageBytes;
    const length = ref.end - ref.addr;
    if (length <= page || this.#bound.get(resource)?.ranges.has(`${ref.addr}:${ref.end}`)) return;
    const known = this.#bound.get(resource);
    if (known === undefined) return;
    known.unexplained++;
    const beside = before.find(({ is, by, view }) => {
      const isBind = is === "memory" && view === 0 && by.seq !== ref.seq;
      const start = by.addr - ref.addr;
      return isBind && start === by.end - ref.end && Math.abs(start) === page;
    });
    if (beside === undefined) return;
    // Where the page on the other side was bound, too, the unbind may well have meant it.
    const other = beside.by.addr > ref.addr ? ref.addr : ref.end - page;
    if (before.some(({ is, addr, end }) => is === "memory" && addr < other + page && other < end)) return;
    // How many such pairs chance makes: each unbind that nobody can explain, against each bind, at two of all places.
    const places = (resource.end - resource.addr) / page;
    if ((known.unexplained * known.ranges.size * 2) / places / SPREAD > SURPRISE) return;
    const { by } = beside;
    const bytes = by.end - by.addr;
    const isBehind = by.addr > ref.addr;
    // The one that lies on the coarser grid is likely right.
    const at = alignment(by.addr - resource.addr) < alignment(ref.addr - resource.addr) ? by : ref;
    const finding = this.#context.report({
      at,
      vm: vm.id,
      addr: by.addr,
      range: bytes,
      place: this.#context.place(vm, by.addr),
      text: `${refName(by)} binds ${span(by.addr, bytes)} of ${resourceName(resource)}, and ${refName(ref)} unbinds as much ${size(page)} ${isBehind ? "before" : "behind"} it: one of them is a page off`,
      related: [
        { at: by, text: `binds ${span(by.addr, bytes)}` },
        { at: ref, text: `unbinds ${span(ref.addr, length)}, which nobody bound as such` },
      ],
    });
    this.#context.explain(finding, by);
    this.#context.explain(finding, ref);
  }
}

/** The largest power of two that divides a distance; any for none. */
function alignment(bytes: number): number {
  let power = 1;
  while (power < 2 ** 40 && bytes % (power * 2) === 0) power *= 2;
  return power;
}
