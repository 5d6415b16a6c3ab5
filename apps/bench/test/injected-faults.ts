/**
 * Faults that are injected into the models on purpose, to see that the simulator sees them: each changes a method for as long as a test
 * runs. They are what a tired author could write, or what a kernel once had.
 */

import { AsahiFile, AsahiVm, UatPageTable } from "@vmbind/asahi";
import { ContextSlots } from "@vmbind/asahi/internals";
import { ENOBUFS, ENOMEM, Fence, GemHandles, GemObject, Syncobj } from "@vmbind/drm";
import { GPUVA_USERBITS_SHIFT, Gpuvm } from "@vmbind/gpuvm-core";
import { PhysicalMemory, Tlb } from "@vmbind/mmu";
import type { MsmFile } from "@vmbind/msm";
import { MAP_READONLY, PanthorDevice, PanthorFile, PanthorVm } from "@vmbind/panthor";
import { AsSlots, BindQueue } from "@vmbind/panthor/internals";
import {
  IOCTL_VM_BIND,
  PageTable,
  UserPages,
  VM_BIND,
  VM_BIND_OP,
  VM_BIND_OP_UNMAP_ALL,
  XeFile,
  XeVm,
} from "@vmbind/xe";
import { BindJobs } from "../../../packages/xe/src/bind-jobs.ts";
import { VmLeaves } from "../../../packages/xe/src/vm-leaves.ts";
import { VmaJournal } from "../../../packages/xe/src/vma-journal.ts";

/** A fault. */
export interface InjectedFault {
  /** What is wrong. */
  readonly name: string;
  /** Drivers that have it then. */
  readonly drivers: readonly string[];
  /** Ioctls within which it must be found. */
  readonly within: number;
  /** Injects it; {@link repair} takes it out. */
  readonly inject: () => void;
}

const ALL = ["panthor", "asahi", "xe", "msm"];
const PAGE = 4096;
/** Small enough for what is rare, large enough that a device comes up. */
const EVERY = 40;

const repairs: (() => void)[] = [];

/** Take every fault out. */
export function repair(): void {
  for (const undo of repairs.splice(0)) undo();
}

/** Put a method in place of another, which it is given. */
export function around<T extends object, A extends unknown[], R>(
  owner: T,
  name: string,
  real: (this: T, ...args: A) => R,
  instead: (self: T, real: (...args: A) => R, ...args: A) => R,
): void {
  const before = Object.getOwnPropertyDescriptor(owner, name);
  if (before === undefined) throw new Error(`no method ${name}`);
  Object.defineProperty(owner, name, {
    ...before,
    value(this: T, ...args: A): R {
      return instead(this, (...given) => real.apply(this, given), ...args);
    },
  });
  repairs.push(() => void Object.defineProperty(owner, name, before));
}

export function nothing<T extends object, A extends unknown[]>(
  owner: T,
  name: string,
  real: (this: T, ...args: A) => void,
): void {
  around(owner, name, real, () => {});
}

/** True for one call of so many. */
function now(): () => boolean {
  let calls = 0;
  return () => ++calls % EVERY === 0;
}

/** Ioctls of a file report success where there was no memory. */
export function silent(file: typeof PanthorFile | typeof AsahiFile | typeof XeFile | typeof MsmFile): void {
  around(file.prototype, "ioctl", file.prototype.ioctl, (_self, real, request, arg, user) => {
    const ret = real(request, arg, user);
    return ret === -ENOMEM || ret === -ENOBUFS ? 0 : ret;
  });
}

const tlb = Tlb.prototype;
const gpuvm = Gpuvm.prototype;

