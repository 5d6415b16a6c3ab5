/**
 * Goal: the semantics matrix holds what the uAPIs promise, the accounting what GPUVM's rules say.
 * Method: each cell is a fact about a driver and is compared with what loads and stores gave; the accounting is checked
 * against sums and against the worked examples. A strategy that is broken on purpose must change its cells.
 */

import {
  type AccountingResult,
  account,
  askAll,
  cutAsPosted,
  experiments,
  QUESTIONS,
  type SemanticsAnswer,
  SPARSE_STRATEGIES,
  type SparseSession,
  type SparseStrategy,
  sparseStrategy,
} from "@vmbind/lab";
import { beforeAll, describe, expect, it } from "vitest";

const WRITTEN = "what was written";
const DUMMY_BYTES = 2 ** 21;

/** The cells in which strategies differ: per-page, blackhole, repeat, sparse, asahi, xe. */
const MATRIX: Readonly<Record<string, readonly string[]>> = {
  "read-faults": Array(6).fill("no"),
  "write-faults": Array(6).fill("no"),
  executes: ["no", "no", "no", "no", "yes", "yes"],
  "value-before-write": Array(6).fill("0"),
  "value-after-write": [WRITTEN, WRITTEN, WRITTEN, WRITTEN, "0", "0"],
  "strict-honest": [
    ...Array(4).fill("reported no, observed no"),
    ...Array(2).fill("reported yes, observed yes"),
  ],
  "aliases-same-resource": ["24414", "47", "24414", "47", "none", "none"],
  "aliases-other-resource": [
    "yes, every page",
    "yes, 3 of 1536 pages",
    "yes, 3 of 1536 pages",
    "yes, 3 of 1536 pages",
    "no",
    "no",
  ],
  "visible-other-vm": ["no", "no", "no", "yes, every page", "no", "no"],
  "visible-other-file": Array(6).fill("no"),
  "reaches-bound": Array(6).fill("no"),
  border: [
    ...Array(4).fill("bound half stored, unbound half readable"),
    ...Array(2).fill("bound half stored, unbound half dropped"),
  ],
  "behind-the-end": ["faults", "faults", "faults", "faults", "0, a soft fault", "0"],
  "memory-handle-closed": [WRITTEN, WRITTEN, WRITTEN, WRITTEN, "0, a soft fault", WRITTEN],
  "dummy-handle-closed": ["no", "no", "no", "there is no handle", "yes, every page", "there is no handle"],
  evicted: [...Array(4).fill(`faults; then ${WRITTEN}`), "cannot be evicted", "nothing to evict"],
  "cut-in-window": Array(6).fill("no"),
  "partial-unmap": [
    ...Array(4).fill("faults; the rest as before"),
    "0, a soft fault; the rest as before",
    "0; the rest as before",
  ],
  "unbound-again": Array(6).fill("0"),
  "new-resource": [...Array(4).fill("yes, every page"), "no", "no"],
  destroyed: ["faults", "faults", "faults", "faults", "0", "0"],
};

describe("the semantics matrix", () => {
  const answers = new Map<string, SemanticsAnswer[]>();

  beforeAll(async () => {
    for (const strategy of SPARSE_STRATEGIES) answers.set(strategy.name, await askAll(strategy));
  });

  it("asks every question of every strategy", () => {
    expect(Object.keys(MATRIX)).toEqual(QUESTIONS.map((q) => q.id));
    expect(new Set(QUESTIONS.map((q) => q.question)).size).toBe(QUESTIONS.length);
  });

  it.each(Object.keys(MATRIX))("%s", (id) => {
    const row = SPARSE_STRATEGIES.map((s) => answers.get(s.name)?.find((a) => a.id === id)?.answer);
    expect(row).toEqual(MATRIX[id]);
  });

  it("finds nothing that Vulkan forbids", () => {
    const bad = [...answers.values()].flat().filter((a) => a.ok === false);
    expect(bad.map((a) => [a.strategy, a.id])).toEqual([]);
  });

  it("knows how much memory the unbound addresses share", () => {
    const shared = SPARSE_STRATEGIES.map(
      (s) => answers.get(s.name)?.find((a) => a.id === "aliases-same-resource")?.detail.sharedBytes,
    );
    expect(shared).toEqual([4096, 2 ** 21, 4096, 2 ** 21, 16384, 0]);
  });

  it("shows hk's scratch page where shaders write, and no other file's", () => {
    const asahi = answers.get("asahi-single-page");
    const detail = (id: string) => asahi?.find((a) => a.id === id)?.detail;
    expect(detail("value-before-write")?.writeSideBefore).toBe(0xcacacaca);
    expect(detail("aliases-same-resource")?.writeSideAliases).toBe(6103);
    expect(detail("aliases-other-resource")?.writeSideAliases).toBe(384);
    expect(detail("visible-other-file")?.aliases).toBe(0);
  });

  it("gives the same twice", async () => {
    for (const strategy of SPARSE_STRATEGIES.slice(3)) {
      expect(await askAll(strategy)).toEqual(answers.get(strategy.name));
    }
  });
});

