/**
 * Each invariant is shown to catch a fault: build a state in which everything holds, break one thing behind the
 * driver's back, and expect that very invariant to be named.
 */

import { UserMemory } from "@vmbind/drm";
import { type Gpuvm, vmBosOf } from "@vmbind/gpuvm-core";
import { beforeEach, describe, expect, it } from "vitest";
import {
  checkDeviceInvariants,
  checkInvariants,
  ENGINE_CLASS_INSTANCE,
  ENGINE_CLASS_VM_BIND,
  EXEC_QUEUE_CREATE,
  IOCTL_EXEC_QUEUE_CREATE,
  PLACEMENT_SYSTEM,
  VM_CREATE_FLAG_SCRATCH_PAGE,
  XeBo,
} from "../src/index.ts";
import { type Fixture, fixture, GIB, KIB, MIB, map, mustBind, nul, systemBo, unmap } from "./support.ts";

const PAGE = 4 * KIB;
const VA = 8 * GIB;

let f: Fixture;
let own: XeBo;
let external: XeBo;

/** Leaves of every size, a compact table, a null mapping with a tile in it, a hole, an external object, a queue. */
function open(flags: number): void {
  f = fixture("dg2", {}, flags);
  own = f.file.bo(systemBo(f, 4 * MIB)) as XeBo;
  const blocks = f.file.createBo(2 * MIB + 64 * KIB, {
    placement: PLACEMENT_SYSTEM,
    cpuCaching: 1,
    vm: f.vm,
  });
  const other = f.file.createBo(MIB, {
    placement: PLACEMENT_SYSTEM,
    cpuCaching: 1,
    fragmentation: "scattered",
  });
  external = f.file.bo(other) as XeBo;
  mustBind(f.file, map(VA, 4 * MIB, f.file.handleOf(own)));
  mustBind(f.file, unmap(VA + 3 * MIB, 64 * KIB));
  mustBind(f.file, map(VA + 8 * MIB, 2 * MIB, blocks, 64 * KIB));
  mustBind(f.file, nul(2 * VA, 2 * GIB + 2 * MIB + 4 * PAGE));
  mustBind(f.file, map(2 * VA + GIB, 64 * KIB, other));
  const user = new UserMemory();
  user.place(0x1000, ENGINE_CLASS_INSTANCE.encode({ engineClass: ENGINE_CLASS_VM_BIND }));
  const queue = EXEC_QUEUE_CREATE.encode({ width: 1, numPlacements: 1, vmId: 1, instances: 0x1000 });
  expect(f.file.ioctl(IOCTL_EXEC_QUEUE_CREATE, queue, user)).toBe(0);
  f.vm.addressSpace.translate(VA);
  f.vm.addressSpace.translate(2 * VA);
  check();
}

const check = (): void => checkDeviceInvariants(f.device, [f.file]);
const words = (): Int32Array => f.device.memory.tables.words;

/** Slot of the table of a level that holds the entry of an address. */
function slotOf(va: number, level: number): number {
  const { tables, root, rootLevel } = f.vm.pageTable;
  let slot = root;
  for (let l = rootLevel; l > level; l--) slot = tables.child(slot, Math.floor(va / 2 ** (12 + 9 * l)) % 512);
  return slot;
}

/** Index of the first word of an entry. */
function word(va: number, level: number): number {
  return slotOf(va, level) * 1024 + (Math.floor(va / 2 ** (12 + 9 * level)) % 512) * 2;
}

const flip = (at: number, bits: number): void => {
  words()[at] = (words()[at] as number) ^ bits;
};
const mappingAt = (va: number): number => f.vm.gpuvm.findFirst(va, PAGE);

/** The external object that was mapped last is on its VM's list no more. */
function forgetLast(gpuvm: Gpuvm): void {
  const list = gpuvm.extobjs();
  gpuvm.extobjs = () => list.slice(0, -1);
}

