/**
 * A resource with a second view goes, and the view stays.
 *
 * @module
 */

import { counted, size, span } from "@vmbind/drm";
import { type CallRef, type Piece, refName } from "../../space/piece.ts";
import { type Resource, resourceName } from "../../space/resource.ts";
import type { VmSpace } from "../../space/vm-space.ts";
import { fold, type LintFinding } from "../finding.ts";
import type { LintCall, LintContext, LintRule, RuleRun } from "../rule.ts";

/** See the module. */
export const viewLeftBehind: LintRule = {
  id: "view-left-behind",
  title: "a resource is unmapped and its second view is not",
  category: "lifetime",
  severity: "error",
  what: "A sparse resource that shows at two addresses is unmapped at the first, and the second is still mapped when the client goes on to its next step, or makes something else. The first of a trace is told, the others are counted there.",
  why: "Nobody knows the address any more, so nobody unmaps it: mappings, page tables and the memory behind them stay until the VM goes, and a stale pointer still reads what the pool holds for others now.",
  advice: "unmap both views when the resource is destroyed",
  examples: {
    bad: `
object 1 16KiB
sparse 0x10000000 2MiB
sparse 0x20000000 2MiB view 0x10000000
unmap 0x10000000 2MiB
mark free-pool`,
    good: `
object 1 16KiB
sparse 0x10000000 2MiB
sparse 0x20000000 2MiB view 0x10000000
unmap 0x10000000 2MiB
unmap 0x20000000 2MiB view 0x10000000
mark free-pool`,
  },
  start: (context) => new LeftBehind(context),
};

interface Gone {
  readonly vm: VmSpace;
  readonly resource: Resource;
  readonly by: CallRef;
}

class LeftBehind implements RuleRun {
  readonly #context: LintContext;
  #gone: Gone[] = [];
  /** The first of its kind; the others are counted there. */
  #told: LintFinding | null = null;

  constructor(context: LintContext) {
    this.#context = context;
  }

  call({ action, vm, changes, ref }: LintCall): void {
    // The other view may go first, or with the next call; whatever else comes means that it does not.
    const waits = vm !== null && changes.every(({ op }) => op.effect !== "map");
    if (!waits && action.kind !== "other") this.#settle();
    if (vm === null) return;
    for (const { ends } of changes) {
      for (const resource of ends) if (resource.view !== 0) this.#gone.push({ vm, resource, by: ref });
    }
  }

  mark(): void {
    this.#settle();
  }

  vmEnds(): void {
    this.#settle();
  }

  #settle(): void {
    for (const { vm, resource, by } of this.#gone) {
      const { addr, end, view } = resource;
      const left = vm.pieces.in(addr + view, end + view).filter((piece) => piece.view === view);
      if (left.length === 0) continue;
      const bytes = left.reduce((sum, piece) => sum + piece.end - piece.addr, 0);
      const first = left[0] as Piece;
      if (this.#told !== null) {
        fold(this.#told, viewLeftBehind.id);
        for (const piece of left) this.#context.explain(this.#told, piece.by);
        continue;
      }
      const finding = this.#context.report({
        at: by,
        vm: vm.id,
        addr: addr + view,
        range: end - addr,
        place: `${resourceName(resource)}, second view`,
        text: `unmaps ${resourceName(resource)} at ${span(addr, end - addr)} and not its second view at ${span(addr + view, end - addr)}: ${counted(left.length, "mapping")} of ${size(bytes)} stay`,
        related: [{ at: first.by, text: `made the second view; ${refName(by)} did not take it` }],
      });
      this.#told = finding;
      for (const piece of left) this.#context.explain(finding, piece.by);
    }
    this.#gone = [];
  }
}
