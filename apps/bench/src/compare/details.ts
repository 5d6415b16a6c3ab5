/**
 * What `--details` adds: findings, the semantics matrix, and who holds which reference.
 *
 * @module
 */

import type { AccountingFigures, AccountingResult, LabResult, SemanticsAnswer } from "@vmbind/lab";
import { fits, renderTable, type Table, transposed } from "../text/table.ts";
import { paragraph } from "../text/wrap.ts";
import type { Style } from "./text.ts";

/**
 * Write the details.
 *
 * @param lab - with details
 * @param style - text or Markdown
 */
export function renderDetails(lab: LabResult, style: Style): string {
  const { format } = style;
  const section = (title: string, text: string): string => `${style.title(title, 2)}\n${text}`;
  const { columns } = style;
  const findings = lab.findings.map(({ text }) => paragraph(`- ${text}`, columns, "  ")).join("");
  const accounting = (title: string, of: (a: AccountingResult) => AccountingFigures): string =>
    `${style.title(title, 3)}${renderTable(accountingIn(style, accountingTable(lab.accounting, of)), format, columns)}`;
  return [
    section("Findings", findings),
    section("Semantics", semantics(lab.semantics, style)),
    section(
      "Accounting",
      accounting("What the sparse mapping of one resource causes", (a) => a.sparse),
    ),
    accounting("What binding one block into it adds", (a) => a.tile),
    accounting("What is left when the resource is gone", (a) => a.left),
  ].join("\n");
}

/** Strategies side by side where that fits. */
function accountingIn({ format, columns }: Style, table: Table): Table {
  return format === "markdown" || fits(table, columns) ? table : transposed(table);
}

/** A matrix in Markdown; text says an answer once, and who gives it. */
function semantics(answers: readonly SemanticsAnswer[], { format, columns }: Style): string {
  const strategies = [...new Set(answers.map(({ strategy }) => strategy))];
  const questions = [...new Set(answers.map(({ question }) => question))];
  const find = (question: string, strategy: string): SemanticsAnswer | undefined =>
    answers.find((a) => a.question === question && a.strategy === strategy);
  if (format === "markdown") {
    const rows = questions.map((question) => [
      question,
      ...strategies.map((strategy) => said(find(question, strategy))),
    ]);
    return renderTable({ columns: ["", ...strategies], rows }, format);
  }
  return questions
    .map((question) => {
      const byAnswer = new Map<string, string[]>();
      for (const strategy of strategies) {
        const answer = said(find(question, strategy));
        byAnswer.set(answer, [...(byAnswer.get(answer) ?? []), strategy]);
      }
      const lines = [...byAnswer].map(([answer, who]) => {
        const whose = who.length === strategies.length ? "all" : who.join(", ");
        return paragraph(`  ${whose}: ${answer}`, columns, "      ");
      });
      return `${paragraph(question, columns)}${lines.join("")}`;
    })
    .join("");
}

function said(answer: SemanticsAnswer | undefined): string {
  if (answer === undefined) return "-";
  return answer.ok === false ? `${answer.answer} (not allowed)` : answer.answer;
}

const HELD: readonly (readonly [keyof AccountingFigures, string])[] = [
  ["gpuvas", "mappings"],
  ["gpuvaBytes", "bytes of drm_gpuva"],
  ["vmBos", "vm_bos"],
  ["vmBoBytes", "bytes of drm_gpuvm_bo"],
  ["vmRefs", "references to the VM"],
  ["vmBoRefs", "references to vm_bos"],
  ["gemRefs", "references to objects"],
  ["handles", "handles"],
  ["visibleBytes", "bytes that statistics show"],
  ["visibleResidentBytes", "of these resident"],
  ["backingBytes", "backing bytes"],
  ["hiddenBytes", "bytes that no statistics show"],
  ["tableBytes", "bytes of page tables"],
  ["sparseVaBytes", "sparse bytes of VA"],
  ["extobjs", "external objects"],
  ["submitLocks", "reservations a submit locks"],
];

function accountingTable(
  results: readonly AccountingResult[],
  of: (result: AccountingResult) => AccountingFigures,
): Table {
  return {
    columns: ["", ...results.map(({ strategy }) => strategy)],
    rows: HELD.map(([name, title]) => [title, ...results.map((result) => of(result)[name])]),
  };
}
