/**
 * `vmbind explain`: a trace in words.
 *
 * @module
 */

import { lensOf } from "@vmbind/lab";
import { type ReplayResult, replay, visible } from "@vmbind/trace";
import type { CommandInput } from "../command.ts";
import { EXIT, UsageError } from "../errors.ts";
import { Explainer, type Teller } from "../explain/explainer.ts";
import { Filter } from "../explain/filter.ts";
import { JsonTeller } from "../explain/json.ts";
import { Summary } from "../explain/summary.ts";
import { TextTeller } from "../explain/text.ts";
import { traceOrLowered } from "../files/lowering.ts";
import { columnsIn, type Io, listing } from "../io.ts";

/** Runs the command; see {@link COMMANDS} for what it does. */
export async function run({ options, operands, budgets }: CommandInput, io: Io): Promise<number> {
  const filter = new Filter(options);
  if (options["json"] && options["summary"]) throw new UsageError("--json and --summary: only one of them");
  const trace = await traceOrLowered(operands[0] as string, options, budgets, { command: "explain", io });
  const lens = await lensOf(trace);
  const summary = options["summary"] === true ? new Summary() : null;
  const say = (text: string): void => io.out(listing(io, text));
  const explainer = new Explainer(tellerOf(options, summary, io, say), lens, filter, budgets);
  const replayed = await replay(trace, lens, explainer);
  if (explainer.told === 0) return nothing(filter, options, replayed, io);
  if (summary !== null) io.out(summary.text(columnsIn(io)));
  if (!options["json"]) {
    for (const { seq, what, expected, got } of replayed.differences) {
      say(`${visible(`difference at #${seq}: ${what}: recorded ${expected}, the model has ${got}`)}\n`);
    }
  }
  return replayed.differenceCount > 0 ? EXIT.difference : EXIT.ok;
}

function tellerOf(
  options: CommandInput["options"],
  summary: Summary | null,
  io: Io,
  say: (text: string) => void,
): Teller {
  if (options["json"]) return new JsonTeller((text) => io.out(text));
  if (summary === null) return new TextTeller(say, options["ops"] === true);
  return {
    mark: () => {},
    call: ({ record, action, ret, cost }) => summary.add(record, action, ret, cost),
  };
}

/** Nothing was chosen: a number that is not there is a mistake, everything else an answer. */
function nothing(
  filter: Filter,
  options: CommandInput["options"],
  { counts, differenceCount }: ReplayResult,
  io: Io,
): number {
  if (filter.isOpen || (options["seq"] !== undefined && !filter.chooses)) {
    throw new UsageError(`--seq: the trace has ioctls 0 to ${counts.ioctls - 1}`);
  }
  if (!options["json"]) io.out(`none of ${counts.ioctls} ioctls is chosen\n`);
  return differenceCount > 0 ? EXIT.difference : EXIT.ok;
}
