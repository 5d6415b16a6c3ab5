import { GemObject, GemObjects } from "@vmbind/drm";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { EINVAL, Gpuvm, type GpuvmOp, type MapStep, type RemapStep } from "../src/index.ts";

const PAGES = 48;

/** Attributes of what a driver maps without an object, kept as flags so that cuts carry them along. */
class AdvisedVm {
  readonly vm: Gpuvm;
  readonly gem: GemObject;
  readonly steps: GpuvmOp[] = [];
  #cut = 0;

  constructor(layout: readonly { pages: number; kind: "object" | "none" | "hole" }[]) {
    const gems = new GemObjects();
    this.gem = new GemObject(gems, 2 ** 40);
    this.vm = new Gpuvm({ range: PAGES, gems, nodeCapacity: 4 });
    let at = 0;
    for (const [i, { pages, kind }] of layout.entries()) {
      if (at + pages > PAGES) break;
      // The high bits say which mapping a page once belonged to.
      if (kind !== "hole") {
        const va = this.vm.insert(at, pages, kind === "object" ? this.gem : null, 100 * i, (i + 1) << 8);
        if (kind === "object") this.vm.link(va, this.vm.vmBoObtain(this.gem));
      }
      at += pages;
    }
  }

  remap(op: RemapStep): number {
    this.steps.push({ ...op, unmap: { ...op.unmap }, prev: { ...op.prev }, next: { ...op.next } });
    this.#cut = this.vm.flags(op.unmap.va);
    this.vm.remap(op);
    this.vm.free(op.unmap.va);
    return 0;
  }

  map(op: MapStep): number {
    this.steps.push({ ...op });
    op.flags = this.#cut;
    expect(this.vm.map(op)).toBeGreaterThan(0);
    return 0;
  }

  /** Per page: which mapping it once belonged to, and whether that has an object. */
  pages(): string[] {
    const out = Array.from({ length: PAGES }, () => "");
    for (const va of this.vm.mappings()) {
      for (let p = this.vm.addr(va); p < this.vm.end(va); p++) {
        out[p] += `${this.vm.flags(va)}${this.vm.gem(va) === null ? "" : " object"}`;
      }
    }
    return out;
  }

  objects(): string[] {
    const { vm } = this;
    return vm
      .mappings()
      .filter((va) => vm.gem(va) !== null)
      .map((va) => `${va}: ${vm.addr(va)}+${vm.rangeOf(va)}@${vm.offset(va)}`);
  }
}

const layouts = fc.array(
  fc.record({
    pages: fc.integer({ min: 1, max: 9 }),
    kind: fc.constantFrom<"object" | "none" | "hole">("object", "none", "none", "hole"),
  }),
  { maxLength: 14 },
);
const ranges = fc
  .tuple(fc.integer({ min: 0, max: PAGES - 1 }), fc.integer({ min: 1, max: PAGES }))
  .map(([addr, range]) => ({ addr, range: Math.min(range, PAGES - addr), gem: null, offset: 0 }));

describe("split and merge for madvise", () => {
  it("leaves an edge at both ends of the request, every page as it was, and objects alone", () => {
    fc.assert(
      fc.property(layouts, ranges, (layout, request) => {
        const driver = new AdvisedVm(layout);
        const { vm } = driver;
        const [pages, objects] = [driver.pages(), driver.objects()];
        const listed = vm.madviseOps(request);
        const before = vm.count;
        expect(vm.smMadvise(request, driver)).toBe(0);
        vm.tree.validate();
        expect(driver.pages()).toEqual(pages);
        expect(driver.objects()).toEqual(objects);
        expect(driver.steps.map(({ kind }) => kind)).toEqual(listed.map(({ kind }) => kind));
        expect(vm.count).toBeLessThanOrEqual(before + 2);
        for (const edge of [request.addr, request.addr + request.range]) {
          const across = vm.mappings().filter((va) => vm.addr(va) < edge && vm.end(va) > edge);
          for (const va of across) expect(vm.gem(va)).not.toBeNull();
        }
      }),
      { numRuns: 2000 },
    );
  });

  it("gives the same steps as a list, computed beforehand", () => {
    fc.assert(
      fc.property(layouts, ranges, (layout, request) => {
        const driver = new AdvisedVm(layout);
        const steps = driver.vm.madviseOps(request).map(withoutHandles);
        expect(driver.vm.smMadvise(request, driver)).toBe(0);
        expect(driver.steps.map(withoutHandles)).toEqual(steps);
      }),
    );
  });

  it("cuts twice at most, and once when the request lies inside one mapping", () => {
    const driver = new AdvisedVm([{ pages: 10, kind: "none" }]);
    driver.vm.smMadvise({ addr: 3, range: 4, gem: null, offset: 0 }, driver);
    expect(driver.steps.map(({ kind }) => kind)).toEqual(["remap", "map"]);
    expect(driver.vm.mappings().map((va) => driver.vm.addr(va))).toEqual([0, 3, 7]);
    expect(driver.vm.counters).toMatchObject({ remapSteps: 1, mapSteps: 1, unmapSteps: 0 });
  });

  it("stops at a handler's error, and asks for both handlers", () => {
    const driver = new AdvisedVm([{ pages: 10, kind: "none" }]);
    const request = { addr: 3, range: 4, gem: null, offset: 0 };
    const map = () => 0;
    expect(driver.vm.smMadvise(request, { map, remap: () => -12 })).toBe(-12);
    expect(driver.vm.smMadvise(request, { map })).toBe(-EINVAL);
    expect(driver.vm.smMadvise({ ...request, range: PAGES }, driver)).toBe(-EINVAL);
    expect(driver.vm.count).toBe(1);
  });
});

function withoutHandles(op: GpuvmOp): object {
  if (op.kind !== "remap") return { ...op, flags: 0 };
  const { prev, next, hasPrev, hasNext } = op;
  return { prev: hasPrev && prev, next: hasNext && next };
}
