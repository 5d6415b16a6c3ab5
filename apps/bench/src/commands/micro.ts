/**
 * `vmbind micro`: microbenchmarks beside the figures of the real kernel code.
 *
 * @module
 */

import type { CommandInput } from "../commands.ts";
import { EXIT, UsageError } from "../errors.ts";
import { heading, type Io } from "../io.ts";
import { AREAS } from "../micro/areas.ts";
import { type MicroResult, measure } from "../micro/harness.ts";
import { Progress } from "../progress.ts";
import { renderTable } from "../table.ts";

/** Runs the command; see {@link COMMANDS} for what it does. */
export async function run({ options, operands }: CommandInput, io: Io): Promise<number> {
  const names = operands.length > 0 ? operands : Object.keys(AREAS);
  const runs = positive(options["runs"], "--runs", 5);
  const warmUpMs = positive(options["warm-up"], "--warm-up", 500);
  const largest = positive(options["max"], "--max", 1_000_000);
  const only = options["only"] as string[] | undefined;
  const results: MicroResult[] = [];
  const progress = new Progress(io);
  for (const name of names) {
    const area = AREAS[name];
    if (!area)
      throw new UsageError(`no area ${JSON.stringify(name)}; there are ${Object.keys(AREAS).join(", ")}`);
    const before = results.length;
    for (const scenario of await area(largest)) {
      if (only && !scenario.steps.some(({ id }) => only.includes(id))) continue;
      const measured = measure(name, scenario, {
        runs,
        warmUpMs,
        onStep: (id) => progress.show(() => `${name}: ${id}`),
      });
      results.push(...measured.filter(({ id }) => !only || only.includes(id)));
    }
    progress.done();
    if (!options["json"] && results.length > before) io.out(describe(name, results.slice(before), io));
  }
  if (only && results.length === 0)
    throw new UsageError(`no workload ${only.map((id) => JSON.stringify(id)).join(", ")}`);
  if (options["json"]) io.out(`${JSON.stringify(results, null, 2)}\n`);
  return results.some((r) => r.wrong !== null) ? EXIT.difference : EXIT.ok;
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
