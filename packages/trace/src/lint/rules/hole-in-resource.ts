/**
 * A resource gets a hole: a part where the GPU faults.
 *
 * @module
 */

import { size, span } from "@vmbind/drm";
import type { OpRef } from "../../space/piece.ts";
import { type Resource, resourceName } from "../../space/resource.ts";
import type { VmSpace } from "../../space/vm-space.ts";
import type { LintCall, LintContext, LintRule, LintVmEnd, RuleRun } from "../rule.ts";

/** See the module. */
export const holeInResource: LintRule = {
  id: "hole-in-resource",
  title: "a resource that had none gets a hole",
  category: "correctness",
  severity: "error",
  what: "An unmap, or a closed handle that takes its mappings with it, leaves a part of a sparse resource with nothing behind it, and the resource goes on being used, or lives on to the end of its VM. A resource that is taken down piece by piece is left alone, and a hole that the same call fills.",
  why: "The point of a sparse resource is that the GPU may touch what is not bound. In a hole it may not: it faults, and the context is lost.",
  advice:
    "unbind by saying that nothing is bound there, with the operation that made the resource; unmap only the whole",
  examples: {
    bad: `
object 1 64KiB
sparse 0x200000 2MiB
bind 0x210000 64KiB object 1
unmap 0x210000 64KiB
bind 0x220000 64KiB object 1
unmap 0x200000 2MiB`,
    good: `
object 1 64KiB
sparse 0x200000 2MiB
bind 0x210000 64KiB object 1
unbind 0x210000 64KiB
bind 0x220000 64KiB object 1
unmap 0x200000 2MiB`,
  },
  start: (context) => new Holes(context),
};

interface Hole {
  readonly by: OpRef | LintCall["ref"];
  readonly addr: number;
  readonly end: number;
}

class Holes implements RuleRun {
  readonly #context: LintContext;
  readonly #open = new Map<Resource, Hole[]>();

  constructor(context: LintContext) {
    this.#context = context;
  }

  call({ changes, vm, mapped, ref }: LintCall): void {
    for (const place of mapped) {
      for (const { addr, end, view, is } of place.pieces) {
        if (view === 0 && is === "memory") this.#look(place.vm, addr, end, ref);
      }
    }
    if (vm === null) return;
    for (const { resource, op, ends, makes } of changes) {
      for (const old of ends) this.#open.delete(old);
      const goesOn = resource !== null && op.effect === "map" && !makes && op.sparse?.view === undefined;
      if (goesOn && this.#open.has(resource)) this.#tell(vm, resource);
    }
    for (const { ref: at, op } of changes) {
      const unmaps = op.effect === "unmap" || op.effect === "unmap-at" || op.effect === "unmap-object";
      if (unmaps && op.sparse === undefined) this.#look(vm, at.addr, at.end, at);
    }
  }

  vmEnds({ vm }: LintVmEnd): void {
    for (const resource of vm.resources.living) if (this.#open.has(resource)) this.#tell(vm, resource);
  }

  /** Find what is mapped nowhere in a range, within the resources there. */
  #look(vm: VmSpace, addr: number, end: number, by: Hole["by"]): void {
    for (const resource of vm.resources.in(addr, end)) {
      if (resource.below) continue;
      const from = Math.max(addr, resource.addr);
      const to = Math.min(end, resource.end);
      let at = from;
      const holes = this.#open.get(resource) ?? [];
      for (const piece of vm.pieces.in(from, to)) {
        if (piece.addr > at) holes.push({ by, addr: at, end: piece.addr });
        at = Math.max(at, piece.end);
      }
      if (at < to) holes.push({ by, addr: at, end: to });
      const bytes = holes.reduce((sum, hole) => sum + hole.end - hole.addr, 0);
      // More than half of it gone: it is being taken down.
      if (bytes * 2 > resource.end - resource.addr) this.#open.delete(resource);
      else if (holes.length > 0) this.#open.set(resource, holes);
    }
  }

  #tell(vm: VmSpace, resource: Resource): void {
    const [hole] = this.#open.get(resource) ?? [];
    this.#open.delete(resource);
    if (hole === undefined) return;
    const { by, addr, end } = hole;
    const stillOpen = vm.pieces
      .in(addr, end)
      .reduce((left, p) => left - (Math.min(end, p.end) - Math.max(addr, p.addr)), end - addr);
    if (stillOpen <= 0) return;
    const finding = this.#context.report({
      at: by,
      vm: vm.id,
      addr,
      range: end - addr,
      place: this.#context.place(vm, addr),
      text: `leaves nothing at ${span(addr, end - addr)}: a hole of ${size(end - addr)} in ${resourceName(resource)}, where the GPU faults`,
      related: [{ at: resource.by, text: `makes ${resourceName(resource)}` }],
    });
    this.#context.explain(finding, by);
  }
}
