/**
 * A bind sticks out of its resource.
 *
 * @module
 */

import { size, span } from "@vmbind/drm";
import { type Resource, resourceName } from "../../space/resource.ts";
import type { OpChange } from "../../space/world.ts";
import type { LintRule } from "../rule.ts";

/** See the module. */
export const bindOutsideResource: LintRule = {
  id: "bind-outside-resource",
  title: "a bind or unbind sticks out of its resource",
  category: "correctness",
  severity: "error",
  what: "An operation that lies in a sparse resource for a part, and beyond its edge for the rest. An unmap that takes a whole resource, and something beside it, is left alone: user-mode drivers free what they put around a resource with it.",
  why: "What lies beyond the edge belongs to somebody else, or to nobody: the GPU gets at memory through an address that the program never asked for, and nobody unmaps it.",
  advice: "check the offset in the resource and the length; one page too many is the usual case",
  examples: {
    bad: `
object 1 64KiB
sparse 0x200000 2MiB
bind 0x3f1000 64KiB object 1`,
    good: `
object 1 64KiB
sparse 0x200000 2MiB
bind 0x3f0000 64KiB object 1
unmap 0x200000 2MiB`,
  },
  start: (context) => ({
    call({ changes, vm }) {
      if (vm === null) return;
      for (const change of changes) {
        const { ref, op } = change;
        if (op.effect !== "map" || op.sparse?.view !== undefined) continue;
        const resource = crossed(change);
        if (resource === null) continue;
        const front = Math.max(0, resource.addr - ref.addr);
        const behind = Math.max(0, ref.end - resource.end);
        const where = front > 0 ? `${size(front)} before its first byte` : `${size(behind)} beyond its end`;
        const finding = context.report({
          at: ref,
          vm: vm.id,
          addr: ref.addr,
          range: op.range,
          place: context.place(vm, Math.max(ref.addr, resource.addr)),
          text: `maps ${span(ref.addr, op.range)}, which reaches ${where} of ${resourceName(resource)} ${span(resource.addr, resource.end - resource.addr)}`,
          related: [{ at: resource.by, text: `makes ${resourceName(resource)}` }],
        });
        context.explain(finding, ref);
      }
    },
  }),
};

/** A resource that the operation touches and does not stay in, its own or another. */
function crossed({ ref, resource, makes, meets }: OpChange): Resource | null {
  if (!makes && resource !== null && ref.end > resource.end) return resource;
  const other = meets.find(({ addr, end }) => !(ref.addr <= addr && end <= ref.end));
  return other !== undefined && !(makes && other === resource) ? other : null;
}
