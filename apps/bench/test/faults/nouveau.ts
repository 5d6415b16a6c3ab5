/**
 * Faults of nouveau, as `inject.ts` makes them: where regions and mappings share entries, where references decide when a
 * table goes, where page sizes meet, where jobs wait, and where objects come and go.
 */

import { NouveauDevice, NouveauFile, NouveauPageTable } from "@vmbind/nouveau";
import { BindQueue, SparseRegions, TableTree } from "@vmbind/nouveau/internals";
import { VmSteps } from "../../../../packages/nouveau/src/vm-steps.ts";
import { around, type InjectedFault, nothing, silent } from "./inject.ts";
import { queueFaults } from "./queue.ts";

const PAGE = 4096;
const drivers = ["nouveau"];
const table = NouveauPageTable.prototype;

export const NOUVEAU_FAULTS: readonly InjectedFault[] = [
  {
    name: "a walk of the page tables invalidates nothing",
    drivers,
    within: 2000,
    inject() {
      around(TableTree.prototype, "invalidate", TableTree.prototype.invalidate, (self) => {
        self.dirty = false;
      });
    },
  },
  {
    name: "what a mapping leaves in a region is not sparse again",
    drivers,
    within: 2000,
    inject() {
      around(table, "unmap", table.unmap, (_self, real, addr, bytes, shift, _sparse, going) =>
        real(addr, bytes, shift, false, going),
      );
    },
  },
  {
    name: "an unbind leaves the last page",
    drivers,
    within: 2000,
    inject() {
      around(table, "unmap", table.unmap, (_self, real, addr, bytes, shift, sparse, going) => {
        real(addr, bytes > PAGE && shift === 12 ? bytes - PAGE : bytes, shift, sparse, going);
      });
    },
  },
  {
    name: "a bind shows the object from its beginning",
    drivers,
    within: 2000,
    inject() {
      around(table, "map", table.map, (_self, real, addr, bytes, shift, pages, _offset, leaf) =>
        real(addr, bytes, shift, pages, 0, leaf),
      );
    },
  },
  {
    name: "references are never dropped",
    drivers,
    within: 2000,
    inject() {
      nothing(table, "put", table.put);
    },
  },
  {
    name: "a region that goes leaves its entries",
    drivers,
    within: 2000,
    inject() {
      nothing(table, "unsparse", table.unsparse);
    },
  },
  {
    name: "a region is found only where it begins",
    drivers,
    within: 4000,
    inject() {
      const { first } = SparseRegions.prototype;
      around(SparseRegions.prototype, "first", first, (_self, real, addr, range) => {
        const region = real(addr, range);
        return region !== null && region.addr < addr ? null : region;
      });
    },
  },
  {
    name: "page sizes never meet",
    drivers,
    within: 4000,
    inject() {
      around(VmSteps.prototype, "lateTables", VmSteps.prototype.lateTables, () => -1);
    },
  },
  {
    name: "a refused array is not undone",
    drivers,
    within: 4000,
    inject() {
      nothing(VmSteps.prototype, "undo", VmSteps.prototype.undo);
    },
  },
  {
    name: "what is evicted stays in the page tables",
    drivers,
    within: 8000,
    inject() {
      around(NouveauDevice.prototype, "evict", NouveauDevice.prototype.evict, (_self, _real, bo) => {
        if (!bo.evicted) bo.evict();
      });
    },
  },
  ...queueFaults(BindQueue, drivers),
  {
    name: "an allocation fails without a word",
    drivers,
    within: 8000,
    inject: () => silent(NouveauFile),
  },
];
