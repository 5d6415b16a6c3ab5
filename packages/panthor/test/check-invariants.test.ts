/**
 * Each invariant is shown to catch a fault: build a state in which everything holds, break one thing behind the
 * driver's back, and expect that very invariant to be named.
 */

import { type Gpuvm, vmBosOf } from "@vmbind/gpuvm-core";
import { beforeEach, describe, expect, it } from "vitest";
import {
  checkDeviceInvariants,
  checkInvariants,
  MAP_NOEXEC,
  MAP_REPEAT,
  MAP_SPARSE,
  NO_QUIRKS,
  OP_UNMAP,
  PanthorBo,
  SYNC_OP_SIGNAL,
} from "../src/index.ts";
import { bind, createBo, type Fixture, fixture, mustBind } from "./support.ts";

const MIB2 = 0x200000;
const PAGE = 0x1000;
const VA = 0x40000000;

let fx: Fixture;
let own: PanthorBo;
let shared: PanthorBo;

/** Blocks and pages of an own object, a shared one, a sparse range with a hole, and a job that waits. */
beforeEach(() => {
  fx = fixture();
  const handle = createBo(fx.file, 8 * MIB2, fx.vmId);
  const other = createBo(fx.file, 16 * PAGE);
  own = fx.file.bo(handle) as PanthorBo;
  shared = fx.file.bo(other) as PanthorBo;
  mustBind(fx, [
    { flags: MAP_NOEXEC, boHandle: handle, va: VA, size: 8 * MIB2 },
    { flags: OP_UNMAP, va: VA + 2 * MIB2 + PAGE, size: PAGE },
    { boHandle: other, va: 2 * VA, size: 16 * PAGE },
    { flags: MAP_NOEXEC | MAP_SPARSE, va: 3 * VA + PAGE, size: 4 * MIB2 },
    { flags: OP_UNMAP, va: 3 * VA + MIB2 + 3 * PAGE, size: PAGE },
  ]);
  const waits = fx.file.syncobjs.create();
  fx.file.syncobjs.attachFence(waits);
  const job = { boHandle: other, va: 4 * VA, size: PAGE };
  const { ret } = bind(
    fx,
    [{ ...job, syncs: [{ handle: waits }, { flags: SYNC_OP_SIGNAL, handle: fx.file.syncobjs.create() }] }],
    { async: true },
  );
  expect([ret, fx.vm.queue.length]).toEqual([0, 1]);
  fx.vm.addressSpace.translate(VA);
  fx.vm.addressSpace.translate(2 * VA);
  check();
});

const check = (): void => checkDeviceInvariants(fx.device, [fx.file]);
const words = (): Int32Array => fx.device.memory.tables.words;

/** Index of the first word of an entry of a level. */
function word(va: number, level: number): number {
  const { tables } = fx.device.memory;
  let slot = fx.vm.pageTable.io.root;
  for (let l = 0; l < level; l++) {
    const at = slot * 1024 + (Math.floor(va / 2 ** (39 - 9 * l)) % 512) * 2;
    slot = tables.slotOf((words()[at] as number) & ~0xfff, (words()[at + 1] as number) & 0xffff);
  }
  return slot * 1024 + (Math.floor(va / 2 ** (39 - 9 * level)) % 512) * 2;
}

const flip = (at: number, bits: number): void => {
  words()[at] = (words()[at] as number) ^ bits;
};
const mappingAt = (va: number): number => fx.vm.gpuvm.findFirst(va, PAGE);

/** The external object that was mapped last is on its VM's list no more. */
function forgetLast(gpuvm: Gpuvm): void {
  const list = gpuvm.extobjs();
  gpuvm.extobjs = () => list.slice(0, -1);
}

