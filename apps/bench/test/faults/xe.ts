/** Faults of xe: undoing, scratch tables, UNMAP_ALL, order of binds, memory of the process, advice. */

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
import { BindJobs } from "../../../../packages/xe/src/bind-jobs.ts";
import { VmLeaves } from "../../../../packages/xe/src/vm-leaves.ts";
import { VmaJournal } from "../../../../packages/xe/src/vma-journal.ts";
import { around, type InjectedFault, nothing, silent } from "./inject.ts";

const drivers = ["xe"];

export const XE_FAULTS: readonly InjectedFault[] = [
  {
    name: "an allocation fails without a word",
    drivers,
    within: 8000,
    inject: () => silent(XeFile),
  },
  {
    name: "a refused array is not undone",
    drivers,
    within: 4000,
    inject() {
      nothing(VmaJournal.prototype, "undo", VmaJournal.prototype.undo);
    },
  },
  {
    name: "new tables of a VM with a scratch page are left empty",
    drivers,
    within: 4000,
    inject() {
      nothing(PageTable.prototype, "fillEmpty", PageTable.prototype.fillEmpty);
    },
  },
  {
    name: "UNMAP_ALL finds nothing",
    drivers,
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
    drivers,
    within: 2000,
    inject() {
      nothing(XeVm.prototype, "close", XeVm.prototype.close);
    },
  },
  {
    name: "binds do not wait for their fences",
    drivers,
    within: 4000,
    inject() {
      around(BindJobs.prototype, "waitsOf", BindJobs.prototype.waitsOf, (_self, real, order, start, end) =>
        real({ ...order, waits: [] }, start, end),
      );
    },
  },
  {
    name: "binds pass those before them in their queue",
    drivers,
    within: 8000,
    inject() {
      around(BindJobs.prototype, "waitsOf", BindJobs.prototype.waitsOf, (_self, _real, order) => [
        ...order.waits,
      ]);
    },
  },
  {
    name: "each mapping of process memory has pages of its own",
    drivers,
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
    drivers,
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
