/** The accounting holds what GPUVM's rules say: against sums, and against the worked examples. What the lab's experiments count. */
import { type AccountingResult, account, experiments, SPARSE_STRATEGIES, sparseStrategy } from "@vmbind/lab";
import { beforeAll, describe, expect, it } from "vitest";

const DUMMY_BYTES = 2 ** 21;

/** Numbers by name of the strategy. */
function figures(of: (strategy: string) => number): Record<string, number> {
  return Object.fromEntries(SPARSE_STRATEGIES.map(({ name }) => [name, of(name)]));
}

describe("accounting", () => {
  const results = new Map<string, AccountingResult>();
  const of = (name: string): AccountingResult => results.get(name) as AccountingResult;

  beforeAll(async () => {
    for (const strategy of SPARSE_STRATEGIES) results.set(strategy.name, await account(strategy));
  });

  it("holds one reference to the VM and one to the vm_bo for each mapping, one to the object for all", () => {
    const held = (name: string) => {
      const { gpuvas, vmBos, vmRefs, vmBoRefs, gemRefs } = of(name).sparse;
      return { gpuvas, vmBos, vmRefs, vmBoRefs, gemRefs };
    };
    // gemRefs: the dummy's handle and its vm_bo.
    expect(held("panthor-per-page")).toEqual({
      gpuvas: 24415,
      vmBos: 1,
      vmRefs: 24416,
      vmBoRefs: 24415,
      gemRefs: 2,
    });
    expect(held("panthor-blackhole")).toEqual({ gpuvas: 48, vmBos: 1, vmRefs: 49, vmBoRefs: 48, gemRefs: 2 });
    expect(held("panthor-repeat")).toEqual({ gpuvas: 1, vmBos: 1, vmRefs: 2, vmBoRefs: 1, gemRefs: 2 });
    expect(held("panthor-repeat-windows")).toEqual({
      gpuvas: 2,
      vmBos: 1,
      vmRefs: 3,
      vmBoRefs: 2,
      gemRefs: 2,
    });
    // The kernel's dummy was there before: its vm_bo only.
    expect(held("panthor-sparse")).toEqual({ gpuvas: 1, vmBos: 1, vmRefs: 2, vmBoRefs: 1, gemRefs: 1 });
    // So were hk's pages, with their vm_bos.
    expect(held("asahi-single-page")).toEqual({ gpuvas: 2, vmBos: 0, vmRefs: 2, vmBoRefs: 2, gemRefs: 0 });
    // A NULL mapping holds its VM twice and nothing else.
    expect(held("xe-null")).toEqual({ gpuvas: 1, vmBos: 0, vmRefs: 2, vmBoRefs: 0, gemRefs: 0 });
    // A region is no mapping.
    expect(held("nouveau-sparse")).toEqual({ gpuvas: 0, vmBos: 0, vmRefs: 0, vmBoRefs: 0, gemRefs: 0 });
  });

  it("hides the kernel's dummy from per-file statistics, and makes each submit lock it", () => {
    for (const { name } of SPARSE_STRATEGIES) {
      const isSparse = name === "panthor-sparse";
      const { sparse, moments } = of(name);
      expect(sparse.hiddenBytes, name).toBe(isSparse ? DUMMY_BYTES : 0);
      expect([sparse.extobjs, sparse.submitLocks], name).toEqual(isSparse ? [1, 1] : [0, 0]);
      expect(moments[1]?.locked, name).toEqual(isSparse ? ["VM", "kernel dummy"] : ["VM"]);
    }
    expect(of("panthor-sparse").moments[1]?.objects).toEqual([
      {
        role: "kernel dummy",
        bytes: DUMMY_BYTES,
        residentBytes: DUMMY_BYTES,
        handle: 0,
        external: true,
        refs: 3,
        handleRefs: 0,
        vmBoRefs: 1,
        otherRefs: 2,
        gpuvas: 1,
        refsOfVmBo: 1,
      },
    ]);
  });

  it("adds up at every moment", () => {
    for (const { strategy, moments } of results.values()) {
      for (const { figures, objects, locked } of moments) {
        const sum = (name: "gpuvas" | "refsOfVmBo" | "residentBytes") =>
          objects.reduce((n, o) => n + o[name], 0);
        // Mappings of nothing have no object.
        if (!strategy.endsWith("-null") && strategy !== "amdgpu-prt")
          expect(sum("gpuvas"), strategy).toBe(figures.gpuvas);
        expect(sum("refsOfVmBo"), strategy).toBe(figures.vmBoRefs);
        // One page of an Adreno GPU belongs to no object.
        const apart = strategy === "msm-null" ? 4096 : 0;
        expect(sum("residentBytes") + apart, strategy).toBe(figures.backingBytes);
        expect(figures.visibleResidentBytes + figures.hiddenBytes).toBe(figures.backingBytes);
        expect(locked.length).toBe(figures.submitLocks);
        for (const o of objects) expect(o.handleRefs + o.vmBoRefs + o.otherRefs, strategy).toBe(o.refs);
      }
    }
  });

  it("covers the whole resource, and a tile takes one block out", () => {
    for (const { name, blockBytes } of SPARSE_STRATEGIES) {
      const { sparse, tile, resourceBytes } = of(name);
      const times = name === "asahi-single-page" ? 2 : 1;
      expect([sparse.sparseVaBytes, tile.sparseVaBytes], name).toEqual([
        times * resourceBytes,
        -times * blockBytes,
      ]);
    }
  });

  it("splits a mapping in three for a tile, but for one page a mapping", () => {
    expect(figures((name) => of(name).tile.gpuvas)).toEqual({
      "panthor-per-page": 0,
      "panthor-blackhole": 2,
      "panthor-repeat": 2,
      "panthor-repeat-windows": 2,
      "panthor-sparse": 2,
      "asahi-single-page": 4,
      "xe-null": 2,
      "msm-null": 2,
      // The tile's own mapping: the region beside it is not cut.
      "nouveau-sparse": 1,
      // Two for each of the ranges.
      "amdgpu-prt": 4,
    });
  });

  it("leaves nothing mapped but hk's mirror and radv's zeros, and keeps the dummies", () => {
    const none = figures(() => 0);
    expect(figures((name) => of(name).left.gpuvas)).toEqual({
      ...none,
      "asahi-single-page": 3,
      "amdgpu-prt": 1,
    });
    expect(figures((name) => of(name).left.backingBytes)).toEqual({
      ...none,
      "panthor-per-page": 4096,
      "panthor-blackhole": DUMMY_BYTES,
      "panthor-repeat": DUMMY_BYTES,
      "panthor-repeat-windows": DUMMY_BYTES,
      "panthor-sparse": DUMMY_BYTES,
      "amdgpu-prt": 2 ** 23,
    });
  });
});

describe("experiments", () => {
  it("writes a leaf a page when the dummy is scattered", async () => {
    const { dummies, arrays, postedRepeat } = await experiments([sparseStrategy("panthor-sparse")]);
    expect(dummies.map((d) => [d.dummy, d.pteWrites, d.tablesAllocated, d.ioMapCalls])).toEqual([
      ["huge", 398, 3, 48],
      ["scattered", 24415, 50, 24415],
    ]);
    expect(arrays.map((a) => [a.bindsPerCall, a.bindIoctls])).toEqual([
      [1526, 96],
      [1, 1526],
    ]);
    expect(postedRepeat).toBeNull();
  });

  it("stages more for xe's one array than for single ioctls, and invalidates once", async () => {
    const [array, single] = (await experiments([sparseStrategy("xe-null")])).arrays;
    // One for each of Battlemage's GTs.
    expect([array?.bindIoctls, array?.tlbInvalidations]).toEqual([1, 2]);
    expect([single?.bindIoctls, single?.tlbInvalidations]).toEqual([1526, 2 * 1526]);
    expect(array?.pteWrites).toBeGreaterThan(1.5 * (single?.pteWrites as number));
  });
});
