/**
 * What the results come down to: sentences, every figure of which is taken from the data.
 *
 * A sentence is left out when the strategy or workload that it is about was not run.
 *
 * @module
 */

import { QUESTION_WORKLOAD } from "./answer.ts";
import type { LabFinding } from "./conclusions.ts";
import type { AccountingResult, CostFigures, LabResult, SemanticsAnswer } from "./result.ts";
import { byStrategy, list, say } from "./sentences.ts";
import type { SparseStrategy } from "./strategy/strategy.ts";
import { SPARSE_STRATEGIES } from "./strategy/table.ts";

/** What findings are computed from. */
export type FindingsData = Omit<LabResult, "findings" | "verdicts">;
/** What is to be known of a strategy to say something of it. */
type Told = Pick<SparseStrategy, "name" | "repeatsToo">;

/**
 * @param data - what was found
 * @param strategies - what it was found of
 * @returns the sentences that the data has an answer for
 */
export function findings(
  data: FindingsData,
  strategies: readonly Pick<SparseStrategy, "name" | "repeatsToo">[] = SPARSE_STRATEGIES,
): LabFinding[] {
  return [
    ...disagreements(data),
    ...costFindings(data, strategies),
    ...viewFindings(data),
    ...experimentFindings(data),
    ...semanticsFindings(data),
    ...accountingFindings(data),
  ];
}

// -- cost -------------------------------------------------------------------------------------------------------------

function costFindings({ costs }: FindingsData, strategies: readonly Told[]): LabFinding[] {
  const rows = costs.filter((c) => c.workload === QUESTION_WORKLOAD);
  if (rows.length === 0) return [];
  const create = (name: keyof CostFigures) => byStrategy(rows, (c) => c.phases.create?.[name] ?? 0);
  const found = [
    say(
      "create-operations",
      "A sparse buffer of 100e6 bytes, nothing bound, takes this many operations to create: ",
      create("bindOps"),
      ".",
    ),
    ...rows.flatMap(({ strategy, phases: { create: made } }) => {
      const still = strategies.find(({ name }) => name === strategy)?.repeatsToo;
      if (still === undefined || made === undefined) return [];
      return [
        say(
          `repeats-too-${strategy}`,
          `With ${strategy} the hardware has an entry that stands for nothing, and still ${still}: that takes `,
          made.bindOps - 1,
          " of its ",
          made.bindOps,
          " operations. It is a repeated mapping beside a hardware answer.",
        ),
      ];
    }),
    say("create-payload", "The kernel copies in this many bytes for it: ", create("payloadBytes"), "."),
    say(
      "create-gpuvas",
      "Its mappings are this many bytes of drm_gpuva: ",
      byStrategy(rows, (c) => (c.phases.create?.gpuvaBytesLive ?? 0) - (c.phases.setup?.gpuvaBytesLive ?? 0)),
      ".",
    ),
    say(
      "create-leaves",
      "Creating it writes this many leaf entries: ",
      create("pteWrites"),
      "; and takes this many bytes of page tables: ",
      byStrategy(rows, (c) => (c.phases.create?.tablesAllocated ?? 0) * c.tablePageBytes),
      ".",
    ),
    say("create-tlb", "Creating it sends this many TLB invalidations: ", create("tlbInvalidations"), "."),
  ];
  for (const { strategy, phases } of rows) {
    const { tablesReserved = 0, tablesAllocated = 0 } = phases.create ?? {};
    if (tablesReserved < 100 * tablesAllocated) continue;
    found.push(
      say(
        `tables-reserved-${strategy}`,
        strategy,
        " reserves ",
        tablesReserved,
        " page tables to use ",
        tablesAllocated,
        ": each operation reserves for the worst case.",
      ),
    );
  }
  return found;
}

// -- what programs read ---------------------------------------------------------------------------------------------------

