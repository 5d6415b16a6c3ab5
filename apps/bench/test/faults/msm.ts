/**
 * Faults of msm, as `inject.ts` makes them: where the mappings say one thing and the job another, where tables are set
 * aside and counted, where jobs do not wait, and where objects come and go. What the simulator's model of pages is not told of (read-only
 * objects, binds of further queues, syncobjs that are reset) has none here.
 */

import { MsmFile, MsmVm, PageTable } from "@vmbind/msm";
import { BindJob, BindScheduler, PrrPage } from "@vmbind/msm/internals";
import { around, type InjectedFault, nothing, silent } from "./inject.ts";

const PAGE = 4096;
const drivers = ["msm"];
const table = PageTable.prototype;
const vm = MsmVm.prototype;

export const MSM_FAULTS: readonly InjectedFault[] = [
  {
    name: "a job's unmap leaves the last page",
    drivers,
    within: 2000,
    inject() {
      around(table, "unmap", table.unmap, (_self, real, iova, range) =>
        real(iova, range > PAGE ? range - PAGE : range),
      );
    },
  },
  {
    name: "a job's map shows the object from its beginning",
    drivers,
    within: 2000,
    inject() {
      around(table, "map", table.map, (_self, real, iova, range, list, _offset, prot) =>
        real(iova, range, list, 0, prot),
      );
    },
  },
  {
    name: "MAP_NULL maps the page behind its own",
    drivers,
    within: 2000,
    inject() {
      around(table, "mapSamePage", table.mapSamePage, (_self, real, iova, range, pa, prot) =>
        real(iova, range, pa + PAGE, prot),
      );
    },
  },
  {
    name: "the page behind MAP_NULL is kept when the last VM goes",
    drivers,
    within: 4000,
    inject() {
      nothing(PrrPage.prototype, "put", PrrPage.prototype.put);
    },
  },
  {
    name: "tables that were set aside are not given back",
    drivers,
    within: 2000,
    inject() {
      nothing(vm, "returnTables", vm.returnTables);
    },
  },
  {
    name: "jobs do not wait for their fences",
    drivers,
    within: 8000,
    inject() {
      around(BindScheduler.prototype, "push", BindScheduler.prototype.push, (_self, real, job) => {
        job.waits = [];
        real(job);
      });
    },
  },
  {
    name: "a job keeps the objects of its page-table operations",
    drivers,
    within: 2000,
    inject() {
      nothing(BindJob.prototype, "dropStep", BindJob.prototype.dropStep);
    },
  },
  {
    name: "what is evicted stays in the page tables",
    drivers,
    within: 4000,
    inject() {
      nothing(vm, "evict", vm.evict);
    },
  },
  {
    name: "what was evicted does not come back",
    drivers,
    within: 8000,
    inject() {
      nothing(vm, "validate", vm.validate);
    },
  },
  {
    name: "a VM keeps what it has when its file is closed",
    drivers,
    within: 2000,
    inject() {
      nothing(vm, "close", vm.close);
    },
  },
  {
    name: "an allocation fails without a word",
    drivers,
    within: 8000,
    inject() {
      silent(MsmFile);
    },
  },
];
