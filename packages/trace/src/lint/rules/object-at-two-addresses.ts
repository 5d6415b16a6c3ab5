/**
 * An object is mapped at two addresses outside of sparse resources.
 *
 * @module
 */

import { counted, span } from "@vmbind/drm";
import { objectName, type SpaceObject } from "../../space/piece.ts";
import { piecesOf } from "../../space/vm-space.ts";
import type { LintRule } from "../rule.ts";

/** See the module. */
export const objectAtTwoAddresses: LintRule = {
  id: "object-at-two-addresses",
  title: "an object is mapped writable at two addresses outside of sparse resources",
  category: "correctness",
  severity: "note",
  what: "The same bytes of an object are mapped at two addresses at the same time, neither of them in a sparse resource, and the GPU may write through both. One finding for all objects of a trace: user-mode drivers do this on purpose, for heaps that the hardware reaches through two windows.",
  why: "Whoever moves, evicts or write-protects one of them has to find the other. Worth knowing, wrong only where it was not meant.",
  advice: "nothing, if both addresses are meant; else unmap the first before the second is made",
  examples: {
    bad: `
object 1 64KiB
map 0x200000 64KiB object 1
map 0x400000 64KiB object 1
unmap 0x200000 64KiB
unmap 0x400000 64KiB`,
    good: `
object 1 64KiB
map 0x200000 64KiB object 1
unmap 0x200000 64KiB
map 0x400000 64KiB object 1
unmap 0x400000 64KiB`,
  },
  start(context) {
    const objects = new Set<SpaceObject>();
    let first: Parameters<typeof context.report>[0] | null = null;
    return {
      call({ vm, changes }) {
        if (vm === null) return;
        for (const { ref, op, object, resource } of changes) {
          if (op.effect !== "map" || op.sparse !== undefined || object === null || resource !== null)
            continue;
          if (objects.has(object)) continue;
          // Of an object that is mapped for the first time there is nothing to find.
          if ((vm.mappedAt.get(object.number)?.length ?? 0) < 2) continue;
          const other = piecesOf(vm, object).find(
            (piece) =>
              piece.by !== ref &&
              (piece.by.seq !== ref.seq || piece.by.op !== ref.op) &&
              piece.mayWrite &&
              !piece.aside &&
              piece.view === 0 &&
              vm.resources.at(piece.addr) === null &&
              piece.offset < op.offset + op.range &&
              op.offset < piece.offset + piece.end - piece.addr,
          );
          const mine = vm.pieces.in(ref.addr, ref.addr + 1)[0];
          if (other === undefined || mine?.mayWrite !== true) continue;
          objects.add(object);
          first ??= {
            at: ref,
            vm: vm.id,
            addr: ref.addr,
            range: op.range,
            text: `maps ${objectName(object)} at ${span(ref.addr, op.range)} while it is mapped at ${span(other.addr, other.end - other.addr)}, writable at both`,
            related: [{ at: other.by, text: "mapped it first" }],
          };
        }
      },
      end() {
        if (first === null) return;
        const more = objects.size - 1;
        const others = more > 0 ? `; ${counted(more, "other object")} likewise` : "";
        context.report({ ...first, text: `${first.text}${others}` });
      },
    };
  },
};
