import {
  type AllocFault,
  type DeviceChoices,
  EFAULT,
  EINVAL,
  ENOENT,
  ENOMEM,
  issue,
  UserMemory,
} from "@vmbind/drm";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import {
  AsahiDevice,
  type AsahiDeviceOptions,
  type AsahiFile,
  type AsahiVm,
  BIND_READ,
  BIND_SINGLE_PAGE,
  BIND_UNBIND,
  BIND_WRITE,
  checkDeviceInvariants,
  GEM_BIND_OP,
  GEM_VM_PRIVATE,
  type GemBindOp,
  IOCTL_VM_BIND,
  PAGE_BYTES,
  VM_BIND,
  VM_END,
  vmBindCall,
} from "../src/index.ts";

const RW = BIND_READ | BIND_WRITE;
const ADDR = 0x20_0000_0000;
const KERNEL = { kernelStart: 0x77_ffff_8000, kernelEnd: 0x7f_ffff_8000, vmId: 0, pad: 0 };

let device: AsahiDevice;
let allocFault: AllocFault;
let file: AsahiFile;
let vmId: number;
let vm: AsahiVm;
let bo: number;

function open(options: DeviceChoices<AsahiDeviceOptions> = {}): void {
  allocFault = () => false;
  device = new AsahiDevice({ allocFault: (point) => allocFault(point), ...options });
  file = device.open();
  vmId = file.vmCreate(KERNEL);
  vm = file.vm(vmId) as AsahiVm;
  bo = file.gemCreate({ size: 0x20000, flags: GEM_VM_PRIVATE, vmId });
}

function bind(changes: Partial<GemBindOp> = {}): GemBindOp {
  return { flags: RW, handle: bo, offset: 0, range: 0x8000, addr: ADDR, ...changes };
}

function unbind(changes: Partial<GemBindOp> = {}): GemBindOp {
  return { flags: BIND_UNBIND, handle: 0, offset: 0, range: 0x8000, addr: ADDR, ...changes };
}

function submit(...ops: GemBindOp[]): number {
  return issue(file, vmBindCall(vmId, ops));
}

function mappings(): [addr: number, range: number, offset: number, kind: string][] {
  return [...vm.mappings()].map(({ addr, range, offset, kind }) => [addr - ADDR, range, offset, kind]);
}

beforeEach(() => open());
afterEach(() => checkDeviceInvariants(device, [file]));

describe("the array", () => {
  test("no ops succeed, even for a VM that does not exist", () => {
    expect(issue(file, vmBindCall(99, []))).toBe(0);
    expect(issue(file, vmBindCall(99, [bind()]))).toBe(-ENOENT);
    expect(file.lastError?.reason).toContain("vm_bind.vm_id: 99");
  });

  test.each([
    ["stride 0", { stride: 0 }, EINVAL, "vm_bind.stride"],
    ["pad", { pad: 1 }, EINVAL, "vm_bind.pad"],
    ["a pointer to nothing", { userptr: 0x999000 }, EFAULT, "user memory"],
    ["a pointer that no double holds", { userptr: Number.NaN }, EFAULT, "user memory"],
  ])("%s", (_, changes, errno, reason) => {
    const arg = VM_BIND.encode({ vmId, numBinds: 1, stride: 32, userptr: 0x1000 });
    const view = new DataView(arg.buffer);
    if (Number.isNaN((changes as { userptr?: number }).userptr)) view.setBigUint64(16, 2n ** 64n - 1n, true);
    else VM_BIND.write(view, 0, { vmId, numBinds: 1, stride: 32, userptr: 0x1000, ...changes });
    expect(file.ioctl(IOCTL_VM_BIND, arg)).toBe(-errno);
    expect(file.lastError?.reason).toContain(reason);
  });

  function strided(stride: number, ops: GemBindOp[]): number {
    const bytes = new Uint8Array(stride * ops.length).fill(0xee);
    ops.forEach((op, i) => {
      bytes.set(GEM_BIND_OP.encode(op), i * stride);
    });
    const user = new UserMemory();
    user.place(0x1000, bytes);
    const arg = VM_BIND.encode({ vmId, numBinds: ops.length, stride, userptr: 0x1000 });
    return file.ioctl(IOCTL_VM_BIND, arg, user);
  }

  test("records stand at stride * i", () => {
    expect(strided(48, [bind(), bind({ addr: ADDR + 0x10000 })])).toBe(0);
    expect(mappings()).toHaveLength(2);
  });

  test("with packedOps the second record of a wide stride comes from the wrong place", () => {
    open({ quirks: { packedOps: true } });
    expect(strided(48, [bind(), bind({ addr: ADDR + 0x10000 })])).toBe(-EINVAL);
    expect(mappings()).toHaveLength(1);
  });

  test("the 32-bit product of packedOps wraps: few bytes are copied, then the records run out", () => {
    const arg = VM_BIND.encode({ vmId, numBinds: 2 ** 27 + 1, stride: 32, userptr: 0x1000 });
    const user = new UserMemory();
    user.place(0x1000, GEM_BIND_OP.encode(bind()));
    expect(file.ioctl(IOCTL_VM_BIND, arg, user)).toBe(-EFAULT);
    expect(mappings()).toEqual([]);
    open({ quirks: { packedOps: true } });
    expect(file.ioctl(IOCTL_VM_BIND, arg, user)).toBe(-EINVAL);
    expect(mappings()).toHaveLength(1);
  });

  test("ops before a failing one stay, ops behind it do not run", () => {
    expect(submit(bind(), bind({ handle: 77, addr: ADDR + 0x10000 }), bind({ addr: ADDR + 0x20000 }))).toBe(
      -ENOENT,
    );
    expect(file.lastError?.message).toBe("ENOENT: binds[1].handle: 77 is not a handle of this file");
    expect(mappings()).toEqual([[0, 0x8000, 0, "bo"]]);
  });
});

