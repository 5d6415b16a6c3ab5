/**
 * Memory that is not there. GEM_VA keeps errors of the page-table update to itself; a model that is right forgets nothing over that: what was
 * to be written or cleared is, at the next update that has the memory.
 */
import { type AllocPoint, EINVAL, ENOMEM, issue } from "@vmbind/drm";
import { describe, expect, test } from "vitest";
import {
  AmdgpuDevice,
  type AmdgpuFile,
  CREATE_CPU_ACCESS_REQUIRED,
  CTX,
  type Ctx,
  checkDeviceInvariants,
  DOMAIN_CPU,
  DOMAIN_GTT,
  DOMAIN_VRAM,
  GEM_CREATE,
  type GemVa,
  gemVaCall,
  IOCTL_CTX,
  IOCTL_GEM_CREATE,
  VA_OP_CLEAR,
  VA_OP_MAP,
  VA_OP_REPLACE,
  VM_PAGE_PRT,
} from "../src/index.ts";

const PAGE = 4096;
const TILE = 0x1_0000;
const VA = 2 ** 39 - TILE;

function va(file: AmdgpuFile, args: Partial<GemVa>): number {
  return issue(file, gemVaCall(args));
}

/** Fails one allocation of a point, the nth from when it was armed. */
class Fault {
  left = 0;
  readonly #point: AllocPoint;

  constructor(point: AllocPoint) {
    this.#point = point;
  }

  readonly ask = (point: AllocPoint): boolean => point === this.#point && this.left > 0 && --this.left === 0;
}

describe("a table that cannot be made", () => {
  test.each([1, 2, 3, 4, 5, 6])(
    "number %i: the ioctl succeeds, and the next submission writes what is missing",
    (nth) => {
      const fault = new Fault("page-table");
      const device = new AmdgpuDevice({ allocFault: fault.ask });
      const file = device.open();
      const gpu = file.space.addressSpace;
      fault.left = nth;
      // Two tables on each of three levels.
      expect(va(file, { operation: VA_OP_MAP, flags: VM_PAGE_PRT, vaAddress: VA, mapSize: 2 * TILE })).toBe(
        0,
      );
      expect(fault.left).toBe(0);
      checkDeviceInvariants(device, [file]);
      file.space.submit();
      expect([gpu.load32(VA), gpu.load32(VA + 2 * TILE - 4)]).toEqual([0, 0]);
      checkDeviceInvariants(device, [file]);
    },
  );

  test("of a clear: the entries stay, and what they show is not another's, until they are cleared", () => {
    const fault = new Fault("page-table");
    const device = new AmdgpuDevice({ allocFault: fault.ask });
    const file = device.open();
    const gpu = file.space.addressSpace;
    const handle = file.gemCreate({ boSize: 2 ** 21, alignment: 0, domains: 4, domainFlags: 0x40 });
    const at = 2 ** 38;
    expect(va(file, { operation: VA_OP_MAP, handle, flags: 0xe, vaAddress: at, mapSize: 2 ** 21 })).toBe(0);
    gpu.store32(at, 77);
    fault.left = 1;
    // A part of a leaf of 2 MiB needs a table.
    expect(va(file, { operation: VA_OP_CLEAR, vaAddress: at, mapSize: PAGE })).toBe(0);
    expect(gpu.load32(at)).toBe(77);
    checkDeviceInvariants(device, [file]);
    fault.left = 1;
    file.gemClose(handle);
    // Its memory is kept as long as an entry shows it.
    expect([gpu.load32(at), file.space.kept.length]).toEqual([77, 1]);
    checkDeviceInvariants(device, [file]);
    file.space.submit();
    expect(() => gpu.load32(at)).toThrow("fault");
    expect(file.space.kept).toEqual([]);
    expect(device.counters.backingBytes).toBe(0);
    checkDeviceInvariants(device, [file]);
  });
});

test("mappings that cannot be made: ENOMEM, and nothing has changed", () => {
  const fault = new Fault("gpuva");
  const device = new AmdgpuDevice({ allocFault: fault.ask });
  const file = device.open();
  expect(va(file, { operation: VA_OP_MAP, flags: VM_PAGE_PRT, vaAddress: VA, mapSize: TILE })).toBe(0);
  const before = [...file.space.mappings()];
  for (const [operation, count] of [
    [VA_OP_CLEAR, 2],
    [VA_OP_REPLACE, 3],
  ] as const) {
    for (let nth = 1; nth <= count; nth++) {
      fault.left = nth;
      const flags = operation === VA_OP_CLEAR ? 0 : VM_PAGE_PRT;
      expect(va(file, { operation, flags, vaAddress: VA + PAGE, mapSize: PAGE })).toBe(-12);
      expect(file.lastError?.reason).toBe("gem_va: no memory for a mapping (injected)");
      expect([...file.space.mappings()]).toEqual(before);
    }
  }
  checkDeviceInvariants(device, [file]);
});

