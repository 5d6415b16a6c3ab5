import fc from "fast-check";
import { expect, test } from "vitest";
import {
  AsahiDevice,
  type AsahiFile,
  type AsahiVm,
  BIND_READ,
  BIND_SINGLE_PAGE,
  BIND_UNBIND,
  BIND_WRITE,
  checkDeviceInvariants,
  GEM_VM_PRIVATE,
  type GemBindOp,
  PAGE_BYTES,
} from "../src/index.ts";

// A window that lies across a 64 GiB and so also a 32 MiB boundary.
const PAGES = 24;
const BASE = 0x30_0000_0000 - 10 * PAGE_BYTES;
const BO_PAGES = [1, 4, 16];

interface Page {
  pa: number;
  flags: number;
}

type Action =
  | { kind: "bind"; first: number; pages: number; bo: number; page: number; flags: number }
  | { kind: "unbind"; first: number; pages: number }
  | { kind: "close"; bo: number };

const span = fc
  .tuple(fc.nat(PAGES - 1), fc.integer({ min: 1, max: PAGES }))
  .map(([first, pages]) => ({ first, pages: Math.min(pages, PAGES - first) }));

const action: fc.Arbitrary<Action> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc
      .tuple(
        span,
        fc.nat(BO_PAGES.length - 1),
        fc.nat(15),
        fc.constantFrom(BIND_READ, BIND_WRITE, BIND_READ | BIND_WRITE),
        fc.boolean(),
      )
      .map(([at, bo, page, access, single]) => {
        const size = BO_PAGES[bo] as number;
        const first = page % size;
        const pages = single ? at.pages : Math.min(at.pages, size - first);
        const flags = access | (single ? BIND_SINGLE_PAGE : 0);
        return { kind: "bind" as const, ...at, pages, bo, page: first, flags };
      }),
  },
  { weight: 3, arbitrary: span.map((at) => ({ kind: "unbind" as const, ...at })) },
  { weight: 1, arbitrary: fc.nat(BO_PAGES.length - 1).map((bo) => ({ kind: "close" as const, bo })) },
);

/** The driver under test beside a table of pages that is changed page by page. */
class Pair {
  readonly device: AsahiDevice;
  readonly file: AsahiFile;
  readonly vm: AsahiVm;
  readonly #vmId: number;
  readonly #handles: number[];
  readonly #model: (Page | null)[] = new Array(PAGES).fill(null);
  readonly #modelBo: number[] = new Array(PAGES).fill(-1);

  constructor(fragmentation: "contiguous" | "scattered") {
    this.device = new AsahiDevice({ boFragmentation: fragmentation, tlb: { entries: 16 } });
    this.file = this.device.open();
    const range = { kernelStart: 0x77_ffff_8000, kernelEnd: 0x7f_ffff_8000, vmId: 0, pad: 0 };
    this.#vmId = this.file.vmCreate(range);
    this.vm = this.file.vm(this.#vmId) as AsahiVm;
    this.#handles = BO_PAGES.map((pages) => this.#create(pages));
  }

  #create(pages: number): number {
    return this.file.gemCreate({ size: pages * PAGE_BYTES, flags: GEM_VM_PRIVATE, vmId: this.#vmId });
  }

  run(step: Action): void {
    if (step.kind === "close") {
      this.file.gemClose(this.#handles[step.bo] as number);
      this.#handles[step.bo] = this.#create(BO_PAGES[step.bo] as number);
      for (let i = 0; i < PAGES; i++) if (this.#modelBo[i] === step.bo) this.#set(i, null, -1);
      return;
    }
    const op: GemBindOp = {
      flags: BIND_UNBIND,
      handle: 0,
      offset: 0,
      range: step.pages * PAGE_BYTES,
      addr: BASE + step.first * PAGE_BYTES,
    };
    if (step.kind === "bind") {
      const handle = this.#handles[step.bo] as number;
      Object.assign(op, { flags: step.flags, handle, offset: step.page * PAGE_BYTES });
    }
    this.file.bind(this.#vmId, [op]);
    for (let i = 0; i < step.pages; i++) {
      if (step.kind === "unbind") {
        this.#set(step.first + i, null, -1);
        continue;
      }
      const page = step.page + (step.flags & BIND_SINGLE_PAGE ? 0 : i);
      const pa = this.file
        .bo(op.handle)
        ?.pages()
        .addressAt(page * PAGE_BYTES) as number;
      this.#set(step.first + i, { pa, flags: step.flags }, step.bo);
    }
  }

  #set(i: number, page: Page | null, bo: number): void {
    this.#model[i] = page;
    this.#modelBo[i] = bo;
  }

  check(): void {
    const space = this.vm.addressSpace;
    const expected: unknown[] = [];
    const walked: unknown[] = [];
    const translated: unknown[] = [];
    for (let i = 0; i < PAGES; i++) {
      const page = this.#model[i] as Page | null;
      const va = BASE + i * PAGE_BYTES + 0x123;
      expected.push(
        page === null
          ? null
          : [page.pa + 0x123, (page.flags & BIND_READ) !== 0, (page.flags & BIND_WRITE) !== 0],
      );
      for (const [list, walk] of [
        [walked, space.walk(va)],
        [translated, space.translate(va)],
      ] as const) {
        list.push(walk.kind === "page" ? [walk.pa, walk.readable, walk.writable] : null);
      }
    }
    expect(walked).toEqual(expected);
    expect(translated, "through the TLB").toEqual(expected);
    expect(space.walk(BASE - 1).kind).toBe("fault");
    expect(space.walk(BASE + PAGES * PAGE_BYTES).kind).toBe("fault");
  }

  /** References follow the mappings, and everything comes back at the end. */
  finish(): void {
    const { counters, memory, gems } = this.device;
    const mappings = [...this.vm.mappings()];
    expect(counters.gpuvasLive).toBe(mappings.length);
    const objects = new Set(mappings.map((mapping) => mapping.gem));
    expect(counters.vmBosLive).toBe(objects.size);
    expect(this.vm.gpuvm.refs).toBe(1 + mappings.length + objects.size);
    this.file.close();
    expect(gems.size).toBe(0);
    expect(memory.tables.live).toBe(0);
    expect(counters).toMatchObject({ gpuvasLive: 0, vmBosLive: 0, backingBytes: 0 });
  }
}

test.each(["contiguous", "scattered"] as const)(
  "random binds, unbinds and closes translate every page as a page-by-page model does (%s memory)",
  (fragmentation) => {
    fc.assert(
      fc.property(fc.array(action, { minLength: 1, maxLength: 40 }), (actions) => {
        const pair = new Pair(fragmentation);
        for (const step of actions) {
          pair.run(step);
          pair.check();
          checkDeviceInvariants(pair.device, [pair.file]);
        }
        pair.finish();
      }),
      { numRuns: 150, seed: 20260322 },
    );
  },
);
