/** Memory of processes: what MAP_USERPTR takes hold of, and mirrors of the process's addresses. */
import { EFAULT, EINVAL, EPERM } from "@vmbind/drm";
import { describe, expect, it } from "vitest";
import * as xe from "../src/index.ts";
import {
  bind,
  type Fixture,
  fixture,
  GIB,
  mustBind,
  nul,
  type Op,
  prefetch,
  systemBo,
  unmap,
} from "./support.ts";

const PAGE = 4096;
const FAULT_MODE = xe.VM_CREATE_FLAG_LR_MODE | xe.VM_CREATE_FLAG_FAULT_MODE;

describe("MAP_USERPTR of a process that says what it has", () => {
  const BASE = 0x7f00_0000_0000;
  const userptr = (addr: number, range: number, objOffset = BASE, flags = 0): Op => ({
    op: xe.VM_BIND_OP_MAP_USERPTR,
    addr,
    range,
    objOffset,
    patIndex: 2,
    flags,
  });
  /** Eight pages that can be written, then eight that can only be read, then nothing. */
  const make = (flags = 0): Fixture & { unmapped: Set<number> } => {
    const f = fixture("bmg", {}, flags);
    const unmapped = new Set<number>();
    f.file.userPages.access = ({ addr }) => {
      if (addr < BASE || unmapped.has(addr)) return "none";
      return addr < BASE + 8 * PAGE ? "write" : addr < BASE + 16 * PAGE ? "read" : "none";
    };
    return { ...f, unmapped };
  };

  it("refuses what is not mapped with EFAULT, and memory that can only be read with EPERM unless READONLY", () => {
    const f = make();
    const results = [
      userptr(GIB, PAGE, 0x1000),
      userptr(GIB, 8 * PAGE),
      userptr(GIB, 9 * PAGE),
      userptr(GIB, 16 * PAGE, BASE, xe.VM_BIND_FLAG_READONLY),
      userptr(GIB, 17 * PAGE, BASE, xe.VM_BIND_FLAG_READONLY),
      // The first page that is not as it is wanted decides.
      userptr(GIB, 17 * PAGE),
      userptr(GIB, 2 * PAGE, BASE - PAGE),
    ].map((op) => bind(f.file, [op]));
    expect(results).toEqual([-EFAULT, 0, -EPERM, 0, -EFAULT, -EPERM, -EFAULT]);
    expect(f.file.lastError?.reason).toBe("bind: userptr: the process has no memory at 0x7efffffff000");
    expect([...f.vm.mappings()].map((m) => [m.addr, m.range])).toEqual([[GIB, 16 * PAGE]]);
  });

  it("asks when the operation's turn comes, and undoes those before it", () => {
    const f = make();
    const gone = f.file.createBo(0x10000, { placement: 1, cpuCaching: 1 });
    (f.file.bo(gone) as xe.XeBo).dontNeed = true;
    mustBind(f.file, nul(GIB, GIB));
    const before = [...f.vm.mappings()];
    expect(bind(f.file, [unmap(GIB, PAGE), userptr(GIB, PAGE, 0x1000)])).toBe(-EFAULT);
    expect(f.file.lastError?.reason).toMatch(/^vector_of_binds\[1\]: userptr/);
    expect([...f.vm.mappings()]).toEqual(before);
    xe.checkDeviceInvariants(f.device, [f.file]);
    // What is wrong with any operation's arguments comes before all pages.
    expect(bind(f.file, [userptr(GIB, PAGE, 0x1000), nul(1, PAGE)])).toBe(-EINVAL);
    expect(f.device.counters.backingBytes).toBe(0x0);
  });

  it("asks again for the pieces of a cut, at PREFETCH and at a fault", () => {
    const f = make();
    mustBind(f.file, userptr(GIB, 8 * PAGE));
    f.unmapped.add(BASE + 5 * PAGE);
    // The piece that would show the page cannot be had; a cut without it can.
    expect(bind(f.file, [unmap(GIB, PAGE)])).toBe(-EFAULT);
    expect(bind(f.file, [prefetch(GIB, PAGE)])).toBe(-EFAULT);
    expect([...f.vm.mappings()]).toHaveLength(1);
    mustBind(f.file, unmap(GIB + 5 * PAGE, PAGE));
    mustBind(f.file, prefetch(GIB, 8 * PAGE));
    xe.checkDeviceInvariants(f.device, [f.file]);
    // A whole mapping goes without being asked for.
    f.unmapped.add(BASE);
    mustBind(f.file, unmap(GIB, 8 * PAGE));

    const g = make(FAULT_MODE);
    mustBind(g.file, userptr(GIB, 8 * PAGE));
    g.unmapped.add(BASE + 7 * PAGE);
    expect(() => g.vm.fault(GIB)).toThrow(expect.objectContaining({ errno: EFAULT }));
    g.unmapped.clear();
    g.vm.fault(GIB);
    expect(g.vm.addressSpace.load32(GIB)).toBe(0);
  });
});