const FAULTS: readonly [invariant: string, fault: string, breakIt: () => void][] = [
  ["leaf-value", "a permission bit of a block flips", () => flip(word(VA, 2), 1 << 7)],
  ["leaf-value", "an address bit of a page flips", () => flip(word(2 * VA + PAGE, 3), 1 << 13)],
  ["leaf-value", "a sparse page may be executed", () => flip(word(3 * VA + PAGE, 3) + 1, 1 << 22)],
  ["leaf-missing", "a page is cleared", () => void words().fill(0, word(2 * VA, 3), word(2 * VA, 3) + 2)],
  [
    "leaf-missing",
    "a block is cleared",
    () => void words().fill(0, word(VA + MIB2, 2), word(VA + MIB2, 2) + 2),
  ],
  [
    "leaf-unexplained",
    "a page stands in a hole",
    () =>
      words().copyWithin(word(VA + 2 * MIB2 + PAGE, 3), word(VA + 2 * MIB2, 3), word(VA + 2 * MIB2, 3) + 2),
  ],
  [
    "leaf-unexplained",
    "a mapping goes without its leaves",
    () => {
      const va = mappingAt(VA);
      fx.vm.gpuvm.remove(va);
      fx.vm.gpuvm.unlinkDefer(va);
    },
  ],
  [
    "leaf-size",
    "a block stands where the dummy's phase allows pages only",
    () => fx.vm.gpuvm.setOffset(mappingAt(VA), PAGE),
  ],
  ["gpuva-object", "a mapped object leaves the registry", () => fx.device.gems.delete(own.id)],
  ["leaf-owner", "a mapped object loses its pages", () => void Object.assign(shared, { pages: null })],
  [
    "sparse-phase",
    "a piece of a sparse mapping has another offset",
    () => fx.vm.gpuvm.setOffset(mappingAt(3 * VA + PAGE), 0),
  ],
  ["table-leak", "a table page is linked nowhere", () => void fx.device.memory.tables.alloc()],
  [
    "table-dead",
    "a table page in use is freed",
    () => fx.device.memory.tables.free(Math.floor(word(2 * VA, 3) / 1024)),
  ],
  [
    "table-shared",
    "two directory entries point to one table",
    () => words().copyWithin(word(2 * VA + MIB2, 2), word(2 * VA, 2), word(2 * VA, 2) + 2),
  ],
  ["table-counters", "a table page is counted as freed", () => void fx.device.counters.tablesFreed++],
  [
    "tlb-stale",
    "the TLB holds another page",
    () => {
      const wrong = fx.vm.addressSpace.walk(2 * VA);
      wrong.lo ^= PAGE;
      fx.device.tlb.insert(fx.vm.addressSpace.asid, 2 * VA, wrong);
    },
  ],
  [
    "va-tree",
    "the tree miscounts",
    () => void (fx.vm.gpuvm.tree as unknown as { entries: number }).entries++,
  ],
  ["vm-bo-list", "a mapping is not linked", () => fx.vm.gpuvm.unlinkDefer(mappingAt(VA))],
  ["vm-bo-refs", "a vm_bo gains a reference", () => void vmBosOf(own)[0]?.get()],
  ["vm-bo-pair", "an object forgets its vm_bo", () => void shared.vmBos.pop()],
  ["extobj-list", "the dummy is not on the list", () => forgetLast(fx.vm.gpuvm)],
  ["gpuvm-refs", "the VM loses a job's reference", () => void fx.vm.gpuvm.refs--],
  ["gem-refs", "an object gains a reference", () => void shared.get()],
  ["gem-refs", "an object that nobody holds", () => void new PanthorBo(fx.device, PAGE)],
  ["gem-refs", "the dummy loses a VM's reference", () => void fx.file.dummy.refs--],
  ["pins", "an operation forgot to unpin", () => own.pin()],
  ["pins", "a job's object is not pinned", () => shared.unpin()],
  ["gpuvm-counters", "a mapping is counted twice", () => void fx.device.counters.gpuvasLive++],
  [
    "uapi-counters",
    "more tables came back than were set aside",
    () => void Object.assign(fx.device.counters, { tablesReturned: 1e6 }),
  ],
  ["backing-bytes", "backing memory is counted twice", () => void fx.device.counters.backingBytes++],
];

describe("a fault is caught by its invariant", () => {
  it.each(FAULTS)("%s: %s", (invariant, _fault, breakIt) => {
    breakIt();
    expect(check).toThrow(new RegExp(`^${invariant}: `));
  });
});

it("a repeated mapping keeps its phase", () => {
  fx = fixture({ repeat: "v5" });
  const boHandle = createBo(fx.file, 16 * PAGE);
  mustBind(fx, [
    { flags: MAP_REPEAT, boHandle, va: VA, size: 12 * PAGE, boRepeatRange: 4 * PAGE },
    { flags: OP_UNMAP, va: VA + PAGE, size: PAGE },
  ]);
  checkInvariants(fx.vm);
  flip(word(VA + 2 * PAGE, 3), PAGE);
  expect(() => checkInvariants(fx.vm)).toThrow(/^leaf-value: the level 3 entry for 0x40002000/);
});

it("with repeatPhaseShift a piece may show any page of its window, and no other", () => {
  const quirks = { ...NO_QUIRKS, repeatPhaseShift: true };
  fx = fixture({ repeat: "v5", quirks });
  const boHandle = createBo(fx.file, 16 * PAGE);
  mustBind(fx, [
    { flags: MAP_REPEAT, boHandle, va: VA, size: 12 * PAGE, boRepeatRange: 4 * PAGE },
    { flags: OP_UNMAP, va: VA + PAGE, size: PAGE },
  ]);
  checkDeviceInvariants(fx.device, [fx.file]);
  expect(() => checkInvariants(fx.vm)).toThrow(/^leaf-value: the level 3 entry for 0x40002000/);
  flip(word(VA + 2 * PAGE, 3), 4 * PAGE);
  expect(() => checkInvariants(fx.vm, new Set(), quirks)).toThrow(
    /^leaf-size: .* level 3 entry for 0x40002000/,
  );
});

it("with repeatWholeWindows leaves may be missing at the ends of what a cut left, and nowhere else", () => {
  const quirks = { ...NO_QUIRKS, repeatWholeWindows: true };
  fx = fixture({ repeat: "v5", quirks });
  const boHandle = createBo(fx.file, MIB2 + PAGE);
  const window = MIB2 + PAGE;
  mustBind(fx, [
    { flags: MAP_REPEAT, boHandle, va: VA, size: 8 * window, boRepeatRange: window },
    { flags: OP_UNMAP, va: VA + PAGE, size: PAGE },
  ]);
  checkDeviceInvariants(fx.device, [fx.file]);
  expect(() => checkInvariants(fx.vm)).toThrow(/^leaf-missing: no leaf for 0x40000000/);
  const inside = word(VA + 2 * MIB2, 3);
  words().fill(0, inside, inside + 2);
  expect(() => checkInvariants(fx.vm, new Set(), quirks)).toThrow(/^leaf-missing: no leaf for 0x40400000/);
});