/** Reads and writes of a workload that do not come out the same under all strategies. */
function disagreements({ costs }: FindingsData): LabFinding[] {
  return [...new Set(costs.map((c) => c.workload))].flatMap((workload) => {
    const rows = costs.filter((c) => c.workload === workload);
    const steps = rows[0]?.accesses ?? [];
    const differing = steps.flatMap((first, i) => {
      const values = new Set(rows.map((row) => row.accesses[i]?.value));
      return values.size > 1 ? [{ first, i }] : [];
    });
    const [shown] = differing;
    if (shown === undefined) return [];
    const { step, access, offset } = shown.first;
    const words = rows.map(({ strategy, accesses }) => ({
      strategy,
      value: accesses[shown.i]?.value ?? null,
    }));
    const faulting = words.filter(({ value }) => value === null).map(({ strategy }) => strategy);
    const answered = words.flatMap(({ strategy, value }) => (value === null ? [] : [{ strategy, value }]));
    return [
      say(
        `disagree-${workload}`,
        `Programs notice the difference in ${workload}: `,
        differing.length,
        " of its ",
        steps.length,
        " reads and writes do not come out alike. The first is step ",
        step,
        `, a ${access} at byte `,
        offset,
        " of its resource: ",
        byStrategy(answered, ({ value }) => value),
        faulting.length > 0 ? `${answered.length > 0 ? "; " : ""}it faults with ${list(faulting)}` : "",
        ".",
      ),
    ];
  });
}

// -- what the GPU sees ------------------------------------------------------------------------------------------------

function viewFindings({ costs }: FindingsData): LabFinding[] {
  const found: LabFinding[] = [];
  const views = (workload: string, moment: "created" | "used") =>
    costs
      .filter((c) => c.workload === workload)
      .flatMap((c) =>
        c.views
          .filter((v) => v.moment === moment && v.access !== "write")
          .map((v) => ({ ...v, strategy: c.strategy })),
      );
  const sequential = views(QUESTION_WORKLOAD, "created");
  if (sequential.length > 0) {
    found.push(
      say(
        "sweep-misses",
        "A sequential sweep over it, a load every ",
        sequential[0]?.sequential.strideBytes ?? 0,
        " bytes, misses a TLB of ",
        sequential[0]?.sequential.tlbEntries ?? 0,
        " entries this often: ",
        byStrategy(sequential, (v) => v.sequential.tlbMisses),
        ".",
      ),
    );
  }
  const used = views("buffer-stream", "used");
  const created = views("buffer-stream", "created");
  const leavesOf = (v: (typeof used)[number]) => v.unboundLeaves.reduce((sum, { leaves }) => sum + leaves, 0);
  if (used.length > 0) {
    found.push(
      say(
        "stream-leaves",
        "Leaves under the unbound part of buffer-stream's buffer when it is new: ",
        byStrategy(created, leavesOf),
        "; after the workload's binds and unbinds: ",
        byStrategy(used, leavesOf),
        ".",
      ),
    );
  }
  return found;
}

// -- experiments ------------------------------------------------------------------------------------------------------

function experimentFindings({ experiments: { dummies, arrays, postedRepeat } }: FindingsData): LabFinding[] {
  const found: LabFinding[] = [];
  const [huge, scattered] = dummies;
  if (huge && scattered) {
    found.push(
      say(
        "dummy-fragmentation",
        "One MAP_SPARSE over 100e6 bytes writes ",
        huge.pteWrites,
        " leaf entries in ",
        huge.tablesAllocated,
        " new tables when the dummy is one aligned 2 MiB page, and ",
        scattered.pteWrites,
        " in ",
        scattered.tablesAllocated,
        " when its pages are scattered.",
      ),
    );
  }
  for (const array of arrays) {
    const single = arrays.find((a) => a.strategy === array.strategy && a.bindsPerCall === 1);
    if (!single || array.pteWrites === single.pteWrites) continue;
    found.push(
      say(
        `array-writes-${array.strategy}`,
        array.strategy,
        ": ",
        array.bindsPerCall,
        " random tiles in one call write ",
        array.pteWrites,
        " leaf entries, one by one ",
        single.pteWrites,
        "; TLB invalidations are ",
        array.tlbInvalidations,
        " against ",
        single.tlbInvalidations,
        ".",
      ),
    );
  }
  if (postedRepeat) {
    const { samples, changedByCut, faultsAfterCut, changedByRestore, faultsAfterRestore } = postedRepeat;
    // A failed unmap makes the VM unusable, and switches its address space off.
    const lost = faultsAfterRestore === samples ? "the VM is unusable: " : "";
    found.push(
      say(
        "repeat-as-posted",
        "With the REPEAT patch as posted, a bind off the window leaves ",
        faultsAfterCut,
        " of ",
        samples,
        " unbound pages faulting and ",
        changedByCut,
        ` with other contents; once the object was evicted and restored, ${lost}`,
        faultsAfterRestore,
        " fault and ",
        changedByRestore,
        " show other contents.",
      ),
    );
  }
  return found;
}