describe("checks of one op", () => {
  test.each<[string, () => GemBindOp, number, string]>([
    ["unaligned addr", () => bind({ addr: ADDR + 0x1000 }), EINVAL, "binds[0].addr: 0x2000001000"],
    ["unaligned range", () => bind({ range: 0x4001 }), EINVAL, "binds[0].range: 0x4001"],
    ["unaligned offset", () => bind({ offset: 0x1000 }), EINVAL, "binds[0].offset: 0x1000"],
    ["unknown flag", () => bind({ flags: RW | 16 }), EINVAL, "binds[0].flags: 0x16"],
    ["handle 0", () => bind({ handle: 0 }), ENOENT, "binds[0].handle: 0"],
    ["end of the object", () => bind({ offset: 0x1c000 }), EINVAL, "binds[0].offset"],
    ["page behind the object", () => bind({ flags: 0xe, offset: 0x20000 }), EINVAL, "binds[0].offset"],
    ["page 0", () => bind({ addr: 0 }), EINVAL, "binds[0].addr: 0x0"],
    ["end of the window", () => bind({ addr: VM_END - 0x4000 }), EINVAL, "binds[0].addr"],
    ["no access", () => bind({ flags: BIND_SINGLE_PAGE }), EINVAL, "neither READ nor WRITE"],
    ["kernel range", () => bind({ addr: 0x77_ffff_4000 }), EINVAL, "meets the kernel range"],
    ["range 0", () => bind({ range: 0 }), EINVAL, "binds[0].range: 0"],
    ["range 0, unbind", () => unbind({ range: 0 }), EINVAL, "binds[0].range: 0"],
    ["unbind with offset", () => unbind({ offset: 0x4000 }), EINVAL, "binds[0].offset"],
    ["unbind with READ", () => unbind({ flags: 3 }), EINVAL, "is not UNBIND alone"],
    ["unbind with handle", () => unbind({ handle: bo }), EINVAL, "binds[0].handle"],
    ["unbind outside", () => unbind({ addr: VM_END }), EINVAL, "binds[0].addr"],
    ["handle before window", () => bind({ handle: 9, addr: 0 }), ENOENT, "binds[0].handle"],
    ["handle before range 0", () => bind({ handle: 9, range: 0 }), ENOENT, "binds[0].handle"],
    ["flags before handle", () => bind({ handle: 9, flags: 16 }), EINVAL, "binds[0].flags"],
  ])("%s", (_, op, errno, reason) => {
    expect(submit(op())).toBe(-errno);
    expect(file.lastError?.reason).toContain(reason);
    expect(mappings()).toEqual([]);
    expect(vm.pageTable.count).toEqual({ l1: 1, l2: 1, l3: 1 });
  });

  test.each(["addr", "range", "offset"] as const)("a %s that no double holds is not aligned", (field) => {
    const at = { offset: 8, range: 16, addr: 24 }[field];
    const call = vmBindCall(vmId, [bind()]);
    const bytes = call.buffers[0]?.bytes as Uint8Array;
    new DataView(bytes.buffer).setBigUint64(at, 2n ** 63n + 1n, true);
    expect(issue(file, call)).toBe(-EINVAL);
    expect(file.lastError?.reason).toContain(`binds[0].${field}`);
    expect(mappings()).toEqual([]);
  });

  test("the VM is looked up after everything that needs no VM, and before the kernel range", () => {
    const kernel = bind({ addr: 0x78_0000_0000 });
    expect(issue(file, vmBindCall(7, [kernel]))).toBe(-ENOENT);
    expect(issue(file, vmBindCall(7, [bind({ flags: 0 })]))).toBe(-EINVAL);
    // Refusing a range of 0 is the model's own rule.
    for (const op of [bind({ range: 0 }), unbind({ range: 0 })])
      expect(issue(file, vmBindCall(7, [op]))).toBe(-ENOENT);
  });

  test("another VM's private object is refused, unless foreignPrivateObjects", () => {
    const other = file.vmCreate(KERNEL);
    expect(issue(file, vmBindCall(other, [bind()]))).toBe(-EINVAL);
    expect(file.lastError?.reason).toContain("belongs to another VM");
    open({ quirks: { foreignPrivateObjects: true } });
    expect(issue(file, vmBindCall(file.vmCreate(KERNEL), [bind()]))).toBe(0);
  });
});