/** The faults. */
export const FAULTS: readonly InjectedFault[] = [
  {
    name: "the TLB is never invalidated",
    drivers: ALL,
    within: 2000,
    inject() {
      nothing(tlb, "invalidateRange", tlb.invalidateRange);
      nothing(tlb, "invalidateAll", tlb.invalidateAll);
    },
  },
  {
    name: "the last page of a range stays in the TLB",
    drivers: ["panthor"],
    within: 2000,
    inject() {
      around(tlb, "invalidateRange", tlb.invalidateRange, (_self, real, asid, va, bytes, commands) => {
        if (bytes > PAGE) real(asid, va, bytes - PAGE, commands);
      });
    },
  },
  {
    name: "memory is given on as it was",
    drivers: ALL,
    within: 8000,
    inject() {
      nothing(PhysicalMemory.prototype, "zero", PhysicalMemory.prototype.zero);
    },
  },
  {
    name: "a reference is not given back now and then",
    drivers: ALL,
    within: 2000,
    inject() {
      const forgets = now();
      around(GemObject.prototype, "put", GemObject.prototype.put, (_self, real) => {
        if (!forgets()) real();
      });
    },
  },
  {
    name: "a reference is not taken now and then",
    drivers: ALL,
    within: 2000,
    inject() {
      const forgets = now();
      around(GemObject.prototype, "get", GemObject.prototype.get, (self, real) =>
        forgets() ? self : real(),
      );
    },
  },
  {
    name: "an unbind forgets the last pages",
    drivers: ALL,
    within: 2000,
    inject() {
      around(gpuvm, "smUnmap", gpuvm.smUnmap, (_self, real, addr, range, steps) =>
        real(addr, range > 0x8000 ? range - 0x4000 : range, steps),
      );
    },
  },
  {
    name: "a bind shows the object from its beginning",
    drivers: ["panthor", "asahi"],
    within: 2000,
    inject() {
      around(gpuvm, "smMap", gpuvm.smMap, (_self, real, request, steps) => {
        request.offset = 0;
        return real(request, steps);
      });
    },
  },
  {
    name: "a piece behind a cut keeps the offset of the whole",
    drivers: ALL,
    within: 4000,
    inject() {
      around(gpuvm, "remap", gpuvm.remap, (_self, real, op) => {
        if (op.hasNext && op.next.gem !== null) op.next.offset = 0;
        real(op);
      });
    },
  },
  {
    name: "an import gives a handle of another object",
    drivers: ALL,
    within: 8000,
    inject() {
      around(GemHandles.prototype, "import", GemHandles.prototype.import, (self, real, dmaBuf) => {
        for (const [handle] of self.entries()) return handle;
        return real(dmaBuf);
      });
    },
  },
  {
    name: "all files share what lies behind sparse ranges",
    drivers: ["panthor"],
    within: 8000,
    inject() {
      const first = new WeakMap<PanthorDevice, ReturnType<PanthorDevice["dummyForFile"]>>();
      around(PanthorDevice.prototype, "dummyForFile", PanthorDevice.prototype.dummyForFile, (self, real) => {
        const shared = first.get(self);
        if (shared !== undefined && shared.refs > 0) return shared.get();
        const made = real();
        first.set(self, made);
        return made;
      });
    },
  },
  {
    name: "what is evicted stays in the page tables",
    drivers: ["panthor"],
    within: 4000,
    inject() {
      nothing(PanthorVm.prototype, "evict", PanthorVm.prototype.evict);
    },
  },
  {
    name: "what was evicted does not come back",
    drivers: ["panthor"],
    within: 8000,
    inject() {
      nothing(PanthorVm.prototype, "restore", PanthorVm.prototype.restore);
    },
  },
  {
    name: "jobs do not wait for their fences",
    drivers: ["panthor"],
    within: 8000,
    inject() {
      around(BindQueue.prototype, "push", BindQueue.prototype.push, (_self, real, job) => {
        job.waits = [];
        real(job);
      });
    },
  },
  {
    name: "of jobs that wait the last runs first",
    drivers: ["panthor"],
    within: 8000,
    inject() {
      around(BindQueue.prototype, "push", BindQueue.prototype.push, (self, real, job) => {
        real(job);
        Reflect.apply(Array.prototype.reverse, self.jobs, []);
      });
    },
  },
  {
    name: "a fence wakes nobody",
    drivers: ["panthor"],
    within: 8000,
    inject() {
      around(Fence.prototype, "onSignal", Fence.prototype.onSignal, (self, real, waiter) => {
        if (self.signaled) real(waiter);
      });
    },
  },
  {
    name: "every VM has the same AS slot",
    drivers: ["panthor"],
    within: 4000,
    inject() {
      around(AsSlots.prototype, "visit", AsSlots.prototype.visit, (_self, real, vm) => Math.min(1, real(vm)));
    },
  },
  {
    name: "read-only is forgotten",
    drivers: ["panthor"],
    within: 2000,
    inject() {
      around(gpuvm, "smMap", gpuvm.smMap, (_self, real, request, steps) => {
        request.flags = (request.flags ?? 0) & ~(MAP_READONLY << GPUVA_USERBITS_SHIFT);
        return real(request, steps);
      });
    },
  },
  {
    name: "a VM that is destroyed keeps what it has",
    drivers: ["panthor"],
    within: 2000,
    inject() {
      nothing(PanthorVm.prototype, "destroy", PanthorVm.prototype.destroy);
    },
  },
  {
    name: "an allocation fails without a word",
    drivers: ["panthor"],
    within: 8000,
    inject: () => silent(PanthorFile),
  },
  {
    name: "an allocation fails without a word",
    drivers: ["asahi"],
    within: 8000,
    inject: () => silent(AsahiFile),
  },
  {
    name: "an allocation fails without a word",
    drivers: ["xe"],
    within: 8000,
    inject: () => silent(XeFile),
  },
  {
    name: "a closed handle leaves its object bound",
    drivers: ["asahi"],
    within: 4000,
    inject() {
      nothing(AsahiVm.prototype, "unbindObject", AsahiVm.prototype.unbindObject);
    },
  },
  {
    name: "SINGLE_PAGE goes on to the next page",
    drivers: ["asahi"],
    within: 2000,
    inject() {
      const { map } = UatPageTable.prototype;
      around(UatPageTable.prototype, "map", map, (_self, real, va, bytes, pa, lo, hi) =>
        real(va, bytes, pa, lo, hi, false),
      );
    },
  },
  {
    name: "page tables keep the first page of what is unbound",
    drivers: ["asahi"],
    within: 2000,
    inject() {
      const { unmap } = UatPageTable.prototype;
      around(UatPageTable.prototype, "unmap", unmap, (_self, real, va, bytes) => {
        if (bytes > 0x4000) real(va + 0x4000, bytes - 0x4000);
      });
    },
  },
  {
    name: "every VM has the same context",
    drivers: ["asahi"],
    within: 4000,
    inject() {
      around(ContextSlots.prototype, "take", ContextSlots.prototype.take, (_self, real, vm) =>
        Math.min(1, real(vm)),
      );
    },
  },
  {
    name: "a VM that is destroyed keeps what it has",
    drivers: ["asahi"],
    within: 2000,
    inject() {
      nothing(AsahiVm.prototype, "destroy", AsahiVm.prototype.destroy);
    },
  },
  {
    name: "a refused array is not undone",
    drivers: ["xe"],
    within: 4000,
    inject() {
      nothing(VmaJournal.prototype, "undo", VmaJournal.prototype.undo);
    },
  },
  {
    name: "new tables of a VM with a scratch page are left empty",
    drivers: ["xe"],
    within: 4000,
    inject() {
      nothing(PageTable.prototype, "fillEmpty", PageTable.prototype.fillEmpty);
    },
  },
  {
    name: "UNMAP_ALL finds nothing",
    drivers: ["xe"],
    within: 4000,
    inject() {
      const { bind } = VM_BIND.fields;
      around(XeFile.prototype, "ioctl", XeFile.prototype.ioctl, (_self, real, request, arg, user) => {
        const view = new DataView(arg.buffer, arg.byteOffset, arg.length);
        const alone = request === IOCTL_VM_BIND && VM_BIND.read(view).numBinds === 1;
        const finds = !alone || VM_BIND_OP.read(view, bind.offset).op !== VM_BIND_OP_UNMAP_ALL;
        return finds ? real(request, arg, user) : 0;
      });
    },
  },
  {
    name: "a VM that is closed keeps what it has",
    drivers: ["xe"],
    within: 2000,
    inject() {
      nothing(XeVm.prototype, "close", XeVm.prototype.close);
    },
  },
  {
    name: "a timeline is taken for a single fence",
    drivers: ["panthor"],
    within: 8000,
    inject() {
      around(Syncobj.prototype, "find", Syncobj.prototype.find, (_self, real) => real(0));
    },
  },
  {
    name: "binds do not wait for their fences",
    drivers: ["xe"],
    within: 4000,
    inject() {
      around(BindJobs.prototype, "waitsOf", BindJobs.prototype.waitsOf, (_self, real, order, start, end) =>
        real({ ...order, waits: [] }, start, end),
      );
    },
  },
  {
    name: "binds pass those before them in their queue",
    drivers: ["xe"],
    within: 8000,
    inject() {
      around(BindJobs.prototype, "waitsOf", BindJobs.prototype.waitsOf, (_self, _real, order) => [
        ...order.waits,
      ]);
    },
  },
  {
    name: "each mapping of process memory has pages of its own",
    drivers: ["xe"],
    within: 8000,
    inject() {
      around(
        UserPages.prototype,
        "pin",
        UserPages.prototype.pin,
        (_self, real, base, bytes, _process, write) => real(base, bytes, {}, write),
      );
    },
  },
  {
    name: "advice takes leaves away that no mapping of the range has",
    drivers: ["xe"],
    within: 8000,
    inject() {
      around(VmLeaves.prototype, "zap", VmLeaves.prototype.zap, (_self, real, vas, start, end) =>
        real(
          vas.map((va) => va + 1),
          start,
          end,
        ),
      );
    },
  },
];
