import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  EEXIST,
  EINVAL,
  GemObject,
  GemObjects,
  GPUVA_REPEAT,
  Gpuvm,
  type MapStep,
  type RemapStep,
  type RepeatMode,
  Resv,
  repeatedOffset,
  type StepHandlers,
  type UnmapStep,
} from "../src/index.ts";

const PAGE = 0x1000;
const PAGES = 64;

/** A driver that does nothing but what GPUVM asks of every driver. */
class PlainDriver implements StepHandlers {
  readonly vm: Gpuvm;
  readonly gems = new GemObjects();
  readonly objects: GemObject[];

  constructor(repeat: RepeatMode = "phase", nodeCapacity = 4) {
    this.objects = [0, 1, 2].map(() => new GemObject(this.gems, 2 ** 40));
    this.vm = new Gpuvm({ range: PAGES * PAGE, gems: this.gems, repeat, nodeCapacity });
  }

  map(op: MapStep): number {
    const va = this.vm.map(op);
    expect(va).toBeGreaterThan(0);
    if (op.gem === null) return 0;
    const vmBo = this.vm.vmBoObtain(op.gem);
    this.vm.link(va, vmBo);
    this.vm.extobjAdd(vmBo);
    vmBo.put();
    return 0;
  }

  remap(op: RemapStep): number {
    const old = op.unmap.va;
    const vmBo = this.vm.vmBo(old);
    this.vm.remap(op);
    if (vmBo !== null && op.prevVa !== 0) this.vm.link(op.prevVa, vmBo);
    if (vmBo !== null && op.nextVa !== 0) this.vm.link(op.nextVa, vmBo);
    this.vm.unlink(old);
    this.vm.free(old);
    return 0;
  }

  unmap(op: UnmapStep): number {
    this.vm.unmap(op);
    this.vm.unlink(op.va);
    this.vm.free(op.va);
    return 0;
  }
}

/** What each page shows: the naive model is this array, written page by page. */
type Page = { gem: number; offset: number } | null;

function pages(vm: Gpuvm): Page[] {
  const out: Page[] = Array.from({ length: PAGES }, () => null);
  for (const va of vm.mappings()) {
    for (let x = vm.addr(va); x < vm.end(va); x += PAGE) {
      const offset =
        (vm.flags(va) & GPUVA_REPEAT) !== 0
          ? repeatedOffset(vm.addr(va), vm.offset(va), vm.gemRange(va), vm.phase(va), x)
          : vm.offset(va) + (x - vm.addr(va));
      expect(out[x / PAGE]).toBeNull();
      out[x / PAGE] = { gem: vm.gemId(va), offset };
    }
  }
  return out;
}

const request = fc.record({
  kind: fc.constantFrom("map", "map", "unmap", "repeat", "null"),
  start: fc.integer({ min: 0, max: PAGES - 1 }),
  length: fc.integer({ min: 1, max: PAGES }),
  gem: fc.integer({ min: 0, max: 2 }),
  offset: fc.integer({ min: 0, max: 100 }),
  window: fc.integer({ min: 1, max: 5 }),
});

describe("split and merge against a page-by-page model", () => {
  it("shows the same bytes on every page after any sequence of requests, repeated mappings cut anywhere", () => {
    fc.assert(
      fc.property(fc.array(request, { maxLength: 60 }), (requests) => {
        const driver = new PlainDriver();
        const { vm } = driver;
        const naive: Page[] = Array.from({ length: PAGES }, () => null);
        for (const r of requests) {
          const windows = Math.floor(Math.min(r.length, PAGES - r.start) / r.window);
          const length = r.kind === "repeat" ? windows * r.window : Math.min(r.length, PAGES - r.start);
          if (length === 0) continue;
          const gem = r.kind === "null" ? null : (driver.objects[r.gem] as GemObject);
          const ret =
            r.kind === "unmap"
              ? vm.smUnmap(r.start * PAGE, length * PAGE, driver)
              : vm.smMap(
                  {
                    addr: r.start * PAGE,
                    range: length * PAGE,
                    gem,
                    offset: gem === null ? 0 : r.offset * PAGE,
                    ...(r.kind === "repeat" ? { flags: GPUVA_REPEAT, gemRange: r.window * PAGE } : {}),
                  },
                  driver,
                );
          expect(ret).toBe(0);
          for (let i = 0; i < length; i++) {
            const behind = r.kind === "repeat" ? i % r.window : i;
            naive[r.start + i] =
              r.kind === "unmap" || gem === null ? null : { gem: gem.id, offset: (r.offset + behind) * PAGE };
          }
          vm.tree.validate();
        }
        const shown = pages(vm).map((page) => (page?.gem === 0 ? null : page));
        expect(shown).toEqual(naive);
      }),
      { numRuns: 300 },
    );
  });

  it("counts references as the mappings say", () => {
    fc.assert(
      fc.property(fc.array(request, { maxLength: 40 }), (requests) => {
        const driver = new PlainDriver();
        const { vm, objects } = driver;
        for (const r of requests) {
          const range = Math.min(r.length, PAGES - r.start) * PAGE;
          if (r.kind === "unmap") vm.smUnmap(r.start * PAGE, range, driver);
          else vm.smMap({ addr: r.start * PAGE, range, gem: objects[r.gem] as GemObject, offset: 0 }, driver);
        }
        const mapped = objects.map((gem) => vm.mappings().filter((va) => vm.gemId(va) === gem.id).length);
        objects.forEach((gem, i) => {
          const count = mapped[i] as number;
          expect(gem.refs).toBe(count > 0 ? 2 : 1);
          expect(gem.vmBos.map((vmBo) => [vmBo.refs, vmBo.vaCount])).toEqual(
            count > 0 ? [[count, count]] : [],
          );
        });
        expect(vm.refs).toBe(1 + vm.count + mapped.filter((n) => n > 0).length);

        vm.smUnmap(0, PAGES * PAGE, driver);
        expect(objects.map((gem) => gem.refs)).toEqual([1, 1, 1]);
        expect(vm.refs).toBe(1);
        vm.put();
      }),
    );
  });
});

