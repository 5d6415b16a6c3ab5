/**
 * Findings as SARIF 2.1.0, which code hosts and editors show beside the lines of a file.
 *
 * A finding's place is a line of the trace; the address space has no place in SARIF's files, so resource, address, operation and
 * consequences are properties, and the place in words is a logical location.
 *
 * @module
 */

import { hex } from "@vmbind/drm";
import type { CallRef, OpRef } from "../space/piece.ts";
import type { LintFinding, Severity } from "./finding.ts";
import type { LintResult } from "./lint-trace.ts";
import type { LintRule } from "./rule.ts";

const LEVELS: Readonly<Record<Severity, string>> = { error: "error", warning: "warning", note: "note" };

/**
 * @param results - of all traces that were looked at
 * @param rules - that were asked
 * @param version - of the program
 * @returns one log, to be written as JSON
 */
export function sarifOf(results: readonly LintResult[], rules: readonly LintRule[], version: string): object {
  const index = new Map(rules.map(({ id }, i) => [id, i]));
  return {
    $schema: "https://json.schemastore.org/sarif-2.1.0.json",
    version: "2.1.0",
    runs: [
      {
        tool: {
          driver: {
            name: "vmbind lint",
            version,
            rules: rules.map(({ id, title, what, why, advice, severity, category }) => ({
              id,
              shortDescription: { text: title },
              fullDescription: { text: `${what} ${why}` },
              help: { text: advice },
              defaultConfiguration: { level: LEVELS[severity] },
              properties: { tags: [category] },
            })),
          },
        },
        artifacts: results.map(({ path }) => ({ location: { uri: path } })),
        results: results.flatMap(({ path, findings }, i) =>
          findings.map((finding) =>
            resultOf(finding, { uri: path, index: i }, index.get(finding.rule) ?? -1),
          ),
        ),
      },
    ],
  };
}

interface Artifact {
  readonly uri: string;
  readonly index: number;
}

function resultOf(finding: LintFinding, artifact: Artifact, ruleIndex: number): object {
  const { rule, severity, at, text, advice, addr, range, vm, consequences, related = [] } = finding;
  return {
    ruleId: rule,
    ruleIndex,
    level: LEVELS[severity],
    message: { text: `${at.ioctl} ${text}` },
    locations: [{ ...locationOf(at, artifact), ...logicalOf(finding) }],
    ...(related.length > 0 && {
      relatedLocations: related.map((place, id) => ({
        id,
        ...locationOf(place.at, artifact),
        message: { text: place.text },
      })),
    }),
    properties: {
      seq: at.seq,
      file: at.file,
      ...("op" in at && { op: at.op }),
      ...(vm !== undefined && { vm }),
      ...(addr !== undefined && { addr: hex(addr) }),
      ...(range !== undefined && { range }),
      advice,
      consequences,
    },
  };
}

function locationOf({ line }: CallRef | OpRef, artifactLocation: Artifact): object {
  return { physicalLocation: { artifactLocation, ...(line > 0 && { region: { startLine: line } }) } };
}

function logicalOf({ place }: LintFinding): object {
  return place === undefined ? {} : { logicalLocations: [{ fullyQualifiedName: place, kind: "resource" }] };
}