describe("emptyRanges, the driver's defect", () => {
  beforeEach(() => open({ quirks: { emptyRanges: true } }));

  test("a plain bind of nothing inside a mapping cuts it in two and leaves the page tables alone", () => {
    submit(bind());
    const written = device.counters.pteWrites;
    expect(submit(bind({ range: 0, addr: ADDR + 0x4000 }))).toBe(0);
    expect(mappings()).toEqual([
      [0, 0x4000, 0, "bo"],
      [0x4000, 0x4000, 0x4000, "bo"],
      [0x4000, 0, 0, "bo"],
    ]);
    expect([device.counters.pteWrites - written, device.counters.pteClears]).toEqual([0, 0]);
  });

  test("an unbind of nothing cuts too; SINGLE_PAGE of nothing is refused and allocates nothing", () => {
    submit(bind());
    expect(submit(unbind({ range: 0, addr: ADDR + 0x4000 }))).toBe(0);
    expect(mappings()).toHaveLength(2);
    expect(submit(bind({ flags: 0xe, range: 0, addr: 0x30_0000_0000 }))).toBe(-EINVAL);
    expect(vm.pageTable.count).toEqual({ l1: 1, l2: 2, l3: 2 });
  });
});

describe("references", () => {
  test("one SINGLE_PAGE mapping costs one mapping; page by page costs one for each page, the object one", () => {
    const gem = file.bo(bo);
    submit(bind({ flags: 0xe, range: 100 * PAGE_BYTES }));
    expect([vm.gpuvm.count, vm.gpuvm.refs, gem?.refs, gem?.vmBos[0]?.refs]).toEqual([1, 3, 2, 1]);
    for (let i = 0; i < 100; i++) submit(bind({ range: PAGE_BYTES, addr: ADDR + i * PAGE_BYTES }));
    expect([vm.gpuvm.count, vm.gpuvm.refs, gem?.refs, gem?.vmBos[0]?.refs]).toEqual([100, 102, 2, 100]);
    submit(unbind({ range: 100 * PAGE_BYTES }));
    expect([vm.gpuvm.count, vm.gpuvm.refs, gem?.refs, gem?.vmBos.length]).toEqual([0, 1, 1, 0]);
  });

  test("closing a handle removes the object's mappings from every VM of the file", () => {
    const shared = file.gemCreate({ size: 0x8000, flags: 0, vmId: 0 });
    const otherId = file.vmCreate(KERNEL);
    const other = file.vm(otherId) as AsahiVm;
    submit(
      bind({ handle: shared }),
      bind({ handle: shared, addr: ADDR + 0x10000 }),
      bind({ addr: ADDR + 0x20000 }),
    );
    issue(file, vmBindCall(otherId, [bind({ handle: shared, flags: 0xa })]));
    expect(other.addressSpace.walk(ADDR).kind).toBe("page");
    file.gemClose(shared);
    expect(mappings()).toEqual([[0x20000, 0x8000, 0, "bo"]]);
    expect(other.gpuvm.count).toBe(0);
    expect(other.addressSpace.walk(ADDR).kind).toBe("fault");
    expect(() => file.gemClose(shared)).toThrow("EINVAL: gem_close.handle");
  });

  test("VM_DESTROY unmaps left and right of the kernel range and gives everything back", () => {
    const id = file.vmCreate({ ...KERNEL, kernelStart: 0x30_0000_0000, kernelEnd: 0x40_0000_0000 });
    const handle = file.gemCreate({ size: 0x8000, flags: GEM_VM_PRIVATE, vmId: id });
    const left = bind({ handle });
    const right = bind({ handle, addr: 0x50_0000_0000 });
    expect(issue(file, vmBindCall(id, [left, right]))).toBe(0);
    const tables = device.memory.tables.live;
    const middle = file.vm(id) as AsahiVm;
    expect([middle.pageTable.count.l2, middle.pageTable.count.l3]).toEqual([3, 3]);
    file.vmDestroy({ vmId: id });
    expect(tables - device.memory.tables.live).toBe(7);
    expect(file.bo(handle)?.refs).toBe(1);
    expect(file.vmCreate(KERNEL)).toBe(id);
  });

  test("handles of removed mappings are used again", () => {
    submit(bind());
    const { memoryBytes } = vm.gpuvm;
    for (let i = 0; i < 2000; i++) submit(bind(), bind({ range: 0x4000 }), unbind({ range: 0x20000 }));
    expect(vm.gpuvm.memoryBytes).toBe(memoryBytes);
  });

  test("unbinding frees no table", () => {
    submit(bind({ flags: 0xe, range: 2 ** 30 }));
    const { count } = vm.pageTable;
    expect(count).toEqual({ l1: 1, l2: 2, l3: 33 });
    submit(unbind({ range: 2 ** 30 }));
    expect(count).toEqual({ l1: 1, l2: 2, l3: 33 });
  });
});

