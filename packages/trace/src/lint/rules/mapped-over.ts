/**
 * A range is laid over one that nobody unmapped.
 *
 * @module
 */

import { size, span } from "@vmbind/drm";
import { type Piece, refName } from "../../space/piece.ts";
import { resourceName } from "../../space/resource.ts";
import type { VmSpace } from "../../space/vm-space.ts";
import type { OpChange } from "../../space/world.ts";
import type { LintContext, LintRule } from "../rule.ts";

/** See the module. */
export const mappedOver: LintRule = {
  id: "mapped-over",
  title: "a new range lies over one that is still mapped",
  category: "lifetime",
  severity: "warning",
  what: "A new resource, or a mapping outside of all resources, over what another object or resource still has mapped there. An error where a resource is concerned, or memory whose handle is closed: that was forgotten. A warning where one object is mapped over another, as tests of drivers do on purpose. Within a resource, binding over is the normal way to rebind.",
  why: "Addresses are given out again when their owner is believed gone: its UNMAP is missing, or came too late. Whoever still uses the old address reads and writes the new owner's memory.",
  advice: "unmap a range before its addresses are given out again",
  examples: {
    bad: `
object 1 64KiB
sparse 0x200000 2MiB
bind 0x200000 64KiB object 1
sparse 0x200000 4MiB`,
    good: `
object 1 64KiB
sparse 0x200000 2MiB
bind 0x200000 64KiB object 1
unmap 0x200000 2MiB
sparse 0x200000 4MiB
unmap 0x200000 4MiB`,
  },
  start: (context) => ({
    call({ changes, vm }) {
      if (vm !== null) for (const change of changes) look(context, vm, change);
    },
  }),
};

function look(
  context: LintContext,
  vm: VmSpace,
  { ref, op, object, before, resource, makes, ends }: OpChange,
): void {
  if (op.effect !== "map" || (op.sparse !== undefined && !makes)) return;
  // Inside of a resource, or of a range that the driver keeps for itself, mapping over is how one binds.
  if (resource !== null && !makes) return;
  const old = before.find(
    (piece) =>
      piece.view === 0 &&
      !piece.aside &&
      (piece.is === "memory" || ends.length > 0) &&
      !(piece.object !== 0 && piece.object === object?.number) &&
      piece.by.seq !== ref.seq,
  );
  if (old === undefined) return;
  const closed = context.world.closedObjects(vm.file).find(({ number }) => number === old.object);
  const ended = ends[0];
  const isError = makes || closed !== undefined || ended !== undefined;
  const whose = ended !== undefined ? resourceName(ended) : nameOf(old);
  const finding = context.report(
    {
      ...(isError && { severity: "error" as const }),
      at: ref,
      vm: vm.id,
      addr: Math.max(ref.addr, old.addr),
      range: Math.min(ref.end, old.end) - Math.max(ref.addr, old.addr),
      place: context.place(vm, ref.addr),
      text: `lays ${span(ref.addr, op.range)} over ${size(Math.min(ref.end, old.end) - Math.max(ref.addr, old.addr))} that ${whose} still has mapped`,
      related: [
        {
          at: old.by,
          text: `mapped ${span(old.by.addr, old.by.end - old.by.addr)}; nobody unmapped it since`,
        },
        ...(closed?.closed ? [{ at: closed.closed, text: "closed its handle" }] : []),
      ],
    },
    old.by,
  );
  if (isError) context.explain(finding, ref);
}

function nameOf({ is, by }: Piece): string {
  return is === "memory" ? `the mapping of ${refName(by)}` : `the range of ${refName(by)}`;
}