const FAULTS: readonly [invariant: string, fault: string, breakIt: () => void][] = [
  ["leaf-value", "a 2 MiB leaf becomes read-only", () => flip(word(VA, 1), 2)],
  ["leaf-value", "a 1 GiB null leaf loses its null bit", () => flip(word(2 * VA, 2), 1 << 9)],
  ["leaf-value", "the 64 KiB hint of a page is lost", () => flip(word(VA + 2 * MIB, 0), 1 << 8)],
  ["leaf-value", "an address bit of a page flips", () => flip(word(2 * VA + GIB + PAGE, 0), PAGE)],
  [
    "leaf-value",
    "an address bit of a compact entry flips",
    () => flip(slotOf(VA + 8 * MIB, 0) * 1024 + 8, 64 * KIB),
  ],
  [
    "leaf-unexplained",
    "a mapping goes without its leaves",
    () => {
      const va = mappingAt(VA);
      f.vm.gpuvm.remove(va);
      f.vm.gpuvm.unlink(va);
    },
  ],
  ["leaf-missing", "a page is emptied", () => empty(word(2 * VA + GIB, 0), 0)],
  ["leaf-missing", "a mapping says that it is present", () => lie()],
  [
    "leaf-size",
    "2 MiB of pages where one leaf is possible",
    () => void (own.pages as { pa: Float64Array }).pa.fill(GIB + PAGE),
  ],
  [
    "leaf-owner",
    "a mapped object loses its pages",
    () => void Object.defineProperty(own, "pages", { value: null }),
  ],
  ["gpuva-object", "a mapped object leaves the registry", () => f.device.gems.delete(own.id)],
  ["vma-record", "a mapping stays trimmed", () => f.vm.vmas.trims.set(mappingAt(VA), VA, VA + PAGE)],
  [
    "vma-record",
    "a mapping stays new",
    () => void f.vm.vmas.flags.fill(0x2000, mappingAt(VA), mappingAt(VA) + 1),
  ],
  [
    "vma-record",
    "a mapping is staged for ever",
    () => void f.vm.vmas.state.fill(3, mappingAt(VA), mappingAt(VA) + 1),
  ],
  ["vma-record", "a null mapping has an offset", () => f.vm.gpuvm.setOffset(mappingAt(2 * VA), PAGE)],
  [
    "vma-record",
    "an object's mapping is called null",
    () => void f.vm.vmas.flags.fill(2, mappingAt(VA), mappingAt(VA) + 1),
  ],
  [
    "table-record",
    "a table is kept at another level",
    () => void f.device.tables.level.fill(0, slotOf(VA, 1), slotOf(VA, 1) + 1),
  ],
  [
    "num-live",
    "entries are not counted",
    () => void f.device.tables.numLive.fill(0, slotOf(VA, 1), slotOf(VA, 1) + 1),
  ],
  ["child-map", "a child is forgotten", () => f.device.tables.setChild(slotOf(VA, 2), (VA / GIB) % 512, -1)],
  [
    "child-map",
    "a child is kept where nothing is",
    () => f.device.tables.setChild(slotOf(VA, 2), 511, slotOf(VA, 1)),
  ],
  ["table-leak", "a table page is linked nowhere", () => void f.device.tables.alloc(0)],
  ["table-dead", "a table page in use is freed", () => f.device.memory.tables.free(slotOf(VA + 2 * MIB, 0))],
  [
    "table-shared",
    "two entries point to one table",
    () => words().copyWithin(word(VA + 4 * MIB, 1), word(VA + 2 * MIB, 1), word(VA + 2 * MIB, 1) + 2),
  ],
  ["table-counters", "a table page is counted as freed", () => void f.device.counters.tablesFreed++],
  [
    "tlb-stale",
    "the TLB holds another leaf",
    () => {
      const wrong = f.vm.addressSpace.walk(VA);
      wrong.lo ^= 2;
      f.device.tlb?.insert(f.vm.addressSpace.asid, VA, wrong);
    },
  ],
  ["va-tree", "the tree miscounts", () => void (f.vm.gpuvm.tree as unknown as { entries: number }).entries++],
  ["vm-bo-list", "a mapping is not linked", () => void f.vm.gpuvm.unlink(mappingAt(VA))],
  ["vm-bo-refs", "a vm_bo gains a reference", () => void vmBosOf(own)[0]?.get()],
  ["vm-bo-pair", "an object forgets its vm_bo", () => void own.vmBos.pop()],
  ["extobj-list", "an external object is not on the list", () => forgetLast(f.vm.gpuvm)],
  ["gpuvm-refs", "a null mapping's reference is lost", () => void f.vm.gpuvm.refs--],
  ["gpuvm-refs", "a queue goes without its reference", () => void f.file.queues.remove(1)],
  ["gem-refs", "a mapping's reference is lost", () => void external.refs--],
  [
    "gem-refs",
    "an object that nobody holds",
    () => void new XeBo(f.device, PAGE, { placement: 1, cpuCaching: 1 }),
  ],
  ["gpuvm-counters", "a mapping is counted twice", () => void f.device.counters.gpuvasLive++],
  [
    "uapi-counters",
    "a counter is no number",
    () => void Object.assign(f.device.counters, { bindOps: Number.NaN }),
  ],
  ["backing-bytes", "backing memory is counted twice", () => void f.device.counters.backingBytes++],
];

/** Make an entry empty, as unbinding would. */
function empty(at: number, level: number): void {
  words()[at] = f.vm.pageTable.emptyLo[level] as number;
  words()[at + 1] = f.vm.pageTable.emptyHi[level] as number;
  const { numLive } = f.device.tables;
  const slot = Math.floor(at / 1024);
  numLive[slot] = (numLive[slot] as number) - 1;
}

/** A mapping without leaves, whose record says otherwise. */
function lie(): void {
  const { gpuvm, vmas } = f.vm;
  const va = gpuvm.insert(64 * VA, PAGE, null, 0);
  gpuvm.get();
  vmas.create(va, 2, 0, 1);
}

describe.each([
  ["a VM", 0],
  ["a VM with scratch", VM_CREATE_FLAG_SCRATCH_PAGE],
])("in %s a fault is caught by its invariant", (_name, flags) => {
  beforeEach(() => open(flags));

  it.each(FAULTS)("%s: %s", (invariant, _fault, breakIt) => {
    breakIt();
    expect(check).toThrow(new RegExp(`^${invariant}: `));
  });

  it("table-empty: a table stays though nothing is in it", () => {
    const { tables } = f.vm.pageTable;
    const slot = tables.alloc(0);
    f.vm.pageTable.fillEmpty(slot);
    const parent = slotOf(VA, 1);
    tables.setChild(parent, 300, slot);
    tables.numLive[parent] = (tables.numLive[parent] as number) + 1;
    const at = parent * 1024 + 600;
    words()[at] = f.vm.pageTable.directoryLo(slot);
    words()[at + 1] = f.vm.pageTable.directoryHi(slot);
    expect(check).toThrow(/^table-empty: /);
  });
});

it("a null leaf that looks like scratch is still a leaf", () => {
  // On an integrated part with the driver's own PAT index the two have the same bits.
  f = fixture("tgl", {}, VM_CREATE_FLAG_SCRATCH_PAGE);
  mustBind(f.file, { ...nul(VA, 3 * PAGE), patIndex: f.device.platform.patWb });
  checkInvariants(f.vm);
});
