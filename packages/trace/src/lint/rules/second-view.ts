/**
 * A resource shows at two addresses.
 *
 * @module
 */

import { counted, span } from "@vmbind/drm";
import { refName } from "../../space/piece.ts";
import { type Resource, resourceName } from "../../space/resource.ts";
import type { LintRule } from "../rule.ts";

/** See the module. */
export const secondView: LintRule = {
  id: "second-view",
  title: "every bind is made twice, for a second view of the resource",
  category: "cost",
  severity: "note",
  what: "Resources that the client keeps mapped at two addresses, with how many operations that takes. A warning where the GPU may write memory through both: then the same page is writable at two addresses, which hides races and defeats whatever a driver knows of a page's users.",
  why: "Operations, mappings and table entries double. It is what a uAPI costs that can say `unbound` to one kind of access only.",
  advice:
    "none for the client as long as the uAPI has no unbound state that all accesses honour; map the second view read-only where it is only read",
  examples: {
    bad: `
object 1 1MiB
sparse 0x10000000 2MiB
sparse 0x20000000 2MiB view 0x10000000
call
  bind 0x10010000 64KiB object 1
  bind 0x20010000 64KiB object 1 view 0x10000000
call
  unmap 0x10000000 2MiB
  unmap 0x20000000 2MiB view 0x10000000`,
    good: `
object 1 1MiB
sparse 0x10000000 2MiB
bind 0x10010000 64KiB object 1
unmap 0x10000000 2MiB`,
  },
  start(context) {
    const resources = new Set<Resource>();
    let operations = 0;
    let second = 0;
    let isWritable = false;
    return {
      call({ changes }) {
        for (const { op, resource, object } of changes) {
          operations++;
          if (op.sparse?.view === undefined) continue;
          second++;
          if (resource === null) continue;
          resources.add(resource);
          const piece = object !== null && op.sparse.says === undefined ? pieceOf(op.addr) : null;
          if (piece?.mayWrite && !piece.aside) isWritable = true;
        }
      },
      end() {
        const [first] = resources;
        if (first === undefined) return;
        const { addr, end, view, by } = first;
        context.report({
          ...(isWritable && { severity: "warning" as const }),
          at: by,
          addr: addr + view,
          range: end - addr,
          place: `${resourceName(first)}, second view`,
          text:
            `${resourceName(first)} shows a second time at ${span(addr + view, end - addr)}` +
            `${isWritable ? ", where the GPU may write, too" : ""}; ` +
            `${counted(resources.size, "resource")} of this kind, ${second} of ${counted(operations, "operation")} for second views (from ${refName(by)} on)`,
        });
      },
    };

    function pieceOf(addr: number): { mayWrite: boolean; aside: boolean } | null {
      for (const vm of context.world.vms) {
        const [found] = vm.pieces.in(addr, addr + 1);
        if (found !== undefined) return found;
      }
      return null;
    }
  },
};
