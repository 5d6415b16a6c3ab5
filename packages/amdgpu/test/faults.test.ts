/**
 * Memory that is not there. GEM_VA keeps errors of the page-table update to itself; a model that is right forgets nothing over that: what was
 * to be written or cleared is, at the next update that has the memory.
 */
import { type AllocPoint, EINVAL, issue } from "@vmbind/drm";
import { describe, expect, test } from "vitest";
import {
  AmdgpuDevice,
  type AmdgpuFile,
  CTX,
  type Ctx,
  checkDeviceInvariants,
  type GemVa,
  gemVaCall,
  IOCTL_CTX,
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
