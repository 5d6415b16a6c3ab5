/**
 * One bind lies off the grid of all others.
 *
 * @module
 */

import { counted, hex, size, span } from "@vmbind/drm";
import type { OpRef } from "../../space/piece.ts";
import { type Resource, resourceName } from "../../space/resource.ts";
import type { LintCall, LintContext, LintRule, LintVmEnd, RuleRun } from "../rule.ts";

/** Operations from which a grid can be told. */
const FEWEST = 12;
const GRID_MAX: number = 2 ** 21;

/** See the module. */
export const misalignedBind: LintRule = {
  id: "misaligned-bind",
  title: "one bind lies off the grid that all others of its resource keep to",
  category: "correctness",
  severity: "error",
  what: "Binds and unbinds of a resource begin and end at multiples of a tile or block, counted from its first byte, but for a single one that is as long as whole tiles, or a page more or less. The resource's last byte is always on the grid, and what is shorter than a tile may lie anywhere: the small levels of an image do. An error where the stray one is off by a single page; a warning where it is off by more.",
  why: "Applications bind whole tiles. A bind a page too far leaves the first page of its tile unbound and covers the first page of the next one: a few pixels are wrong, and no driver complains.",
  advice:
    "check the offset in the resource: it is counted in bytes, not pages, and from the start of the resource, not of the binding before",
  examples: {
    bad: `
object 1 2MiB
sparse 0x400000 2MiB
call
  bind 0x400000 64KiB object 1
  bind 0x410000 64KiB object 1 + 0x10000
  bind 0x420000 64KiB object 1 + 0x20000
  bind 0x430000 64KiB object 1 + 0x30000
  bind 0x440000 64KiB object 1 + 0x40000
  bind 0x451000 64KiB object 1 + 0x50000
  bind 0x470000 64KiB object 1 + 0x60000
  bind 0x480000 64KiB object 1 + 0x70000
  bind 0x490000 64KiB object 1 + 0x80000
  bind 0x4a0000 64KiB object 1 + 0x90000
  bind 0x4b0000 64KiB object 1 + 0xa0000
  bind 0x4c0000 64KiB object 1 + 0xb0000
  bind 0x4d0000 64KiB object 1 + 0xc0000
  bind 0x4e0000 64KiB object 1 + 0xd0000
unmap 0x400000 2MiB`,
    good: `
object 1 2MiB
sparse 0x400000 2MiB
call
  bind 0x400000 64KiB object 1
  bind 0x420000 64KiB object 1 + 0x20000
  bind 0x440000 64KiB object 1 + 0x40000
  bind 0x460000 64KiB object 1 + 0x50000
unmap 0x400000 2MiB`,
  },
  start: (context) => new Grid(context),
};

class Grid implements RuleRun {
  readonly #context: LintContext;
  readonly #ops = new Map<Resource, { vm: number; refs: OpRef[] }>();

  constructor(context: LintContext) {
    this.#context = context;
  }

  call({ changes, vm }: LintCall): void {
    if (vm === null) return;
    for (const { ref, op, resource, makes, ends } of changes) {
      for (const old of ends) this.#judge(old);
      if (resource === null || makes || op.sparse?.view !== undefined) continue;
      if (op.effect !== "map" && op.sparse?.says !== "uncover") continue;
      const known = this.#ops.get(resource);
      if (known === undefined) this.#ops.set(resource, { vm: vm.id, refs: [ref] });
      else known.refs.push(ref);
    }
  }

  vmEnds({ vm }: LintVmEnd): void {
    for (const resource of vm.resources.living) this.#judge(resource);
  }

  #judge(resource: Resource): void {
    const { vm, refs } = this.#ops.get(resource) ?? { vm: 0, refs: [] };
    this.#ops.delete(resource);
    if (refs.length < FEWEST) return;
    const page = this.#context.pageBytes;
    for (let grid = GRID_MAX; grid > page; grid /= 2) {
      const stray = refs.filter((ref) => !onGrid(ref, resource, grid));
      if (stray.length > 1) continue;
      const [ref] = stray;
      if (ref !== undefined && isWhole(ref, resource, grid, page))
        this.#tell(ref, resource, grid, refs.length, vm);
      return;
    }
  }

  #tell(ref: OpRef, resource: Resource, grid: number, count: number, vm: number): void {
    const off = offGrid(ref, resource, grid);
    const finding = this.#context.report({
      ...(off !== this.#context.pageBytes && { severity: "warning" as const }),
      at: ref,
      vm,
      addr: ref.addr,
      range: ref.end - ref.addr,
      place: `${resourceName(resource)} + ${hex(ref.addr - resource.addr)}`,
      text: `maps ${span(ref.addr, ref.end - ref.addr)}, ${size(off)} off the ${size(grid)} grid that all other ${counted(count - 1, "operation")} on ${resourceName(resource)} keep to`,
    });
    this.#context.explain(finding, ref);
  }
}

function onGrid(ref: OpRef, resource: Resource, grid: number): boolean {
  const starts = (ref.addr - resource.addr) % grid === 0;
  return starts && ((ref.end - resource.addr) % grid === 0 || ref.end === resource.end);
}

/** Bytes to the nearest line of the grid, of the edge that is off. */
function offGrid(ref: OpRef, resource: Resource, grid: number): number {
  const start = (ref.addr - resource.addr) % grid;
  const rest = start !== 0 ? start : (ref.end - resource.addr) % grid;
  return Math.min(rest, grid - rest);
}

/** Whether the operation has the length of whole tiles, or misses it by a page: the small end of an image is off the grid by right. */
function isWhole(ref: OpRef, resource: Resource, grid: number, page: number): boolean {
  const length = ref.end - ref.addr;
  if (length % grid === 0) return true;
  const starts = (ref.addr - resource.addr) % grid === 0;
  return starts && length > grid && ((length + page) % grid === 0 || (length - page) % grid === 0);
}