// -- semantics --------------------------------------------------------------------------------------------------------

function semanticsFindings({ semantics }: FindingsData): LabFinding[] {
  const answers = (id: string) => semantics.filter((a) => a.id === id);
  const names = (rows: readonly SemanticsAnswer[]) => list(rows.map((a) => a.strategy));
  const found: LabFinding[] = [];
  const aliases = answers("aliases-same-resource");
  if (aliases.length > 0) {
    found.push(
      say(
        "write-aliases",
        "A word written to an unbound page of a buffer of 100e6 bytes is read back at this many other addresses of it: ",
        byStrategy(aliases, (a) => a.detail.aliases ?? 0),
        ".",
      ),
    );
  }
  const [sameFile, otherFile] = ["visible-other-vm", "visible-other-file"].map((id) =>
    answers(id).filter((a) => (a.detail.aliases ?? 0) > 0),
  );
  if (sameFile && otherFile && answers("visible-other-vm").length > 0) {
    found.push(
      say(
        "visibility",
        "Another VM of the same open file sees it with ",
        names(sameFile),
        "; another open file with ",
        names(otherFile),
        ".",
      ),
    );
  }
  const strict = answers("strict-honest");
  if (strict.length > 0) {
    const dishonest = strict.filter((a) => a.ok === false);
    found.push(
      say(
        "strict",
        "residencyNonResidentStrict is reported by ",
        names(strict.filter((a) => a.detail.reported)),
        "; after writes, unbound pages still read as zero with ",
        names(strict.filter((a) => a.detail.observed)),
        "; the report is false with ",
        names(dishonest),
        ".",
      ),
    );
  }
  const closed = answers("memory-handle-closed");
  if (closed.length > 0) {
    const lost = closed.filter((a) => a.detail.after !== a.detail.written);
    found.push(
      say(
        "memory-handle-closed",
        "Closing the handle of bound memory takes its mappings away with ",
        names(lost),
        "; elsewhere they keep the memory alive.",
      ),
    );
  }
  const dummy = answers("dummy-handle-closed").filter((a) => (a.detail.faults ?? 0) > 0);
  for (const { strategy, detail } of dummy) {
    found.push(
      say(
        `dummy-handle-closed-${strategy}`,
        "With ",
        strategy,
        " user space can close the handles behind the unbound pages: ",
        detail.faults ?? 0,
        " of ",
        detail.samples ?? 0,
        " pages then fault.",
      ),
    );
  }
  const broken = semantics.filter((a) => a.ok === false);
  for (const { strategy, id, question, answer } of broken) {
    found.push(say(`${id}-${strategy}`, strategy, ": ", question, " ", answer, "."));
  }
  return found;
}

// -- accounting -------------------------------------------------------------------------------------------------------

function accountingFindings({ accounting }: FindingsData): LabFinding[] {
  if (accounting.length === 0) return [];
  const sparse = (name: keyof AccountingResult["sparse"]) => byStrategy(accounting, (a) => a.sparse[name]);
  const found = [
    say(
      "references",
      "The sparse mapping of 100e6 bytes holds this many references to its VM: ",
      sparse("vmRefs"),
      "; to vm_bos: ",
      sparse("vmBoRefs"),
      "; to objects, with those that come into being: ",
      sparse("gemRefs"),
      ".",
    ),
    say(
      "submit-locks",
      "Because of it every submit locks this many reservations more: ",
      sparse("submitLocks"),
      ".",
    ),
    say(
      "hidden-memory",
      "Memory behind it that no file's statistics show, in bytes: ",
      sparse("hiddenBytes"),
      ".",
    ),
  ];
  for (const { strategy, left } of accounting) {
    if (left.gpuvas === 0) continue;
    found.push(
      say(
        `left-mapped-${strategy}`,
        "With ",
        strategy,
        ", ",
        left.gpuvas,
        " mappings of ",
        left.sparseVaBytes,
        " unbound bytes are left when the resource is destroyed.",
      ),
    );
  }
  return found;
}
