import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { GemObject, GemObjects, Gpuvm, type MapRequest } from "../src/index.ts";

const PAGE = 0x1000;
const PAGES = 64;
const KERNEL = 40;

/** How requests are made: step by step, or the short way where there is one. */
type Way = "steps" | "one" | "inside";

/** A VM with one object. */
class Binder {
  readonly gems = new GemObjects();
  readonly gem = new GemObject(this.gems, 2 ** 40);
  readonly vm: Gpuvm;
  readonly way: Way;
  /** How many requests took the short way. */
  short = 0;

  constructor(way: Way) {
    this.way = way;
    this.vm = new Gpuvm({
      range: PAGES * PAGE,
      kernelStart: KERNEL * PAGE,
      kernelRange: PAGE,
      gems: this.gems,
      // The smallest nodes have borders everywhere.
      nodeCapacity: 4,
    });
  }

  map(page: number, length: number, offset: number): number {
    const { vm } = this;
    const request: MapRequest = {
      addr: page * PAGE,
      range: length * PAGE,
      gem: this.gem,
      offset: offset * PAGE,
    };
    if (this.way !== "steps" && vm.mapFree(request) > 0) return this.#took();
    return vm.smMap(request, {
      map: (step) => Math.min(0, vm.map(step)),
      remap: (step) => this.#free(() => vm.remap(step), step.unmap.va),
      unmap: (step) => this.#free(() => vm.unmap(step), step.va),
    });
  }

  unmap(page: number, length: number): number {
    const { vm } = this;
    const gone: number[] = [];
    const count = this.way === "inside" ? vm.unmapInside(page * PAGE, length * PAGE, gone) : -1;
    if (count >= 0) {
      expect(gone).toHaveLength(count);
      for (const va of gone) vm.free(va);
      return this.#took();
    }
    const va = this.way === "one" ? vm.unmapWhole(page * PAGE, length * PAGE) : 0;
    if (va > 0) {
      vm.free(va);
      return this.#took();
    }
    return vm.smUnmap(page * PAGE, length * PAGE, {
      remap: (step) => this.#free(() => vm.remap(step), step.unmap.va),
      unmap: (step) => this.#free(() => vm.unmap(step), step.va),
    });
  }

  #took(): number {
    this.short++;
    return 0;
  }

  #free(apply: () => void, va: number): number {
    apply();
    this.vm.free(va);
    return 0;
  }

  /** What can be seen of the VM. */
  state() {
    const { vm } = this;
    vm.tree.validate();
    const all = vm
      .mappings()
      .map((va) => [va, vm.addr(va), vm.end(va), vm.offset(va), vm.flags(va), vm.gemId(va)]);
    return [all, vm.count, vm.refs, { ...vm.counters }];
  }
}

const request = fc.record({
  map: fc.boolean(),
  page: fc.nat(PAGES),
  length: fc.oneof(fc.integer({ min: 0, max: 4 }), fc.integer({ min: 0, max: PAGES })),
  offset: fc.nat(8),
});

describe("the short ways", () => {
  it("come to what the steps come to, whatever the requests are", () => {
    fc.assert(
      fc.property(fc.array(request, { maxLength: 80 }), (requests) => {
        const [stepped, ...direct] = [new Binder("steps"), new Binder("one"), new Binder("inside")];
        for (const { map, page, length, offset } of requests) {
          const bind = (b: Binder) => (map ? b.map(page, length, offset) : b.unmap(page, length));
          const ret = bind(stepped);
          for (const short of direct) {
            expect(bind(short)).toBe(ret);
            expect(short.state()).toEqual(stepped.state());
          }
        }
      }),
    );
  });

  it("are taken for what lies alone, and for whole mappings", () => {
    const binder = new Binder("one");
    for (let page = 0; page < 32; page += 2) binder.map((page * 5) % 32, 1, 0);
    for (let page = 30; page >= 0; page -= 2) binder.unmap((page * 7) % 32, 1);
    expect(binder.vm.counters).toMatchObject({ mapSteps: 16, unmapSteps: 16, gpuvasLive: 0 });
    expect(binder.short).toBe(32);
  });

  it("change nothing where they do not lead", () => {
    const binder = new Binder("one");
    const { vm, gem } = binder;
    binder.map(4, 2, 0);
    const before = binder.state();
    const request = (page: number, length: number) => ({
      addr: page * PAGE,
      range: length * PAGE,
      gem,
      offset: 0,
    });
    // Cut, met, without length, the kernel's, outside.
    for (const [page, length] of [
      [3, 2],
      [5, 1],
      [5, 2],
      [4, 2],
      [9, 0],
      [KERNEL, 1],
      [PAGES - 1, 2],
    ] as const)
      expect(vm.mapFree(request(page, length))).toBe(0);
    for (const [page, length] of [
      [4, 1],
      [5, 1],
      [4, 3],
      [9, 1],
      [4, 0],
      [KERNEL, 1],
    ] as const)
      expect(vm.unmapWhole(page * PAGE, length * PAGE)).toBe(0);
    const inside: number[] = [];
    for (const [page, length] of [
      [4, 1],
      [5, 1],
      [3, 2],
      [5, 4],
      [4, 0],
      [KERNEL - 1, 3],
      [PAGES - 1, 2],
    ] as const)
      expect(vm.unmapInside(page * PAGE, length * PAGE, inside)).toBe(-1);
    const end = vm.observe(() => {});
    expect(vm.mapFree(request(9, 1))).toBe(0);
    expect(vm.unmapWhole(4 * PAGE, 2 * PAGE)).toBe(0);
    expect(vm.unmapInside(0, 8 * PAGE, inside)).toBe(-1);
    end();
    expect(binder.state()).toEqual(before);
    vm.insert(20 * PAGE, 0, gem, 0);
    expect(vm.mapFree(request(9, 1))).toBe(0);
    expect(vm.unmapWhole(4 * PAGE, 2 * PAGE)).toBe(0);
    expect(vm.unmapInside(0, 8 * PAGE, inside)).toBe(-1);
  });
});
