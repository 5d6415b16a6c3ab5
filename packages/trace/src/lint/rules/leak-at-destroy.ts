/**
 * Something is still mapped when its VM goes.
 *
 * @module
 */

import { counted, size, span } from "@vmbind/drm";
import type { OpRef, Piece } from "../../space/piece.ts";
import { type Resource, resourceName } from "../../space/resource.ts";
import type { VmSpace } from "../../space/vm-space.ts";
import type { Severity } from "../finding.ts";
import type { LintContext, LintRule, LintVmEnd } from "../rule.ts";

/** Ranges of one VM that are told; the others are counted. */
const TOLD_MAX = 8;

/** See the module. */
export const leakAtDestroy: LintRule = {
  id: "leak-at-destroy",
  title: "a range is still mapped when its VM goes",
  category: "lifetime",
  severity: "error",
  what: "What is mapped when VM_DESTROY comes, the file is closed, or the program ends. An error where the client unmapped more than half of all that it ever laid out in the VM: this one it forgot. A warning where it cleans up nothing or little, and where the range holds no memory and was there before any memory was mapped (a reserve for the life of the VM); of a trace that just stops nothing is said.",
  why: "The kernel takes everything down with the VM, so nothing fails; but until then the range keeps its address, its page tables and its memory. A resource that is made and destroyed over and over, each time without its UNMAP, runs out of all three.",
  advice: "unmap the whole range when its resource or object is destroyed",
  examples: {
    bad: `
object 1 64KiB
object 2 64KiB
map 0x800000 64KiB object 1
map 0x900000 64KiB object 2
sparse 0x200000 2MiB
unmap 0x800000 64KiB
unmap 0x900000 64KiB
destroy`,
    good: `
object 1 64KiB
map 0x800000 64KiB object 1
sparse 0x200000 2MiB
unmap 0x200000 2MiB
unmap 0x800000 64KiB
destroy`,
  },
  start: (context) => ({ vmEnds: (end) => look(context, end) }),
};

/** One range that is left: a resource, or what one operation mapped outside of all. */
interface Left {
  readonly resource: Resource | null;
  readonly by: OpRef;
  readonly first: Piece;
  pieces: number;
  /** Operations that it comes from. */
  readonly ops: Set<string>;
  bytes: number;
  memory: boolean;
}

function look(context: LintContext, { vm, ref, text, certain }: LintVmEnd): void {
  const left = leftIn(vm);
  // Of a trace that just stops nobody knows what would have come.
  if (left.length === 0 || !certain) return;
  const ranges = rangesOf(left);
  const gone = vm.laidOut - ranges;
  const habit = gone * 2 > vm.laidOut;
  for (const [i, { resource, by, first, pieces, bytes, memory }] of left.entries()) {
    if (i >= TOLD_MAX) break;
    const isReserve = !memory && (vm.firstMemory === null || by.seq < vm.firstMemory.seq);
    const severity: Severity = habit && !isReserve ? "error" : "warning";
    const addr = resource?.addr ?? first.addr;
    const whole = (resource?.end ?? first.end) - addr;
    const part = resource !== null && bytes < whole ? `${size(bytes)} of ` : "";
    const what =
      resource !== null
        ? ` (${resourceName(resource)})`
        : pieces > 1
          ? ` and ${counted(pieces - 1, "mapping")} beside it`
          : "";
    const verb = resource === null && pieces > 1 ? "are" : "is";
    const others = left.length - TOLD_MAX;
    const more = i === TOLD_MAX - 1 && others > 0 ? `; so are ${counted(others, "more range")}` : "";
    context.report(
      {
        severity,
        at: by,
        vm: vm.id,
        addr,
        range: whole,
        ...(resource !== null && { place: resourceName(resource) }),
        text: `${part}${span(addr, whole)}${what} ${verb} still mapped when ${text}${habit ? `; ${gone} of ${counted(vm.laidOut, "range")} of this VM were unmapped before` : ""}${more}`,
        related: [{ at: ref, text }],
      },
      first.by,
    );
  }
}

function leftIn(vm: VmSpace): Left[] {
  const left = new Map<Resource | string, Left>();
  for (const resource of vm.resources.living) {
    if (!resource.below) continue;
    // Its range needs no mapping to be there.
    const { addr, end, by, heading } = resource;
    const first: Piece = {
      addr,
      end,
      kind: heading,
      object: 0,
      offset: 0,
      is: "unbound",
      view: 0,
      aside: false,
      mayWrite: true,
      flags: 0,
      by,
    };
    left.set(resource, {
      resource,
      by,
      first,
      pieces: 1,
      ops: new Set([""]),
      bytes: end - addr,
      memory: false,
    });
  }
  for (const piece of vm.pieces.intervals) {
    const resource = vm.resources.at(piece.addr - piece.view);
    // An object's pieces are one thing to forget, and so are ranges without memory.
    const key = resource ?? `${piece.is} ${piece.object} ${piece.view}`;
    const known = left.get(key);
    if (known === undefined) {
      const by = resource?.by ?? piece.by;
      const memory = piece.is === "memory";
      const ops = new Set([opOf(piece)]);
      left.set(key, { resource, by, first: piece, pieces: 1, ops, bytes: piece.end - piece.addr, memory });
    } else {
      if (piece.view === 0 && resource?.below !== true) known.bytes += piece.end - piece.addr;
      known.memory ||= piece.is === "memory";
      known.pieces++;
      known.ops.add(opOf(piece));
    }
  }
  return [...left.values()];
}

function opOf({ by }: Piece): string {
  return `${by.seq}:${by.op}`;
}

/** How many ranges are left, counted as they were laid out: a resource is one, whatever is bound in it. */
function rangesOf(left: readonly Left[]): number {
  return left.reduce((sum, { resource, ops }) => sum + (resource === null ? ops.size : 1), 0);
}
