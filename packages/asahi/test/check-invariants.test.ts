/**
 * Each invariant is shown to catch a fault: build a state in which everything holds, break one thing behind the
 * driver's back, and expect that very invariant to be named.
 */
import type { GemObject } from "@vmbind/drm";
import type { Gpuvm } from "@vmbind/gpuvm-core";
import { beforeEach, describe, expect, test } from "vitest";
import {
  AsahiBo,
  AsahiDevice,
  type AsahiFile,
  type AsahiVm,
  BIND_OBJECT_USAGE_TIMESTAMPS,
  BIND_READ,
  BIND_SINGLE_PAGE,
  BIND_UNBIND,
  BIND_WRITE,
  checkDeviceInvariants,
  checkInvariants,
  GEM_VM_PRIVATE,
  PAGE_BYTES,
} from "../src/index.ts";

const ADDR = 0x20_0000_0000;
const KERNEL = { kernelStart: 0x77_ffff_8000, kernelEnd: 0x7f_ffff_8000, vmId: 0, pad: 0 };

let device: AsahiDevice;
let file: AsahiFile;
let vm: AsahiVm;
let shared: AsahiBo;

/** One private object mapped in two pieces, one shared object as a single page, one firmware object. */
beforeEach(() => {
  device = new AsahiDevice();
  file = device.open();
  const id = file.vmCreate(KERNEL);
  vm = file.vm(id) as AsahiVm;
  const own = file.gemCreate({ size: 16 * PAGE_BYTES, flags: GEM_VM_PRIVATE, vmId: id });
  const other = file.gemCreate({ size: 4 * PAGE_BYTES, flags: 0, vmId: 0 });
  shared = file.bo(other) as AsahiBo;
  const rw = BIND_READ | BIND_WRITE;
  file.bind(id, [
    { flags: rw, handle: own, offset: 0, range: 16 * PAGE_BYTES, addr: ADDR },
    { flags: BIND_UNBIND, handle: 0, offset: 0, range: PAGE_BYTES, addr: ADDR + 7 * PAGE_BYTES },
    {
      flags: BIND_READ | BIND_SINGLE_PAGE,
      handle: other,
      offset: PAGE_BYTES,
      range: 64 * PAGE_BYTES,
      addr: 2 * ADDR,
    },
  ]);
  file.gemBindObject({
    op: 0,
    flags: BIND_OBJECT_USAGE_TIMESTAMPS,
    handle: other,
    vmId: 0,
    offset: PAGE_BYTES,
    range: 2 * PAGE_BYTES,
    objectHandle: 0,
    pad: 0,
  });
  vm.addressSpace.translate(ADDR);
  vm.addressSpace.translate(2 * ADDR);
  checkDeviceInvariants(device, [file]);
});

/** Position of the descriptor of a leaf, as an index into the words of the tables. */
function leafWord(va: number, root = vm.pageTable.root): number {
  const { tables } = device.memory;
  let slot = tables.slotAt(root);
  for (const shift of [36, 25]) {
    const at = slot * tables.wordsPerTable + (Math.floor(va / 2 ** shift) % 2048) * 2;
    slot = tables.slotOf((tables.words[at] as number) & ~0x3fff, (tables.words[at + 1] as number) & 0xff);
  }
  return slot * tables.wordsPerTable + (Math.floor(va / PAGE_BYTES) % 2048) * 2;
}

function flip(word: number, bits: number): void {
  const { words } = device.memory.tables;
  words[word] = (words[word] as number) ^ bits;
}

const firstMapping = (): number => vm.gpuvm.findFirst(ADDR, PAGE_BYTES);

/** The external object that was mapped last is on its VM's list no more. */
function forgetLast(gpuvm: Gpuvm): void {
  const list = gpuvm.extobjs();
  gpuvm.extobjs = () => list.slice(0, -1);
}

