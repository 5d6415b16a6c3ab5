/** What user space and the GPU can tell of a file, as text to compare. */

import { directories, leaves } from "@vmbind/mmu";
import type { TestFile, TestVm } from "./subject.ts";

/** Without addresses of memory and of tables, so that it is the same on a device with another past. */
export function digest(file: TestFile): string {
  return textOf(file, ({ tree, isShared }) => {
    const found = leaves(tree.memory, tree.format, tree.root, { prune: (slot) => isShared?.(slot) ?? false });
    return [...found].map(({ va, level, kind }) => [va, level, kind]);
  });
}

/** With every table as it is: what a call that was undone must not have changed. */
export function exactDigest(file: TestFile): string {
  return textOf(file, (vm) => {
    const { memory, format, root } = vm.tree;
    const prune = (slot: number) => vm.isShared?.(slot) ?? false;
    const slots = [...directories(memory, format, root, { prune })].map(({ slot }) => slot);
    return [memory.tables.slotAt(root), ...slots.filter((slot) => !prune(slot))].map((slot) => {
      const { words, pageBytes } = memory.tables;
      return hash(words.subarray((slot * pageBytes) / 4, ((slot + 1) * pageBytes) / 4));
    });
  });
}

/** FNV-1a over words. */
function hash(words: Int32Array): number {
  let sum = 0x811c9dc5;
  for (const word of words) sum = Math.imul(sum ^ word, 0x01000193);
  return sum;
}

function textOf(file: TestFile, tables: (vm: TestVm) => unknown): string {
  const vms = [...file.vms()].map(([id, vm]) => ({
    id,
    mappings: [...vm.mappings()].map(({ gem, ...mapping }) => ({ ...mapping, refs: gem?.refs })),
    tables: tables(vm),
  }));
  const objects = [...file.objects()].map(([handle, { size, refs }]) => [handle, size, refs]);
  const plain = (_: string, value: unknown) => (typeof value === "bigint" ? value.toString(16) : value);
  return JSON.stringify([vms, objects], plain, 1);
}