describe("allocation failure", () => {
  test("each allocation point in turn: ENOMEM, and the mappings as they were", () => {
    const points: string[] = [];
    for (let nth = 0; ; nth++) {
      open();
      submit(bind({ range: 0x10000 }));
      const fresh = file.gemCreate({ size: 0x8000, flags: 0, vmId: 0 });
      const op = bind({ handle: fresh, addr: 0x30_0000_4000, range: 0x4000 });
      const before = mappings();
      let left = nth;
      allocFault = (point) => {
        if (left-- !== 0) return false;
        points.push(point);
        return true;
      };
      const ret = submit(op);
      if (ret === 0) break;
      expect(ret).toBe(-ENOMEM);
      expect(mappings()).toEqual(before);
    }
    expect(points).toEqual([
      "op-array",
      "gpuva",
      "gpuva",
      "gpuva",
      "bo-pages",
      "page-table",
      "page-table",
      "vm_bo",
    ]);
    expect(mappings()).toHaveLength(2);
  });

  test("an object larger than memory, and tables beyond it, are ENOMEM too", () => {
    const handle = file.gemCreate({ size: 2 ** 42, flags: 0, vmId: 0 });
    expect(submit(bind({ handle }))).toBe(-ENOMEM);
    expect(file.lastError?.reason).toContain("no 0x40000000000 free bytes");
    device.memory.tables.alloc = () => {
      throw new Error("no page-table page left");
    };
    expect(submit(bind({ addr: 0x40_0000_0000 }))).toBe(-ENOMEM);
    expect(file.lastError?.reason).toBe("binds[0]: page table: no page-table page left");
    expect(mappings()).toEqual([]);
  });

  test("an unbind needs two mappings before it changes anything", () => {
    submit(bind());
    const asked: string[] = [];
    allocFault = (point) => asked.push(point) === 3;
    expect(submit(unbind({ range: 0x4000 }))).toBe(-ENOMEM);
    expect(asked).toEqual(["op-array", "gpuva", "gpuva"]);
    expect(mappings()).toEqual([[0, 0x8000, 0, "bo"]]);
  });

  test("VM_CREATE leaves nothing behind", () => {
    const live = device.memory.tables.live;
    const objects = device.gems.size;
    for (let nth = 0; ; nth++) {
      let left = nth;
      allocFault = () => left-- === 0;
      try {
        file.vmCreate(KERNEL);
        expect(nth).toBe(5);
        break;
      } catch (error) {
        expect(String(error)).toContain("ENOMEM");
        expect([device.memory.tables.live, device.gems.size]).toEqual([live, objects]);
      }
    }
  });
});