const FAULTS: readonly [invariant: string, fault: string, breakIt: () => void][] = [
  ["leaf-value", "a permission bit of a leaf flips", () => flip(leafWord(ADDR), 1 << 7)],
  ["leaf-value", "an address bit of a leaf flips", () => flip(leafWord(ADDR + PAGE_BYTES), 1 << 15)],
  ["leaf-value", "the attribute half of a leaf flips", () => flip(leafWord(ADDR) + 1, 1 << 21)],
  [
    "leaf-missing",
    "a leaf is cleared",
    () => device.memory.tables.words.fill(0, leafWord(ADDR), leafWord(ADDR) + 2),
  ],
  [
    "leaf-missing",
    "the last leaf of the last mapping is cleared",
    () => {
      const at = leafWord(vm.dummyPage === null ? 0 : 0x7f_ffff_8000);
      device.memory.tables.words.fill(0, at, at + 2);
    },
  ],
  [
    "leaf-unexplained",
    "a leaf stands where nothing is mapped",
    () => {
      const { words } = device.memory.tables;
      const from = leafWord(ADDR);
      const to = leafWord(ADDR + 7 * PAGE_BYTES);
      words[to] = words[from] as number;
      words[to + 1] = words[from + 1] as number;
    },
  ],
  [
    "leaf-unexplained",
    "a mapping goes without its leaves",
    () => {
      const va = firstMapping();
      vm.gpuvm.remove(va);
      vm.gpuvm.unlinkDefer(va);
    },
  ],
  ["gpuva-object", "a mapped object leaves the registry", () => device.gems.delete(shared.id)],
  [
    "leaf-value",
    "a firmware leaf flips",
    () => flip(leafWord(0x20_0000_0000, device.firmware.pageTable?.root), 1 << 14),
  ],
  ["table-leak", "a table page is taken and linked nowhere", () => void device.memory.tables.alloc()],
  [
    "table-dead",
    "a table page in use is freed",
    () => device.memory.tables.free(Math.floor(leafWord(ADDR) / device.memory.tables.wordsPerTable)),
  ],
  [
    "table-shared",
    "two directory entries point to one leaf table",
    () => {
      const { tables } = device.memory;
      const { words, wordsPerTable } = tables;
      const middle = tables.slotAt(
        Number(tables.entry(tables.slotAt(vm.pageTable.root), 2) & 0xff_ffff_c000n),
      );
      words.copyWithin(middle * wordsPerTable + 2, middle * wordsPerTable, middle * wordsPerTable + 2);
    },
  ],
  ["table-count", "a leaf table is not counted", () => void vm.pageTable.count.l3--],
  ["table-counters", "a table page is counted as freed", () => void device.counters.tablesFreed++],
  [
    "tlb-stale",
    "an entry changes behind the TLB",
    () => {
      const wrong = vm.addressSpace.walk(ADDR);
      wrong.lo ^= 1 << 15;
      device.tlb.insert(vm.asid, ADDR, wrong);
    },
  ],
  [
    "va-tree",
    "the tree miscounts its entries",
    () => void (vm.gpuvm.tree as unknown as { entries: number }).entries++,
  ],
  ["vm-bo-list", "a mapping is not linked", () => void vm.gpuvm.unlinkDefer(vm.gpuvm.findFirst(ADDR, 1))],
  ["vm-bo-refs", "a vm_bo gains a reference", () => void vm.gpuvm.vmBo(firstMapping())?.get()],
  ["vm-bo-pair", "an object forgets its vm_bo", () => void shared.vmBos.pop()],
  ["extobj-list", "an external object is not on the list", () => forgetLast(vm.gpuvm)],
  ["gpuvm-refs", "the VM loses a reference", () => void vm.gpuvm.refs--],
  ["gem-refs", "an object gains a reference", () => void shared.get()],
  ["gem-refs", "an object without an owner appears", () => void makeStray()],
  ["gpuvm-counters", "a mapping is counted twice", () => void device.counters.gpuvasLive++],
  ["backing-bytes", "backing memory is counted twice", () => void device.counters.backingBytes++],
];

function makeStray(): GemObject {
  return new AsahiBo({ gems: device.gems, memory: device.memory, size: PAGE_BYTES });
}

describe("a fault is caught by its invariant", () => {
  test.each(FAULTS)("%s: %s", (invariant, _fault, breakIt) => {
    breakIt();
    expect(() => checkDeviceInvariants(device, [file])).toThrow(new RegExp(`^${invariant}: `));
  });
});

test("one VM can be checked alone", () => {
  expect(() => checkInvariants(vm)).not.toThrow();
  flip(leafWord(ADDR), 1 << 7);
  expect(() => checkInvariants(vm)).toThrow(/^leaf-value: the level 3 entry for 0x2000000000/);
});

test.each([KERNEL.kernelStart, KERNEL.kernelEnd, ADDR])(
  "a destroyed VM may be kept by a mapping without length at the end of a window: 0x%s",
  (addr) => {
    const range = { kernelStart: KERNEL.kernelStart, kernelEnd: KERNEL.kernelEnd - 2 * PAGE_BYTES };
    device = new AsahiDevice({ quirks: { emptyRanges: true } });
    file = device.open();
    const id = file.vmCreate({ ...KERNEL, ...range });
    vm = file.vm(id) as AsahiVm;
    const handle = file.gemCreate({ size: PAGE_BYTES, flags: 0, vmId: 0 });
    file.bind(id, [{ flags: BIND_READ, handle, offset: 0, range: 0, addr: Math.min(addr, range.kernelEnd) }]);
    checkDeviceInvariants(device, [file]);
    file.vmDestroy({ vmId: id });
    expect(device.keptVms.size).toBe(addr === ADDR ? 0 : 1);
    checkDeviceInvariants(device, [file]);
  },
);

test("nothing else keeps a destroyed VM", () => {
  vm.gpuvm.get();
  file.vmDestroy({ vmId: 1 });
  expect(() => checkDeviceInvariants(device, [file])).toThrow(/^gpuvm-refs: /);
});

test("a mapping with a length does not keep a destroyed VM", () => {
  device.keptVms.add(vm);
  expect(() => checkDeviceInvariants(device, [file])).toThrow(/^vm-kept: .* 0x2000000000$/);
});
