/**
 * How each number of the report is counted: one sentence for every field. The methods section of the page and
 * docs/how-it-is-counted.md are made from this table.
 *
 * @module
 */

import type {
  AccountingFigures,
  AccountingResult,
  ArrayExperiment,
  DummyExperiment,
  GpuView,
  HeldObject,
  LeafRun,
  PostedRepeat,
  SemanticsDetail,
  SweepFigures,
} from "@vmbind/lab";
import { COST } from "./cost-fields.ts";
import { bytes, count, type FieldGroup, type FieldMethod } from "./field.ts";

/** Where in a path the name of an amount stands. */
const AMOUNT_AT = 5;

/** Names of the members that are numbers. */
type Numeric<T> = { [K in keyof T]-?: number extends T[K] ? K : never }[keyof T] & string;

const ACCOUNTING: Record<keyof AccountingFigures | Numeric<AccountingResult>, FieldMethod> = {
  gpuvas: count("mappings", "Mappings (drm_gpuva) in the VM."),
  gpuvaBytes: bytes("mapping structs", "gpuvas times the size of a drm_gpuva."),
  vmBos: count("vm_bos", "Pairs of VM and object."),
  vmBoBytes: bytes("vm_bo structs", "vmBos times the 96 bytes of a drm_gpuvm_bo."),
  vmRefs: count("references to the VM", "References to the VM, read from the living object."),
  vmBoRefs: count("references to vm_bos", "References to the VM's vm_bos, together."),
  gemRefs: count(
    "references to objects",
    "References to the device's GEM objects, together; objects that only carry a VM's reservation are left out.",
  ),
  handles: count("GEM handles", "Handles of the open file."),
  visibleBytes: bytes(
    "shown as total (fdinfo)",
    "Bytes of the objects behind those handles: what per-file statistics show as total.",
  ),
  visibleResidentBytes: bytes(
    "shown as resident",
    "Memory behind those objects now: what per-file statistics show as resident.",
  ),
  backingBytes: bytes("memory behind objects", "Memory behind all objects of the device."),
  hiddenBytes: bytes(
    "shown nowhere",
    "backingBytes minus visibleResidentBytes: memory that no file's statistics show.",
  ),
  tableBytes: bytes(
    "page tables",
    "Bytes of page tables, whether the driver charges them to the VM or to nobody.",
  ),
  sparseVaBytes: bytes("sparse VA", "Bytes of VA that mappings without memory of the application cover."),
  extobjs: count("external objects", "Objects on the VM's list of external objects."),
  submitLocks: count("locks of a submit", "Reservations that a submit locks."),
  resourceBytes: bytes("resource", "Bytes of the resource, whole blocks of the driver."),
  memoryBytes: bytes("memory", "Bytes of the memory object of which one block is bound."),
};

const TRACES: FieldGroup["fields"] = {
  createOps: count(
    "operations to create",
    "Operations between the marks of creation, counted from the bytes of the trace.",
  ),
  createIoctls: count("VM_BINDs to create", "VM_BIND ioctls between the marks of creation."),
  createPayloadBytes: bytes(
    "payload to create",
    "Bytes that the kernel copies in while the resources are created.",
  ),
  createMappings: count("mappings made to create", "Map steps of GPUVM while the resources are created."),
  createPteWrites: count("leaf entries to create", "Leaf entries written while the resources are created."),
  createTables: count("tables to create", "Page-table pages taken into use while the resources are created."),
  createTlbInvalidations: count(
    "TLB invalidations to create",
    "TLB invalidation commands while the resources are created.",
  ),
};