describe("a strategy that is broken", () => {
  /** The strategy with a session changed before anything is done with it. */
  const broken = (
    name: string,
    change: (session: SparseSession) => Partial<SparseSession>,
  ): SparseStrategy => {
    const strategy = sparseStrategy(name);
    return {
      ...strategy,
      async open(device) {
        const session = await strategy.open(device);
        const changes = change(session);
        return new Proxy(session, {
          get: (target, key) => {
            if (key in changes) return changes[key as keyof SparseSession];
            const value = Reflect.get(target, key, target) as unknown;
            return typeof value === "function" ? value.bind(target) : value;
          },
        });
      },
    };
  };
  const answerOf = async (strategy: SparseStrategy, id: string) =>
    (await QUESTIONS.find((q) => q.id === id)?.ask(strategy)) as SemanticsAnswer;

  it("faults when nothing is mapped at creation", async () => {
    const strategy = broken("panthor-sparse", ({ umd }) => ({
      umd: { create: () => [], bind: umd.bind.bind(umd), destroy: umd.destroy.bind(umd) },
    }));
    expect(await answerOf(strategy, "read-faults")).toMatchObject({ answer: "yes, every page", ok: false });
    expect(await answerOf(strategy, "value-before-write")).toMatchObject({ answer: "faults", ok: false });
  });

  it("is not strict when shaders read hk's write side", async () => {
    const strategy = broken("asahi-single-page", () => ({ mirrorOffset: 0 }));
    expect(await answerOf(strategy, "strict-honest")).toMatchObject({
      answer: "reported yes, observed no",
      ok: false,
    });
    expect((await answerOf(strategy, "value-before-write")).answer).toBe("0xcacacaca");
  });

  it("shows other contents around a cut with the REPEAT patch as posted", () => {
    // Of the pieces on both sides one whole window is mapped: 304 and 192 pages are left out, and the second piece's
    // window begins where the piece does.
    expect(cutAsPosted()).toEqual({
      samples: 1520,
      changedByCut: 0,
      faultsAfterCut: 496,
      changedByRestore: 512,
      faultsAfterRestore: 496,
    });
  });
});

describe("accounting", () => {
  const results = new Map<string, AccountingResult>();
  const of = (name: string): AccountingResult => results.get(name) as AccountingResult;

  beforeAll(async () => {
    for (const strategy of SPARSE_STRATEGIES) results.set(strategy.name, await account(strategy));
  });

  it("holds one reference to the VM and one to the vm_bo for each mapping, one to the object for all", () => {
    const rows = SPARSE_STRATEGIES.map(({ name }) => {
      const { gpuvas, vmBos, vmRefs, vmBoRefs, gemRefs } = of(name).sparse;
      return [gpuvas, vmBos, vmRefs, vmBoRefs, gemRefs];
    });
    expect(rows).toEqual([
      // gemRefs: the dummy's handle and its vm_bo.
      [24415, 1, 24416, 24415, 2],
      [48, 1, 49, 48, 2],
      [1, 1, 2, 1, 2],
      // The kernel's dummy was there before: its vm_bo only.
      [1, 1, 2, 1, 1],
      // So were hk's pages, with their vm_bos.
      [2, 0, 2, 2, 0],
      // A NULL mapping holds its VM twice and nothing else.
      [1, 0, 2, 0, 0],
    ]);
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
        if (strategy !== "xe-null") expect(sum("gpuvas"), strategy).toBe(figures.gpuvas);
        expect(sum("refsOfVmBo"), strategy).toBe(figures.vmBoRefs);
        expect(sum("residentBytes"), strategy).toBe(figures.backingBytes);
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
    const tiles = SPARSE_STRATEGIES.map(({ name }) => of(name).tile.gpuvas);
    expect(tiles).toEqual([0, 2, 2, 2, 4, 2]);
  });

  it("leaves nothing mapped but hk's mirror, and keeps the dummies", () => {
    expect(SPARSE_STRATEGIES.map(({ name }) => of(name).left.gpuvas)).toEqual([0, 0, 0, 0, 3, 0]);
    expect(SPARSE_STRATEGIES.map(({ name }) => of(name).left.backingBytes)).toEqual([
      4096,
      DUMMY_BYTES,
      DUMMY_BYTES,
      DUMMY_BYTES,
      0,
      0,
    ]);
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
    expect([array?.bindIoctls, array?.tlbInvalidations]).toEqual([1, 1]);
    expect([single?.bindIoctls, single?.tlbInvalidations]).toEqual([1526, 1526]);
    expect(array?.pteWrites).toBeGreaterThan(1.5 * (single?.pteWrites as number));
  });
});
