/**
 * Split and merge by itself: the kernel's VA manager with a handful of pages, told to map and unmap, and every step that it takes with
 * the mappings as they are after it.
 */

import {
  errnoName,
  GemObject,
  GemObjects,
  Gpuvm,
  type RemapStep,
  type StepHandlers,
} from "@vmbind/gpuvm-core";

const PAGE = 4096;

/** What is asked of the VA manager; places and lengths in pages. */
export interface CutOperation {
  /** What to do. */
  readonly does: "map" | "unmap";
  /** First page. */
  readonly first: number;
  /** Pages. */
  readonly pages: number;
  /** Which object to map; not looked at by an unmap. */
  readonly object: string;
  /** First page of the object. */
  readonly offset: number;
}

/** What is asked. */
export interface CutRequest {
  /** Pages of the address space. */
  readonly pages: number;
  /** In order. */
  readonly operations: readonly CutOperation[];
}

/** A mapping; places and lengths in pages. */
export interface Piece {
  /** First page. */
  readonly first: number;
  /** Pages. */
  readonly pages: number;
  /** Object. */
  readonly object: string;
  /** First page of the object. */
  readonly offset: number;
}

/** One step, and the mappings behind it. */
export interface CutStep {
  /** `map`: a new mapping; `unmap`: one goes; `remap`: one goes and pieces of it come back. */
  readonly kind: "map" | "unmap" | "remap";
  /** The mapping that comes, goes, or is cut. */
  readonly piece: Piece;
  /** What stays in front of a cut. */
  readonly front: Piece | null;
  /** What stays behind it. */
  readonly behind: Piece | null;
  /** Whether page-table entries may stay, since the same bytes come again; false for `map`. */
  readonly keep: boolean;
  /** All mappings after the step, ascending. */
  readonly after: readonly Piece[];
}

/** One operation. */
export interface CutResult {
  /** The mappings before it. */
  readonly before: readonly Piece[];
  /** Its steps in order. */
  readonly steps: readonly CutStep[];
  /** Why it was refused, with the errno; null where it was not. */
  readonly refused: string | null;
}

/**
 * @param request - what to do
 * @returns one result for each operation
 */
export function cutMappings({ pages, operations }: CutRequest): CutResult[] {
  const gems = new GemObjects();
  const vm = new Gpuvm({ range: pages * PAGE, gems });
  const names = new Map<GemObject, string>();
  const objects = new Map<string, GemObject>();
  const objectOf = (name: string): GemObject => {
    const known = objects.get(name);
    if (known !== undefined) return known;
    const made = new GemObject(gems, 2 * pages * PAGE);
    objects.set(name, made);
    names.set(made, name);
    return made;
  };
  const piece = (addr: number, range: number, gem: GemObject | null, offset: number): Piece => ({
    first: addr / PAGE,
    pages: range / PAGE,
    object: (gem && names.get(gem)) ?? "",
    offset: offset / PAGE,
  });
  const mapping = (va: number): Piece =>
    piece(vm.addr(va), vm.end(va) - vm.addr(va), vm.gem(va), vm.offset(va));
  const all = (): Piece[] => [...vm.mappingsIn(0, pages * PAGE)].map(mapping);

  return operations.map((operation): CutResult => {
    const before = all();
    const steps: CutStep[] = [];
    const say = (step: Omit<CutStep, "after">): number => {
      steps.push({ ...step, after: all() });
      return 0;
    };
    const handlers: StepHandlers = {
      map(op) {
        const made = vm.map(op);
        if (made < 0) return made;
        return say({ kind: "map", piece: mapping(made), front: null, behind: null, keep: false });
      },
      unmap(op) {
        const gone = mapping(op.va);
        vm.unmap(op);
        return say({ kind: "unmap", piece: gone, front: null, behind: null, keep: op.keep });
      },
      remap(op) {
        const gone = mapping(op.unmap.va);
        vm.remap(op);
        return say({ kind: "remap", piece: gone, ...sidesOf(op, mapping), keep: op.unmap.keep });
      },
    };
    const addr = operation.first * PAGE;
    const range = operation.pages * PAGE;
    vm.refusal = "";
    const answer =
      operation.does === "unmap"
        ? vm.smUnmap(addr, range, handlers)
        : vm.smMap(
            { addr, range, gem: objectOf(operation.object), offset: operation.offset * PAGE },
            handlers,
          );
    return { before, steps, refused: answer === 0 ? null : `${errnoName(answer)}: ${vm.refusal}` };
  });
}

function sidesOf(op: RemapStep, mapping: (va: number) => Piece): Pick<CutStep, "front" | "behind"> {
  return {
    front: op.hasPrev ? mapping(op.prevVa) : null,
    behind: op.hasNext ? mapping(op.nextVa) : null,
  };
}
