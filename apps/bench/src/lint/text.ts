/**
 * Findings of the linter in words: the cause, where, what belongs to it, what to do; the answer last.
 *
 * @module
 */

import { counted } from "@vmbind/drm";
import { type LintFinding, type LintResult, refName, type Severity, tally, visible } from "@vmbind/trace";
import { paragraph, wrapWords } from "../text/wrap.ts";

const SEVERITIES: readonly Severity[] = ["error", "warning", "note"];

/**
 * @param result - what came of a trace
 * @param columns - most characters of a line
 * @returns lines, each with its line end
 */
export function lintText(result: LintResult, columns: number): string {
  const { trace, about, findings } = result;
  const head = wrapWords(visible(`${trace}: ${about.workload} (${about.umd}, ${about.device})`), columns);
  const told = SEVERITIES.flatMap((severity) => findings.filter((finding) => finding.severity === severity));
  const lines = told.map((finding) => findingText(finding, columns));
  return `${head.join("\n")}\n${lines.join("")}${paragraph(answer(result), columns, "  ")}`;
}

/**
 * @param finding - a finding
 * @param columns - most characters of a line
 * @returns lines, each with its line end
 */
function findingText(finding: LintFinding, columns: number): string {
  const { severity, rule, at, text, related = [], advice, place } = finding;
  const where = place === undefined ? "" : `, ${place}`;
  const parts = [
    paragraph(`  ${severity} ${rule}: ${refName(at)} ${visible(at.ioctl)}${where}`, columns, "    "),
    indented(visible(text), columns),
    ...related.map((other) => indented(`${refName(other.at)}: ${visible(other.text)}`, columns)),
    ...consequencesText(finding).map((line) => indented(line, columns)),
    indented(`do: ${advice}`, columns),
  ];
  return parts.join("");
}

/** @returns a line of what a finding explains; none where it explains nothing */
function consequencesText({ consequences, rule }: LintFinding): string[] {
  const parts = Object.entries(consequences).map(([id, count]) =>
    id === rule ? `${count} more of this kind` : `${count} of ${id}`,
  );
  return parts.length === 0 ? [] : [`folded: ${parts.join(", ")}`];
}

/** The last line: how much of what, in how much. */
function answer({ findings, ioctls, operations, about }: LintResult): string {
  const counts = tally(findings);
  const found = SEVERITIES.filter((severity) => counts[severity] > 0).map((severity) =>
    counted(counts[severity], severity),
  );
  const said = found.length === 0 ? "nothing found" : found.join(", ");
  return `${said} in ${counted(ioctls, "ioctl")} with ${counted(operations, "operation")} (${about.quirks})`;
}

function indented(text: string, columns: number): string {
  return paragraph(`    ${text}`, columns, "      ");
}
