/** A workload's steps in the form in which lifted ones are compared: what lifting them must give back. */
import { requiredBytes, type Step } from "@vmbind/lab";
import type { CanonicalRange, CanonicalStep } from "@vmbind/trace";

/**
 * What steps say of sparse resources, for a driver with this block; reads, writes and empty binds are left out. Resources may be
 * made of larger blocks than binds.
 */
export function canonicalOf(
  steps: readonly Step[],
  blockBytes: number,
  resourceBlock: number = blockBytes,
): CanonicalStep[] {
  const resources: string[] = [];
  const memory: string[] = [];
  /** A name stands for what was made last under it. */
  const number = (names: readonly string[], name: string): number => names.lastIndexOf(name) + 1;
  const found: CanonicalStep[] = [];
  for (const step of steps) {
    if (step.step === "create" && !step.plain) {
      resources.push(step.resource);
      const bytes = requiredBytes(step.size, resourceBlock);
      found.push({ step: "create", resource: resources.length, bytes });
    } else if (step.step === "destroy" && resources.includes(step.resource)) {
      found.push({ step: "destroy", resource: number(resources, step.resource) });
    } else if (step.step === "bind" && step.binds.length > 0 && resources.includes(step.resource)) {
      const ranges: CanonicalRange[] = [];
      for (const { offset, size: asked, memory: from } of [...step.binds].sort(
        (a, b) => a.offset - b.offset,
      )) {
        if (from && !memory.includes(from.object)) memory.push(from.object);
        const size = requiredBytes(asked, blockBytes);
        const next = { offset, size, memory: from ? number(memory, from.object) : 0, at: from?.offset ?? 0 };
        const last = ranges.at(-1);
        const goesOn =
          last?.memory === next.memory &&
          last.offset + last.size === offset &&
          (next.memory === 0 || last.at + last.size === next.at);
        if (goesOn) last.size += size;
        else ranges.push(next);
      }
      found.push({ step: "bind", resource: number(resources, step.resource), ranges });
    }
  }
  return found;
}