describe("a run of mappings", () => {
  const run = fc.record({
    start: fc.nat(PAGES - 1),
    pages: fc.integer({ min: 1, max: 3 }),
    count: fc.integer({ min: 1, max: PAGES }),
  });

  /** What can be seen of a VM. */
  function state({ vm, objects }: PlainDriver) {
    vm.tree.validate();
    const all = vm.mappings();
    const pairs = objects.flatMap(({ vmBos }) => vmBos.map(({ refs, vaCount }) => [refs, vaCount]));
    return [all, pages(vm), all.map((va) => vm.rangeOf(va)), vm.refs, pairs, { ...vm.counters }];
  }

  it("is what as many requests make, up to the first that meets a mapping", () => {
    fc.assert(
      fc.property(fc.array(request, { maxLength: 8 }), fc.array(run, { maxLength: 6 }), (requests, runs) => {
        const [atOnce, single] = [new PlainDriver(), new PlainDriver()];
        for (const driver of [atOnce, single]) {
          for (const r of requests) {
            const range = Math.min(r.length, PAGES - r.start) * PAGE;
            const gem = driver.objects[r.gem] as GemObject;
            if (r.kind === "unmap") driver.vm.smUnmap(r.start * PAGE, range, driver);
            else driver.vm.smMap({ addr: r.start * PAGE, range, gem, offset: 0 }, driver);
          }
        }
        for (const { start, pages: length, count } of runs) {
          const first = (gem: GemObject) => ({ addr: start * PAGE, range: length * PAGE, gem, offset: PAGE });
          const [gem, same] = [atOnce.objects[1] as GemObject, single.objects[1] as GemObject];
          const room = atOnce.vm.roomFor(start * PAGE, length * PAGE, count);
          const vmBo = atOnce.vm.vmBoObtain(gem);
          expect(atOnce.vm.mapRun(first(gem), vmBo, count)).toBe(room);
          vmBo.put();
          single.vm.vmBoObtain(same).put();
          let made = 0;
          // A run that would leave the VM is not begun.
          const fits = start + count * length <= PAGES;
          for (let addr = start * PAGE; fits && made < count; made++, addr += length * PAGE) {
            if (!single.vm.intervalEmpty(addr, length * PAGE)) break;
            single.vm.smMap({ ...first(same), addr }, single);
          }
          expect(made).toBe(room);
          expect(state(atOnce)).toEqual(state(single));
        }
      }),
    );
  });

  it("is none while somebody looks on, and none beside a mapping without length", () => {
    const { vm, objects } = new PlainDriver();
    const [gem] = objects as [GemObject];
    expect(vm.roomFor(0, PAGE, PAGES)).toBe(PAGES);
    expect(vm.roomFor(0, PAGE, PAGES + 1)).toBe(0);
    const end = vm.observe(() => {});
    expect(vm.roomFor(0, PAGE, PAGES)).toBe(0);
    end();
    vm.insert(PAGE, 0, gem, 0);
    expect(vm.roomFor(8 * PAGE, PAGE, 2)).toBe(0);
  });
});

