/** Faults of asahi: what a closed handle unbinds, single pages, page tables, contexts. */

import { AsahiFile, AsahiVm, UatPageTable } from "@vmbind/asahi";
import { ContextSlots } from "@vmbind/asahi/internals";
import { around, type InjectedFault, nothing, silent } from "./inject.ts";

const drivers = ["asahi"];

export const ASAHI_FAULTS: readonly InjectedFault[] = [
  {
    name: "an allocation fails without a word",
    drivers,
    within: 8000,
    inject: () => silent(AsahiFile),
  },
  {
    name: "a closed handle leaves its object bound",
    drivers,
    within: 4000,
    inject() {
      nothing(AsahiVm.prototype, "unbindObject", AsahiVm.prototype.unbindObject);
    },
  },
  {
    name: "SINGLE_PAGE goes on to the next page",
    drivers,
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
    drivers,
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
    drivers,
    within: 4000,
    inject() {
      around(ContextSlots.prototype, "take", ContextSlots.prototype.take, (_self, real, vm) =>
        Math.min(1, real(vm)),
      );
    },
  },
  {
    name: "a VM that is destroyed keeps what it has",
    drivers,
    within: 2000,
    inject() {
      nothing(AsahiVm.prototype, "destroy", AsahiVm.prototype.destroy);
    },
  },
];
