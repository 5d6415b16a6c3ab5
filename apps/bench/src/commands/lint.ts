/**
 * `vmbind lint`: mistakes in what a program did to a GPU's address space.
 *
 * @module
 */

import { lensOf } from "@vmbind/lab";
import { type LintResult, type LintRule, lintTrace, RULES, sarifOf, tally } from "@vmbind/trace";
import type { CommandInput } from "../command.ts";
import { UsageError } from "../errors.ts";
import { forEachInput } from "../files/inputs.ts";
import { openTrace, WHOLE_TRACE } from "../files/trace-files.ts";
import { programVersion } from "../files/version.ts";
import { columnsIn, type Io } from "../io.ts";
import { lintText } from "../lint/text.ts";
import { noSuchName } from "../text/nearest.ts";
import { Progress } from "../text/progress.ts";

/** Runs the command; see {@link COMMANDS} for what it does. */
export async function run(input: CommandInput, io: Io): Promise<number> {
  const { options, budgets } = input;
  const rules = chosen(options["rule"]);
  if (options["json"] && options["sarif"]) throw new UsageError("--json and --sarif: only one of them");
  const progress = new Progress(io);
  const results: LintResult[] = [];
  const status = await forEachInput<LintResult>(input, "lint", io, {
    ...WHOLE_TRACE,
    run: async (operand) => {
      const trace = await openTrace(operand, budgets, { command: "lint", io: progress });
      const result = await lintTrace(trace, await lensOf(trace), {
        rules,
        progress: (line) => progress.show(() => `${trace.name}: line ${line}`),
      });
      progress.done();
      return [result];
    },
    show: (_, result) => {
      if (options["sarif"]) results.push(result);
      else io.out(options["json"] ? `${JSON.stringify(result)}\n` : lintText(result, columnsIn(io)));
      return tally(result.findings).error === 0;
    },
  });
  if (input.division.kind === "shard") return status;
  if (options["sarif"])
    io.out(`${JSON.stringify(sarifOf(results, rules, await programVersion()), null, 2)}\n`);
  return status;
}

function chosen(wanted: CommandInput["options"][string]): readonly LintRule[] {
  if (!Array.isArray(wanted)) return RULES;
  return wanted.map((id) => {
    const rule = RULES.find((one) => one.id === id);
    if (rule !== undefined) return rule;
    const ids = RULES.map((one) => one.id);
    throw new UsageError(`--rule: ${noSuchName("rule", String(id), ids)}`);
  });
}