describe("REPEAT", () => {
  const window = 4 * PAGE;

  function cutAfterOnePage(mode: RepeatMode): Page[] {
    const driver = new PlainDriver(mode);
    const gem = driver.objects[0] as GemObject;
    driver.vm.smMap(
      { addr: 0, range: 8 * PAGE, gem, offset: 0, flags: GPUVA_REPEAT, gemRange: window },
      driver,
    );
    driver.vm.smUnmap(PAGE, PAGE, driver);
    return pages(driver.vm);
  }

  it("keeps the phase behind a cut inside a window", () => {
    expect(cutAfterOnePage("phase")[2]).toMatchObject({ offset: 2 * PAGE });
  });

  it("shows the wrong bytes behind such a cut under the rule that was posted", () => {
    expect(cutAfterOnePage("v4-fixed")[2]).toMatchObject({ offset: 0 });
  });

  it.each([
    ["gem_range 0", { flags: GPUVA_REPEAT, gemRange: 0 }],
    ["gem_range longer than the range", { flags: GPUVA_REPEAT, gemRange: 16 * PAGE }],
    ["gem_range that does not divide the range", { flags: GPUVA_REPEAT, gemRange: 3 * PAGE }],
    ["gem_range of 2^32", { flags: GPUVA_REPEAT, gemRange: 2 ** 32 }],
    ["gem_range without the flag", { gemRange: PAGE }],
  ])("refuses %s", (_, extra) => {
    const driver = new PlainDriver();
    const gem = driver.objects[0] as GemObject;
    expect(driver.vm.smMap({ addr: 0, range: 8 * PAGE, gem, offset: 0, ...extra }, driver)).toBe(-EINVAL);
    expect(driver.vm.count).toBe(0);
  });
});

describe("insert", () => {
  it("refuses a range outside the window or in the kernel's range, and one that is taken", () => {
    const vm = new Gpuvm({
      start: PAGE,
      range: 63 * PAGE,
      kernelStart: 8 * PAGE,
      kernelRange: PAGE,
      gems: new GemObjects(),
    });
    expect(vm.insert(0, PAGE, null, 0)).toBe(-EINVAL);
    expect(vm.insert(63 * PAGE, 2 * PAGE, null, 0)).toBe(-EINVAL);
    expect(vm.insert(7 * PAGE, 2 * PAGE, null, 0)).toBe(-EINVAL);
    expect(vm.insert(9 * PAGE, PAGE, null, 0)).toBeGreaterThan(0);
    expect(vm.insert(9 * PAGE, 2 * PAGE, null, 0)).toBe(-EEXIST);
    expect(vm.findFirst(8 * PAGE, PAGE)).toBe(vm.kernelNode);
    vm.remove(vm.kernelNode);
    expect(vm.intervalEmpty(8 * PAGE, PAGE)).toBe(false);
  });

  it("refuses a range that ends at 2^64, which overflows in the kernel", () => {
    const vm = new Gpuvm({ range: 2 ** 64 - PAGE, gems: new GemObjects() });
    expect(vm.rangeValid(2 ** 64 - 2 * PAGE, PAGE)).toBe(true);
    expect(vm.rangeValid(2 ** 64 - PAGE, PAGE)).toBe(false);
  });

  it("throws for a sum that a double cannot hold", () => {
    const vm = new Gpuvm({ range: 2 ** 64 - PAGE, gems: new GemObjects() });
    expect(() => vm.insert(2 ** 63, 1, null, 0)).toThrow(RangeError);
  });
});

describe("a callback that fails", () => {
  it("stops the walk at once and leaves the earlier steps as they are", () => {
    const driver = new PlainDriver();
    const gem = driver.objects[0] as GemObject;
    for (let i = 0; i < 4; i++) driver.vm.smMap({ addr: i * PAGE, range: PAGE, gem, offset: 0 }, driver);
    let steps = 0;
    const failing: StepHandlers = {
      map: () => 0,
      remap: () => 0,
      unmap: (op) => (++steps === 3 ? -EEXIST : driver.unmap(op)),
    };
    expect(driver.vm.smMap({ addr: 0, range: 4 * PAGE, gem, offset: 0 }, failing)).toBe(-EEXIST);
    expect(driver.vm.count).toBe(2);
  });

  it("is not asked for when a handler is missing", () => {
    const { vm } = new PlainDriver();
    expect(vm.smMap({ addr: 0, range: PAGE, gem: null, offset: 0 }, { map: () => 0 })).toBe(-EINVAL);
    expect(vm.smUnmap(0, PAGE, { unmap: () => 0 })).toBe(-EINVAL);
  });
});

