/**
 * A handle is closed while its memory is bound.
 *
 * @module
 */

import { counted, size, span } from "@vmbind/drm";
import { objectName, type Piece } from "../../space/piece.ts";
import { resourceName } from "../../space/resource.ts";
import type { LintRule } from "../rule.ts";

/** See the module. */
export const closeWhileBound: LintRule = {
  id: "close-while-bound",
  title: "a handle is closed while its memory is bound in a sparse resource",
  category: "lifetime",
  severity: "error",
  what: "A GEM_CLOSE of an object of which parts are bound in a living sparse resource. Where the driver takes the mappings away with the handle, those parts are holes from then on: an error. Where it keeps them, a warning; and a note for memory that is mapped outside of resources, which only lives on until it is unmapped.",
  why: "Either the GPU faults in the resource, or memory stays alive that no handle names: it is charged to the process, cannot be reused, and goes only when every mapping is gone.",
  advice: "unbind the memory, or destroy the resource, before the handle is closed",
  examples: {
    bad: `
object 1 64KiB
sparse 0x200000 2MiB
bind 0x210000 64KiB object 1
close 1
unmap 0x200000 2MiB`,
    good: `
object 1 64KiB
sparse 0x200000 2MiB
bind 0x210000 64KiB object 1
unmap 0x200000 2MiB
close 1`,
  },
  start(context) {
    const { closeUnmaps } = context.world;
    return {
      call({ closed, mapped, ref }) {
        if (closed === null) return;
        for (const { vm, pieces } of mapped) {
          const memory = pieces.filter((piece) => piece.is === "memory" && !piece.aside && piece.view === 0);
          const bound = memory.filter(({ addr }) => vm.resources.at(addr) !== null);
          const told = bound.length > 0 ? bound : memory;
          const first = told[0] as Piece | undefined;
          if (first === undefined || (closeUnmaps && bound.length === 0)) continue;
          const resource = vm.resources.at(first.addr);
          const bytes = told.reduce((sum, { addr, end }) => sum + end - addr, 0);
          const outcome = closeUnmaps ? "its mappings go with it" : "its memory lives on without a handle";
          const where = resource === null ? span(first.addr, first.end - first.addr) : resourceName(resource);
          const severity = bound.length === 0 ? "note" : closeUnmaps ? "error" : "warning";
          const finding = context.report(
            {
              severity,
              at: ref,
              vm: vm.id,
              addr: first.addr,
              range: first.end - first.addr,
              place: context.place(vm, first.addr),
              text: `closes ${objectName(closed)} while ${counted(told.length, "mapping")} of ${size(bytes)} in ${where} ${told.length === 1 ? "shows" : "show"} it; ${outcome}`,
              related: [
                {
                  at: first.by,
                  text: `mapped it at ${span(first.by.addr, first.by.end - first.by.addr)}`,
                },
              ],
            },
            first.by,
          );
          if (severity === "error") context.explain(finding, ref);
        }
      },
    };
  },
};
