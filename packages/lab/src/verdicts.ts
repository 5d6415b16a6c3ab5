/**
 * What a strategy comes down to, and the maintainer's question: does it mess up accounting or reference counts? Each verdict is
 * read off the results, and carries the figures that it rests on.
 *
 * @module
 */

import type { LabFinding, StrategyVerdict } from "./conclusions.ts";
import type { AccountingResult, CostFigures, CostResult, LabResult, SemanticsAnswer } from "./result.ts";
import { byStrategy, say } from "./sentences.ts";

/** What verdicts are computed from. */
export type VerdictData = Pick<LabResult, "costs" | "accounting" | "semantics">;

/** @returns a verdict for each strategy whose accounting was looked at, in their order */
export function verdicts({ costs, accounting, semantics }: VerdictData): StrategyVerdict[] {
  return accounting.map((account) => {
    const { strategy } = account;
    return {
      strategy,
      astray: isAstray(account),
      lines: [
        ...pays(costs, strategy),
        memory(account),
        references(account),
        left(account),
        locks(account),
        ...seen(semantics, strategy),
      ],
    };
  });
}

/** Memory that nobody is charged with, or mappings that nobody needs any more. */
function isAstray({ sparse, left }: AccountingResult): boolean {
  return sparse.hiddenBytes > 0 || left.sparseVaBytes > 0;
}

function pays(costs: readonly CostResult[], strategy: string): LabFinding[] {
  const own = costs.filter((cost) => cost.strategy === strategy);
  const made = own.find(({ phases }) => phases.create);
  const bound = own.find(({ phases }) => (phases.bind?.bindOps ?? 0) > 0);
  const parts: (string | number)[] = [];
  if (made?.phases.create) {
    parts.push(`Creating the resource of ${made.workload} takes `, ...amounts(made.phases.create));
  }
  if (bound?.phases.bind) {
    parts.push(
      `${parts.length > 0 ? "; its" : "The"} binds${bound === made ? "" : ` in ${bound.workload}`} take `,
      ...amounts(bound.phases.bind),
    );
  }
  return parts.length === 0 ? [] : [say("pays", parts, ".")];
}

function amounts(cost: CostFigures): (string | number)[] {
  return [
    ...amount(cost.bindOps, "operation"),
    ", ",
    ...amount(cost.pteWrites, "leaf entry", "leaf entries"),
    ", ",
    ...amount(cost.tablesAllocated, "table page"),
    " and ",
    ...amount(cost.tlbInvalidations, "TLB invalidation"),
  ];
}

function amount(count: number, one: string, many: string = `${one}s`): [number, string] {
  return [count, ` ${count === 1 ? one : many}`];
}

function memory({ sparse }: AccountingResult): LabFinding {
  if (sparse.hiddenBytes > 0) {
    return say(
      "memory",
      "Behind it are ",
      sparse.hiddenBytes,
      " bytes of memory that no file's statistics show.",
    );
  }
  if (sparse.backingBytes > 0) {
    return say(
      "memory",
      "Behind it are ",
      sparse.backingBytes,
      " bytes of an object that statistics show as its client's.",
    );
  }
  return say("memory", "No memory comes with it.");
}

function references({ sparse }: AccountingResult): LabFinding {
  if (sparse.vmRefs + sparse.vmBoRefs + sparse.gemRefs === 0) {
    return say("references", "It holds no reference.");
  }
  return say(
    "references",
    "It is ",
    amount(sparse.gpuvas, "mapping"),
    " and holds ",
    amount(sparse.vmRefs, "reference"),
    " to its VM, ",
    sparse.vmBoRefs,
    " to vm_bos and ",
    sparse.gemRefs,
    " to objects.",
  );
}

function left({ left }: AccountingResult): LabFinding {
  if (left.sparseVaBytes > 0) {
    return say(
      "left",
      "When the resource is destroyed ",
      amount(left.gpuvas, "mapping"),
      " of ",
      left.sparseVaBytes,
      " unbound bytes stay, with ",
      amount(left.vmRefs + left.vmBoRefs + left.gemRefs, "reference"),
      ".",
    );
  }
  if (left.handles > 0) {
    return say(
      "left",
      "Destroying the resource ends its mappings; the client keeps ",
      amount(left.handles, "object"),
      " of ",
      left.visibleBytes,
      " bytes for the next one.",
    );
  }
  if (left.hiddenBytes > 0) {
    return say(
      "left",
      "Destroying the resource ends its mappings; the kernel keeps the ",
      left.hiddenBytes,
      " bytes.",
    );
  }
  return say("left", "Destroying the resource leaves no mapping, reference or object.");
}

function locks({ sparse }: AccountingResult): LabFinding {
  if (sparse.submitLocks === 0) return say("locks", "A submit locks nothing for it.");
  return say(
    "locks",
    "Because of it every submit locks ",
    amount(sparse.submitLocks, "reservation"),
    " more.",
  );
}

function seen(semantics: readonly SemanticsAnswer[], strategy: string): LabFinding[] {
  const pages = (id: string): number | undefined =>
    semantics.find((answer) => answer.strategy === strategy && answer.id === id)?.detail.aliases;
  const [vm, file] = [pages("visible-other-vm"), pages("visible-other-file")];
  if (vm === undefined || file === undefined) return [];
  if (file > 0) return [say("seen", "What is written to an unbound page, another process reads.")];
  if (vm > 0)
    return [
      say("seen", "What is written to an unbound page, another VM of the file reads; no other process does."),
    ];
  return [say("seen", "What is written to an unbound page, no other VM and no other process reads.")];
}

/**
 * The verdicts' answer to the maintainer's question, in a sentence.
 *
 * @param all - of {@link verdicts}
 * @param accounting - that they are computed from
 * @returns nothing without verdicts
 */
export function accountingAnswer(
  all: readonly StrategyVerdict[],
  accounting: readonly AccountingResult[],
): LabFinding[] {
  if (all.length === 0) return [];
  const wrong = accounting.filter(({ strategy }) => all.find((v) => v.strategy === strategy)?.astray);
  if (wrong.length === 0)
    return [say("accounting-answer", "Accounting and references are right with all of them.")];
  const hidden = wrong.filter(({ sparse }) => sparse.hiddenBytes > 0);
  const kept = wrong.filter(({ left: { sparseVaBytes } }) => sparseVaBytes > 0);
  const parts: (string | number)[] = [];
  if (hidden.length > 0) {
    parts.push("Bytes that no file's statistics show: ", ...byStrategy(hidden, (a) => a.sparse.hiddenBytes));
  }
  if (kept.length > 0) {
    parts.push(
      `${parts.length > 0 ? "; m" : "M"}appings that outlive their resource: `,
      ...byStrategy(kept, (a) => a.left.gpuvas),
    );
  }
  return [
    say("accounting-answer", parts, wrong.length < all.length ? ". All others keep their books." : "."),
  ];
}