test("an object has its memory from the start: making it is refused, and fits once there is room", () => {
  const device = new AmdgpuDevice({
    vramBytes: 2 ** 23,
    memory: { frames: { base: 2 ** 32, limit: 2 ** 32 + 2 ** 23 } },
  });
  const file = device.open();
  const create = (domains: number): number =>
    file.gemCreate({ boSize: 2 ** 22, alignment: 0, domains, domainFlags: 0 });
  // The third goes to system memory, where VRAM alone was asked for.
  const handles = [create(4), create(4), create(4), create(2)];
  expect(handles.map((handle) => file.bo(handle)?.place)).toEqual(["vram", "vram", "gtt", "gtt"]);
  for (const domains of [2, 4, 6]) expect(() => create(domains)).toThrow("ENOMEM");
  expect(() => file.gemCreate({ boSize: 2 ** 23, alignment: 0, domains: 2, domainFlags: 0 })).toThrow(
    "ENOMEM: gem_create.bo_size: 0x800000 is not below the heap's 0x800000",
  );
  // What the bytes of an ioctl say beyond 2^53, where a double holds no odd number.
  expect(() => file.gemCreate({ boSize: Number.NaN, alignment: 0, domains: 2, domainFlags: 0 })).toThrow(
    "ENOMEM: gem_create.bo_size: a value above 2^53 is not below the heap's 0x800000",
  );
  file.gemClose(handles[3] as number);
  expect(create(2)).toBe(handles[3]);
  checkDeviceInvariants(device, [file]);
  file.close();
  expect(device.counters.backingBytes).toBe(0);
});

test("a context takes no flags, and a power state that there is", () => {
  const file = new AmdgpuDevice().open();
  const ctx = (args: Partial<Ctx>): number => file.ioctl(IOCTL_CTX, CTX.encode(args));
  expect(ctx({ op: 1, flags: 1 })).toBe(-EINVAL);
  expect(file.lastError?.reason).toBe("ctx.flags: 0x1 is not for operation 1");
  expect(ctx({ op: 1 })).toBe(0);
  expect([2, 3, 4, 5].map((op) => ctx({ op, flags: 1, ctxId: 1 }))).toEqual(new Array(4).fill(-EINVAL));
  expect([4, 5].map((flags) => ctx({ op: 6, flags, ctxId: 1 }))).toEqual([0, -EINVAL]);
});

describe("where GEM_CREATE puts an object", () => {
  const GIB = 2 ** 30;
  const device = new AmdgpuDevice({
    vramBytes: 2 * GIB,
    memory: { frames: { base: 2 ** 32, limit: 2 ** 32 + 4 * GIB } },
  });
  const DOMAINS_BOTH = DOMAIN_VRAM | DOMAIN_GTT;
  /** What was made: place, domains and flags; the errno of a refusal. */
  const made = (boSize: number, domains: number, domainFlags = 0): unknown => {
    const file = device.open();
    const arg = GEM_CREATE.encode({ boSize, domains, domainFlags });
    const ret = file.ioctl(IOCTL_GEM_CREATE, arg);
    const bo = file.bo(1);
    const found = ret === 0 && bo !== undefined ? [bo.place, bo.domains, bo.flags] : ret;
    file.close();
    return found;
  };

  test("VRAM alone that does not hold it: system memory, too, and no access by the CPU", () => {
    expect(made(GIB, DOMAIN_VRAM, CREATE_CPU_ACCESS_REQUIRED)).toEqual(["vram", DOMAIN_VRAM, 1]);
    // As large as VRAM is refused there, and found to fit after all.
    expect(made(2 * GIB, DOMAIN_VRAM, CREATE_CPU_ACCESS_REQUIRED)).toEqual(["vram", DOMAINS_BOTH, 0]);
    expect(made(3 * GIB, DOMAIN_VRAM)).toEqual(["gtt", DOMAINS_BOTH, 0]);
  });

  test("the heap's size is the limit, system memory's where that was asked for", () => {
    expect(made(3 * GIB, DOMAINS_BOTH, CREATE_CPU_ACCESS_REQUIRED)).toEqual(["gtt", DOMAINS_BOTH, 1]);
    for (const domains of [DOMAIN_VRAM, DOMAIN_GTT, DOMAINS_BOTH])
      expect(made(4 * GIB, domains)).toBe(-ENOMEM);
    expect(made(2 * GIB, DOMAIN_CPU)).toBe(-ENOMEM);
    expect(made(GIB, DOMAIN_CPU)).toEqual(["none", DOMAIN_CPU, 0]);
  });
});