/** All fields, by group. */
export const FIELD_GROUPS: readonly FieldGroup[] = [
  {
    id: "cost",
    title: "Costs of a workload",
    paths: ["lab.costs.*.total.*", "lab.costs.*.phases.*.*", "sweeps.rows.*.figures.*"],
    fields: COST,
  },
  {
    id: "run",
    title: "Facts of a run",
    paths: ["lab.costs.*.*"],
    fields: {
      seed: count("seed", "Seed of the workload's draws."),
      blockBytes: bytes("sparse block", "Bytes of the driver's sparse block; sizes are rounded up to it."),
      gpuvaBytes: bytes("drm_gpuva", "Bytes of the struct on a 64-bit kernel, from its layout."),
      vmBoBytes: bytes("drm_gpuvm_bo", "Bytes of the struct on a 64-bit kernel, from its layout."),
      tablePageBytes: bytes("page-table page", "Bytes of one page-table page."),
      steps: count("steps", "Steps of the workload, as an application makes them."),
    },
  },
  {
    id: "growth",
    title: "Growth",
    paths: ["sweeps.*", "sweeps.rows.*.*"],
    fields: {
      x: {
        title: "size or fraction",
        unit: "count",
        how: "Bytes of the resource (axis size), or the bound part of it from 0 to 1 (axis fraction).",
      },
      boundFraction: {
        title: "bound part",
        unit: "fraction",
        how: "Part of the resource that is bound while its size changes.",
      },
      sizeBytes: bytes("size", "Bytes of the resource while the bound part changes."),
      tileBytes: bytes("tile", "Bytes of one bind, rounded up to the driver's block."),
    },
  },
  {
    id: "view",
    title: "What the GPU sees",
    paths: ["lab.costs.*.views.*.*", "lab.costs.*.views.*.runs.*.*", "lab.costs.*.views.*.unboundLeaves.*.*"],
    fields: {
      va: {
        title: "address",
        unit: "address",
        how: "Address of the resource as the user-mode driver chose it.",
      },
      bytes: bytes("bytes", "Bytes of VA: of the resource, or of the leaves inside it."),
      unboundBytes: bytes("unbound", "Bytes of the resource to which no memory of the application is bound."),
      offset: bytes("offset", "Bytes from the start of the resource to the first leaf of a run."),
      leafBytes: bytes(
        "leaf",
        "Bytes that one leaf entry translates, read from the real page tables by walking them.",
      ),
      leaves: count("leaves", "Leaf entries found by walking the real page tables."),
    } satisfies Record<Numeric<GpuView> | Numeric<LeafRun>, FieldMethod>,
  },
  {
    id: "sweep",
    title: "A GPU that reads through the resource",
    paths: [
      "lab.costs.*.views.*.sequential.*",
      "lab.costs.*.views.*.random.*",
      "lab.experiments.dummies.*.sequential.*",
    ],
    fields: {
      tlbEntries: count(
        "TLB entries",
        "Entries of the modelled TLB; one holds a whole leaf, whatever its size.",
      ),
      tlbWays: count("TLB ways", "Entries of one set."),
      strideBytes: bytes(
        "stride",
        "Bytes from one sequential load to the next, and the grid of the random ones.",
      ),
      accesses: count("loads", "Loads, cold TLB at the start."),
      walkSteps: count(
        "walk steps",
        "Page-table entries that the walker read; walk caches are not modelled.",
      ),
      tlbMisses: count("TLB misses", "Loads that the TLB could not answer."),
      faults: count("faults", "Loads that found no translation."),
    } satisfies Record<Numeric<SweepFigures>, FieldMethod>,
  },
  {
    id: "semantics",
    title: "Semantics",
    paths: ["lab.semantics.*.detail.*"],
    fields: {
      va: { title: "address", unit: "address", how: "Address of the access that the answer is about." },
      offset: bytes("offset", "Byte offset of that access in the resource."),
      written: { title: "stored", unit: "word", how: "The 32-bit word that was stored." },
      before: {
        title: "before",
        unit: "word",
        how: "The word loaded before; none when the GPU refused the load.",
      },
      after: {
        title: "after",
        unit: "word",
        how: "The word loaded after; none when the GPU refused the load.",
      },
      restored: { title: "restored", unit: "word", how: "The word loaded when evicted memory was back." },
      samples: count("samples", "Addresses that were looked at."),
      aliases: count("aliases", "Of these, addresses that show the word although it was stored elsewhere."),
      changed: count("changed", "Of these, addresses that show another word than before."),
      writeSideBefore: {
        title: "before, write side",
        unit: "word",
        how: "The word loaded before through the address that shaders write through, where they read through another.",
      },
      writeSideAliases: count(
        "aliases, write side",
        "Aliases seen through the address that shaders write through, where they read through another.",
      ),
      sharedBytes: bytes(
        "shared",
        "Bytes to the nearest alias, at the write side if there is none else: so much memory is shared over and over; 0 without.",
      ),
      faults: count("faults", "Accesses that faulted, soft faults that the shader is not told of included."),
    } satisfies Record<Numeric<SemanticsDetail>, FieldMethod>,
  },
  {
    id: "accounting",
    title: "Accounting",
    paths: [
      "lab.accounting.*.*",
      "lab.accounting.*.sparse.*",
      "lab.accounting.*.tile.*",
      "lab.accounting.*.left.*",
      "lab.accounting.*.moments.*.figures.*",
    ],
    fields: ACCOUNTING,
  },
  {
    id: "object",
    title: "Objects and who holds them",
    paths: ["lab.accounting.*.moments.*.objects.*.*"],
    fields: {
      bytes: bytes("size", "Bytes of the object."),
      residentBytes: bytes("resident", "Memory behind it now."),
      handle: count("handle", "Its handle in the open file, 0 for none."),
      refs: count("references", "References to it, all together."),
      handleRefs: count("by its handle", "Of these, held by its handle."),
      vmBoRefs: count("by vm_bos", "Of these, held by vm_bos: one for each VM that maps it."),
      otherRefs: count("by others", "Of these, held by open files and VMs themselves."),
      gpuvas: count(
        "mappings",
        "Mappings of it in the VM; each holds a reference to the vm_bo and none to the object.",
      ),
      refsOfVmBo: count("references to its vm_bo", "References to its vm_bo in the VM, 0 without one."),
    } satisfies Record<Numeric<HeldObject>, FieldMethod>,
  },
  {
    id: "experiment",
    title: "Experiments",
    paths: ["lab.experiments.dummies.*.*", "lab.experiments.arrays.*.*", "lab.experiments.postedRepeat.*"],
    fields: {
      pteWrites: count("leaf entries written", "Leaf entries written while mapping or binding."),
      pteClears: count("leaf entries cleared", "Leaf entries set to zero while binding."),
      tablesAllocated: count("tables used", "Page-table pages taken into use."),
      ioMapCalls: count(
        "calls of io-pgtable",
        "Calls that the kernel driver makes to its io-pgtable map function.",
      ),
      bindsPerCall: count("binds in a call", "Elements of one vkQueueBindSparse."),
      bindIoctls: count("VM_BIND ioctls", "VM_BIND ioctls of the bind phase."),
      bindOps: count("operations", "Operations in those ioctls."),
      tlbInvalidations: count("TLB invalidations", "TLB invalidation commands while binding."),
      samples: count("unbound pages", "Unbound pages that were looked at."),
      changedByCut: count("changed by the cut", "Pages that show another word after the cut than before."),
      faultsAfterCut: count("faulting after the cut", "Pages that fault after the cut."),
      changedByRestore: count(
        "changed by the restore",
        "Pages that show another word once the object was evicted and restored.",
      ),
      faultsAfterRestore: count("faulting after the restore", "Pages that fault then."),
    } satisfies Record<
      Numeric<ArrayExperiment> | Numeric<DummyExperiment> | Numeric<PostedRepeat>,
      FieldMethod
    >,
  },
  {
    id: "finding",
    nameOf: () => "values",
    title: "Findings and verdicts",
    paths: ["lab.findings.*.values.*", "lab.verdicts.*.lines.*.values.*", "answer.lines.*.values.*"],
    fields: {
      values: {
        title: "figures of a sentence",
        unit: "count",
        how: "Computed from the fields above; the sentence says how.",
      },
    },
  },
  {
    id: "trace",
    title: "Recorded traces",
    paths: ["recorded.*.*", "recorded.*.metrics.*", "answer.rows.*.values.*"],
    fields: {
      ...TRACES,
      differences: count("differences", "ioctls that the model answered differently from the recording."),
      ...COST,
    },
  },
  {
    id: "factor",
    nameOf: () => "factors",
    title: "Factors",
    paths: ["answer.rows.*.factors.*"],
    fields: {
      factors: {
        title: "times the least",
        unit: "factor",
        how: "The figure of the same name over the least of all strategies that is not 0.",
      },
    },
  },
  {
    id: "access",
    title: "Reads and writes",
    paths: ["lab.costs.*.accesses.*.*"],
    fields: {
      value: {
        title: "word",
        unit: "word",
        how: "The word that the GPU read or wrote at that step of the workload; null where it faulted.",
      },
    },
  },
  {
    id: "measured",
    title: "Real devices",
    paths: ["measured.*.tileBytes"],
    fields: { tileBytes: bytes("block", "Bytes of the device's sparse block of buffers.") },
  },
  {
    id: "amount",
    title: "Measurements",
    nameOf: (parts) => (parts[AMOUNT_AT]?.endsWith("us") ? "microseconds" : "amounts"),
    paths: ["measured.*.rows.*.amounts.*", "measured.*.rows.*.amounts.*.*"],
    fields: {
      microseconds: {
        title: "measured time",
        unit: "microseconds",
        how: "Amounts whose names end in us, as the client that measures printed them; device_us is by the device's own timestamps.",
      },
      amounts: count("other amounts", "As the client that measures printed them."),
    },
  },
  {
    id: "time",
    title: "Estimated time",
    paths: ["time.*.create.*", "time.*.whole.*"],
    fields: {
      low: {
        title: "at least",
        unit: "microseconds",
        how: "The sum of counts times the low ends of the stated constants. An estimate, unlike all other fields.",
      },
      high: {
        title: "at most",
        unit: "microseconds",
        how: "The sum of counts times the high ends of the stated constants. An estimate, unlike all other fields.",
      },
    },
  },
];
