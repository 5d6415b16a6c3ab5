/**
 * The two views of a resource show different things.
 *
 * @module
 */

import { span } from "@vmbind/drm";
import type { OpRef, Piece } from "../../space/piece.ts";
import { type Resource, resourceName } from "../../space/resource.ts";
import type { VmSpace } from "../../space/vm-space.ts";
import type { Related } from "../finding.ts";
import type { LintCall, LintContext, LintRule, RuleRun } from "../rule.ts";

/** Ranges that wait to be looked at; more are looked at at once. */
const WAITING_MAX = 256;

/** See the module. */
export const viewsDiffer: LintRule = {
  id: "views-differ",
  title: "the two views of a resource show different memory",
  category: "correctness",
  severity: "error",
  what: "A bind that reached one view of a resource and not the other, once the client goes on to its next step: the second view has no memory where the first has, or other memory. Where the first has none, the second may have what stands for nothing.",
  why: "Some loads go through the one address and some through the other: a shader reads what it did not write.",
  advice: "bind and unbind both views with the same offset and length",
  examples: {
    bad: `
object 1 1MiB
sparse 0x10000000 2MiB
sparse 0x20000000 2MiB view 0x10000000
call
  bind 0x10010000 64KiB object 1
  bind 0x20020000 64KiB object 1 view 0x10000000
mark wait-idle`,
    good: `
object 1 1MiB
sparse 0x10000000 2MiB
sparse 0x20000000 2MiB view 0x10000000
call
  bind 0x10010000 64KiB object 1
  bind 0x20010000 64KiB object 1 view 0x10000000
mark wait-idle
call
  unmap 0x10000000 2MiB
  unmap 0x20000000 2MiB view 0x10000000`,
  },
  start: (context) => new ViewsDiffer(context),
};

interface Waiting {
  readonly vm: VmSpace;
  readonly resource: Resource;
  readonly ref: OpRef;
  /** Its range in the first view. */
  readonly addr: number;
  readonly end: number;
}

class ViewsDiffer implements RuleRun {
  readonly #context: LintContext;
  #waiting: Waiting[] = [];

  constructor(context: LintContext) {
    this.#context = context;
  }

  call({ vm, changes }: LintCall): void {
    if (vm === null) return;
    for (const { ref, op, resource, makes } of changes) {
      if (resource === null || resource.view === 0 || makes || op.effect !== "map") continue;
      const view = op.sparse?.view ?? 0;
      this.#waiting.push({ vm, resource, ref, addr: ref.addr - view, end: ref.end - view });
    }
    if (this.#waiting.length >= WAITING_MAX && changes.length > 1) this.#settle();
  }

  mark(): void {
    this.#settle();
  }

  vmEnds(): void {
    this.#settle();
  }

  end(): void {
    this.#settle();
  }

  #settle(): void {
    for (const waiting of this.#waiting) {
      const { vm, resource, ref, addr, end } = waiting;
      if (resource.gone !== null) continue;
      const at = this.#difference(waiting);
      if (at === null) continue;
      const finding = this.#context.report({
        at: ref,
        vm: vm.id,
        addr: at,
        range: end - at,
        place: this.#context.place(vm, at),
        text: `binds ${span(addr, end - addr)} of ${resourceName(resource)} in one view only: at ${span(at + resource.view, end - at)} the second view shows something else`,
        related: this.#others(waiting, at),
      });
      this.#context.explain(finding, ref);
      // What the other view's operation did to its own range is the same mistake.
      for (const piece of vm.pieces.in(addr + resource.view, end + resource.view)) {
        if (Math.abs(piece.by.seq - ref.seq) <= 1) this.#context.explain(finding, piece.by);
      }
    }
    this.#waiting = [];
  }

  #others({ vm, resource }: Waiting, at: number): Related[] {
    const [other] = vm.pieces.in(at + resource.view, at + resource.view + 1);
    const shown = other === undefined ? [] : [{ at: other.by, text: "is what the second view shows there" }];
    return [{ at: resource.by, text: `makes ${resourceName(resource)}` }, ...shown];
  }

  /** @returns the first address, in the first view, at which the views disagree; null for none */
  #difference({ vm, resource: { view }, addr, end }: Waiting): number | null {
    for (const piece of vm.pieces.in(addr, end)) {
      const from = Math.max(addr, piece.addr);
      const to = Math.min(end, piece.end);
      let at = from;
      for (const other of vm.pieces.in(from + view, to + view)) {
        const otherFrom = Math.max(from, other.addr - view);
        if (otherFrom > at) return at;
        if (!agrees(piece, other, view, otherFrom)) return otherFrom;
        at = Math.min(to, other.end - view);
      }
      if (at < to) return at;
    }
    return null;
  }
}

function agrees(first: Piece, second: Piece, view: number, at: number): boolean {
  if (first.is === "memory") {
    return (
      second.is === "memory" &&
      second.object === first.object &&
      second.offset + at + view - second.addr === first.offset + at - first.addr
    );
  }
  // What stands for nothing differs from view to view, and is said right before or behind; what is older was bound there.
  return second.is === "unbound" || second.by.seq >= first.by.seq - 1;
}
