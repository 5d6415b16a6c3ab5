/**
 * A block was shattered, and nobody heals it.
 *
 * @module
 */

import { counted, size } from "@vmbind/drm";
import type { OpRef } from "../../space/piece.ts";
import { type Resource, resourceName } from "../../space/resource.ts";
import type { VmSpace } from "../../space/vm-space.ts";
import type { LintCall, LintContext, LintRule, LintVmEnd, RuleRun } from "../rule.ts";

/** Leaves from this size on are blocks. */
const BLOCK_LEAST: number = 2 ** 20;

/** See the module. */
export const shatteredBlock: LintRule = {
  id: "shattered-block",
  title: "a block stays shattered after its last bind is gone",
  category: "cost",
  severity: "warning",
  what: "A resource began as large leaves; a bind cut one into small ones; everything in it was unbound again, and the leaves are still small. One finding for a resource, at the operation that unbound the last of a block first, with how many blocks that are when most of them are.",
  why: "A block is one entry and one place in the TLB; shattered it is a table of its own and hundreds of entries. A resource that is bound and unbound all over ends as small leaves everywhere, though nothing is bound any more.",
  advice:
    "unbind whole blocks with one operation where all of a block goes: drivers write a block where one mapping covers it; a driver could join what is alike when it unbinds",
  examples: {
    bad: `
object 1 64KiB
sparse 0x200000 2MiB leaf=2MiB
bind 0x210000 64KiB object 1
unbind 0x210000 64KiB leaf=4KiB
unmap 0x200000 2MiB`,
    good: `
object 1 64KiB
sparse 0x200000 2MiB leaf=2MiB
bind 0x210000 64KiB object 1
unbind 0x210000 64KiB leaf=2MiB
unmap 0x200000 2MiB`,
  },
  start: (context) => new Shattered(context),
};

/** Blocks of one operation that are looked at. */
const BLOCKS_MAX = 4096;

interface Blocks {
  readonly vm: VmSpace;
  /** Bytes of a block. */
  readonly bytes: number;
  /** Those that are unbound and small. */
  readonly shattered: Set<number>;
  most: number;
  leafBytes: number;
  first: OpRef | null;
}

class Shattered implements RuleRun {
  readonly #context: LintContext;
  readonly #blocks = new Map<Resource, Blocks>();

  constructor(context: LintContext) {
    this.#context = context;
  }

  call({ changes, vm }: LintCall): void {
    if (vm === null) return;
    for (const { ref, op, resource, makes, ends } of changes) {
      for (const old of ends) this.#tell(old);
      if (resource === null || op.sparse?.view !== undefined) continue;
      if (makes) this.#begin(vm, resource);
      else this.#look(vm, resource, ref, op.sparse?.says);
    }
  }

  vmEnds({ vm }: LintVmEnd): void {
    for (const resource of vm.resources.living) this.#tell(resource);
  }

  #begin(vm: VmSpace, resource: Resource): void {
    if (this.#blocks.has(resource)) return;
    const inside = Math.ceil(resource.addr / 2 ** 21) * 2 ** 21;
    const bytes = inside < resource.end ? this.#context.leafBytes(vm, inside) : 0;
    if (bytes < BLOCK_LEAST) return;
    this.#blocks.set(resource, { vm, bytes, shattered: new Set(), most: 0, leafBytes: 0, first: null });
  }

  #look(vm: VmSpace, resource: Resource, ref: OpRef, says: string | undefined): void {
    const blocks = this.#blocks.get(resource);
    if (blocks === undefined) return;
    const { bytes, shattered } = blocks;
    // What takes so much at once is no unbind of a bind.
    if (ref.end - ref.addr > bytes * BLOCKS_MAX) return;
    for (let block = Math.floor(ref.addr / bytes) * bytes; block < ref.end; block += bytes) {
      if (block < resource.addr || block + bytes > resource.end) continue;
      if (says !== "unbound" && says !== "uncover") {
        shattered.delete(block);
        continue;
      }
      const isUnbound = vm.pieces.in(block, block + bytes).every(({ is }) => is === "unbound");
      const leafBytes = isUnbound ? this.#context.leafBytes(vm, block) : 0;
      if (leafBytes === 0 || leafBytes >= bytes) {
        shattered.delete(block);
        continue;
      }
      shattered.add(block);
      blocks.first ??= ref;
      blocks.leafBytes = leafBytes;
      blocks.most = Math.max(blocks.most, shattered.size);
    }
  }

  #tell(resource: Resource): void {
    const blocks = this.#blocks.get(resource);
    this.#blocks.delete(resource);
    if (blocks?.first == null) return;
    const { first, bytes, most, leafBytes, vm } = blocks;
    const all = Math.floor((resource.end - resource.addr) / bytes);
    this.#context.report({
      at: first,
      vm: vm.id,
      addr: Math.floor(first.addr / bytes) * bytes,
      range: bytes,
      place: `${resourceName(resource)} + 0x${(Math.floor(first.addr / bytes) * bytes - resource.addr).toString(16)}`,
      text: `unbinds the last of a block of ${size(bytes)} in ${resourceName(resource)}, and its leaves stay ${size(leafBytes)}; up to ${most} of its ${counted(all, "block")} were unbound and shattered at a time`,
    });
  }
}