describe("exec lock", () => {
  it("locks the VM's reservation, then external objects in the order of first mapping", () => {
    const driver = new PlainDriver();
    const [a, b] = driver.objects as [GemObject, GemObject];
    driver.vm.smMap({ addr: 0, range: PAGE, gem: b, offset: 0 }, driver);
    driver.vm.smMap({ addr: PAGE, range: PAGE, gem: a, offset: 0 }, driver);
    driver.vm.smMap({ addr: 2 * PAGE, range: PAGE, gem: b, offset: 0 }, driver);
    expect(driver.vm.execLock().locked).toEqual([driver.vm.resvObject, b, a]);
  });

  it("takes a reservation met twice as an error unless duplicates are ignored", () => {
    const driver = new PlainDriver();
    const shared = new Resv("shared");
    const twins = [0, 1].map(() => new GemObject(driver.gems, PAGE, shared));
    expect(() => driver.vm.execLock({ extra: twins })).toThrow('reservation "shared" is locked already');
    expect(driver.vm.execLock({ extra: twins, ignoreDuplicates: true }).locked).toHaveLength(2);
  });

  it("gives private objects and external ones their own fence usage", () => {
    const driver = new PlainDriver();
    const own = new GemObject(driver.gems, PAGE, driver.vm.resv);
    driver.vm.smMap({ addr: 0, range: PAGE, gem: own, offset: 0 }, driver);
    driver.vm.smMap({ addr: PAGE, range: PAGE, gem: driver.objects[1] as GemObject, offset: 0 }, driver);
    const fences = driver.vm.execLock().fences(driver.vm.resv, "bookkeep", "write");
    expect(fences.map((f) => f.usage)).toEqual(["bookkeep", "write"]);
  });
});

describe("deferred destruction", () => {
  it("keeps the references of a zombie until the clean-up", () => {
    const gems = new GemObjects();
    const gem = new GemObject(gems, PAGE);
    const vm = new Gpuvm({ range: PAGES * PAGE, gems, immediateMode: true });
    const vmBo = vm.vmBoObtainPrealloc(vm.vmBoCreate(gem));
    const va = vm.insert(0, PAGE, gem, 0);
    vm.link(va, vmBo);
    vmBo.putDeferred();
    vm.remove(va);
    vm.unlinkDefer(va);
    expect([gem.refs, gem.vmBos.length, vm.boDefer().length]).toEqual([2, 0, 1]);
    vm.deferredCleanup();
    expect([gem.refs, vm.boDefer().length, vm.refs]).toEqual([1, 0, 1]);
  });
});

describe("a mapping that was removed and not freed", () => {
  it("comes back under its handle, with its object, its offset and its place in the vm_bo's list", () => {
    const gems = new GemObjects();
    const gem = new GemObject(gems, 4 * PAGE);
    const vm = new Gpuvm({ range: PAGES * PAGE, gems });
    const vmBo = vm.vmBoObtain(gem);
    const vas = [0, 1, 2].map((i) => vm.insert(2 * i * PAGE, PAGE, gem, i * PAGE));
    for (const va of vas) vm.link(va, vmBo);
    const [, second] = vas as [number, number, number];
    const refs = vm.refs;
    vm.remove(second);
    expect(vm.findFirst(2 * PAGE, PAGE)).toBe(0);
    expect(vm.reinsert(second)).toBe(0);
    expect(vm.findFirst(2 * PAGE, PAGE)).toBe(second);
    expect([vm.gem(second), vm.offset(second), vm.refs]).toEqual([gem, PAGE, refs]);
    expect([...vmBo.vas()]).toEqual(vas);
    expect(vm.counters.gpuvasLive).toBe(3);
  });

  it("stays out where another one is", () => {
    const gems = new GemObjects();
    const vm = new Gpuvm({ range: PAGES * PAGE, gems });
    const va = vm.insert(0, 2 * PAGE, null, 0);
    vm.remove(va);
    const other = vm.insert(PAGE, PAGE, null, 0);
    expect(vm.reinsert(va)).toBe(-17);
    expect(vm.mappings()).toEqual([other]);
    expect(vm.counters.gpuvasLive).toBe(1);
  });
});

describe("a zero-length mapping", () => {
  it("shares its start with another one, and goes when an unmap cuts that one", () => {
    const driver = new PlainDriver();
    const gem = driver.objects[0] as GemObject;
    driver.vm.smMap({ addr: PAGE, range: 4 * PAGE, gem, offset: 0 }, driver);
    driver.vm.smMap({ addr: PAGE, range: 0, gem, offset: 0 }, driver);
    expect(driver.vm.mappings().map((va) => driver.vm.rangeOf(va))).toEqual([4 * PAGE, 0]);
    driver.vm.smUnmap(0, 2 * PAGE, driver);
    expect(driver.vm.mappings().map((va) => driver.vm.rangeOf(va))).toEqual([3 * PAGE]);
  });
});
