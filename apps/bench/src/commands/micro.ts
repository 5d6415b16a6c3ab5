/**
 * `vmbind micro`: microbenchmarks beside the figures of the real kernel code.
 *
 * @module
 */

import type { CommandInput } from "../command.ts";
import { EXIT, UsageError } from "../errors.ts";
import { complain, heading, type Io } from "../io.ts";
import { measureApart } from "../micro/apart.ts";
import { AREAS } from "../micro/areas.ts";
import type { MicroResult } from "../micro/harness.ts";
import { type Machine, thisMachine } from "../micro/machine.ts";
import { noSuchName } from "../text/nearest.ts";
import { Progress } from "../text/progress.ts";
import { renderTable } from "../text/table.ts";

/** Runs the command; see {@link COMMANDS} for what it does. */
export async function run({ options, operands }: CommandInput, io: Io): Promise<number> {
  const names = operands.length > 0 ? operands : [...AREAS.keys()];
  const runs = positive(options["runs"], "--runs", 5);
  const warmUpMs = positive(options["warm-up"], "--warm-up", 1000);
  const largest = positive(options["max"], "--max", 1_000_000);
  const only = options["only"] as string[] | undefined;
  const results: MicroResult[] = [];
  const machine = thisMachine();
  const progress = new Progress(io);
  let failures = 0;
  for (const area of names) {
    const scenarios = await AREAS.get(area)?.(largest);
    if (!scenarios) throw new UsageError(noSuchName("area", area, AREAS.keys()));
    const before = results.length;
    for (const [scenario, { steps }] of scenarios.entries()) {
      const wanted = steps.map(({ id }) => id).filter((id) => !only || only.includes(id));
      if (wanted.length === 0) continue;
      try {
        const measured = await measureApart({ area, scenario, largest, runs, warmUpMs }, (step) =>
          progress.show(() => `${area}: ${step}`),
        );
        results.push(...measured.filter(({ id }) => wanted.includes(id)));
      } catch (error) {
        failures++;
        progress.done();
        complain(io, "micro", `${area}: ${wanted.join(", ")}: ${(error as Error).message}`);
      }
    }
    progress.done();
    if (!options["json"] && results.length > before) io.out(describe(area, results.slice(before), io));
  }
  if (only && failures === 0 && results.length === 0)
    throw new UsageError(`no workload ${only.map((id) => JSON.stringify(id)).join(", ")}`);
  io.out(options["json"] ? `${JSON.stringify({ machine, results }, null, 2)}\n` : describeMachine(machine));
  return failures > 0 || results.some((r) => r.wrong !== null) ? EXIT.difference : EXIT.ok;
}

function describeMachine({ cpu, cores, node, v8 }: Machine): string {
  return `Node.js ${node} (V8 ${v8}), ${cores} cores of ${cpu}\n`;
}

function positive(value: CommandInput["options"][string], option: string, standard: number): number {
  if (value === undefined) return standard;
  const number = Number(value);
  if (!Number.isInteger(number) || number < 1) {
    throw new UsageError(`${option}: expected a whole number above 0, got ${JSON.stringify(value)}`);
  }
  return number;
}

function describe(area: string, results: readonly MicroResult[], io: Io): string {
  const table = renderTable({
    columns: ["id", "what", "ns", "per", "min", "max", "clock", "peer ns", "ratio"],
    rows: results.map((r) => [
      r.id,
      r.what,
      significant(r.ns),
      r.unit,
      significant(r.min),
      significant(r.max),
      r.clock,
      r.peer ? significant(r.peer.ns) : null,
      r.ratio === null ? null : Number(r.ratio.toFixed(2)),
    ]),
  });
  const wrong = results.filter((r) => r.wrong !== null).map((r) => `wrong ${r.id}: ${r.wrong}\n`);
  return `${heading(io, `micro ${area}`)}\n${table}${wrong.join("")}\n`;
}

function significant(ns: number): number {
  return ns >= 100 ? Math.round(ns) : Number(ns.toPrecision(3));
}
