/** Faults in what drivers share: the TLB, memory, references, split and merge, handles. */

import { GemHandles, GemObject } from "@vmbind/drm";
import { Gpuvm } from "@vmbind/gpuvm-core";
import { PhysicalMemory, Tlb } from "@vmbind/mmu";
import { around, type InjectedFault, nothing, now } from "./inject.ts";

const ALL = ["panthor", "asahi", "xe", "msm"];
const tlb = Tlb.prototype;
const gpuvm = Gpuvm.prototype;

export const SHARED_FAULTS: readonly InjectedFault[] = [
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
];