describe("mirrors of the process's addresses", () => {
  const mirror = (addr: number, range: number, patIndex = 2, flags = 0): Op => ({
    ...nul(addr, range),
    flags: xe.VM_BIND_FLAG_CPU_ADDR_MIRROR | flags,
    patIndex,
  });
  const shown = ({ vm }: Fixture): unknown[] =>
    [...vm.mappings()].map((m) => [m.kind, m.addr / PAGE, m.range / PAGE, m.patIndex]);

  it("join with a mirror before, one behind, and both; the new one's attributes count", () => {
    const f = fixture("bmg", {}, FAULT_MODE);
    mustBind(f.file, mirror(0, 4 * PAGE), mirror(8 * PAGE, 4 * PAGE));
    expect(shown(f)).toEqual([
      ["cpu-addr-mirror", 0, 4, 2],
      ["cpu-addr-mirror", 8, 4, 2],
    ]);
    mustBind(f.file, mirror(12 * PAGE, PAGE, 7));
    mustBind(f.file, mirror(7 * PAGE, PAGE, 1));
    expect(shown(f)).toEqual([
      ["cpu-addr-mirror", 0, 4, 2],
      ["cpu-addr-mirror", 7, 6, 1],
    ]);
    mustBind(f.file, mirror(4 * PAGE, 3 * PAGE));
    expect(shown(f)).toEqual([["cpu-addr-mirror", 0, 13, 2]]);
    // Inside of one, and across an end: it is the one beside.
    mustBind(f.file, mirror(4 * PAGE, PAGE, 7), mirror(12 * PAGE, 4 * PAGE, 1));
    expect(shown(f)).toEqual([["cpu-addr-mirror", 0, 16, 1]]);
    expect([f.device.counters.ptOps, f.vm.gpuvm.refs]).toEqual([0, 3]);
    xe.checkDeviceInvariants(f.device, [f.file]);
  });

  it("join within one array, reach the end of the VM, and leave other mappings alone", () => {
    const f = fixture("bmg", {}, FAULT_MODE);
    const end = f.vm.size / PAGE;
    mustBind(
      f.file,
      nul(0, PAGE),
      mirror(PAGE, PAGE),
      mirror(2 * PAGE, PAGE),
      mirror(f.vm.size - PAGE, PAGE),
    );
    mustBind(f.file, mirror(f.vm.size - 2 * PAGE, PAGE));
    mustBind(f.file, { ...nul(3 * PAGE, PAGE), patIndex: 2 });
    expect(shown(f)).toEqual([
      ["null", 0, 1, 0],
      ["cpu-addr-mirror", 1, 2, 2],
      ["null", 3, 1, 2],
      ["cpu-addr-mirror", end - 2, 2, 2],
    ]);
    const before = shown(f);
    const bo = systemBo(f, PAGE);
    (f.file.bo(bo) as xe.XeBo).dontNeed = true;
    expect(bind(f.file, [mirror(3 * PAGE, PAGE), { obj: bo, range: PAGE, patIndex: 2 }])).toBeLessThan(0);
    expect(shown(f)).toEqual(before);
    xe.checkDeviceInvariants(f.device, [f.file]);
  });

  it("give their pieces the flag of 1 GiB leaves", () => {
    const f = fixture("bmg", {}, FAULT_MODE);
    mustBind(f.file, mirror(GIB, GIB));
    mustBind(f.file, unmap(GIB + PAGE, PAGE));
    const whole = xe.VMA_SYSTEM_ALLOCATOR | xe.VMA_ATOMIC_PTE;
    expect([...f.vm.mappings()].map((m) => m.flags)).toEqual([whole | xe.VMA_PTE_1G, whole | xe.VMA_PTE_1G]);
    mustBind(f.file, nul(2 * GIB - PAGE, PAGE));
    expect([...f.vm.mappings()].map((m) => m.flags).slice(0, 2)).toEqual([
      whole | xe.VMA_PTE_1G,
      whole | xe.VMA_PTE_1G,
    ]);
    mustBind(f.file, mirror(GIB + PAGE, PAGE));
    expect([...f.vm.mappings()].map((m) => m.flags)[0]).toBe(whole);
  });
});
