/**
 * `vmbind micro`: microbenchmarks beside the figures of the real kernel code, of an earlier run, or of another build.
 *
 * @module
 */

import { fileURLToPath } from "node:url";
import type { CommandInput } from "../command.ts";
import { EXIT, UsageError } from "../errors.ts";
import { columnsIn, complain, heading, type Io } from "../io.ts";
import { type AgainstResult, geometricMean, measureAgainst } from "../micro/against.ts";
import { measureApart } from "../micro/apart.ts";
import { AREAS } from "../micro/areas.ts";
import type { MicroResult, Scenarios } from "../micro/harness.ts";
import { type Machine, thisMachine } from "../micro/machine.ts";
import { areasIn } from "../micro/pair.ts";
import { PEERS_MACHINE } from "../micro/peers.ts";
import { differences, microFile, ratios, readSaved, type Saved } from "../micro/saved.ts";
import { checkOutput, makeFile } from "../output/whole-file.ts";
import { noSuchName } from "../text/nearest.ts";
import { Progress } from "../text/progress.ts";
import { renderTable, type Table } from "../text/table.ts";
import { paragraph } from "../text/wrap.ts";

/** The build that this module belongs to. */
const HERE = fileURLToPath(new URL("../..", import.meta.url));

/** Timed runs: two builds in turns need more than one alone, since it is their ratio that is wanted. */
const RUNS = { alone: 5, against: 11 } as const;

/** Runs the command; see {@link COMMANDS} for what it does. */
export async function run({ options, operands }: CommandInput, io: Io): Promise<number> {
  const { save, compare, against } = options as Record<string, string | undefined>;
  const other = against !== undefined;
  const senseless = other ? ["save", "compare"].find((name) => options[name] !== undefined) : undefined;
  if (senseless) throw new UsageError(`--${senseless} has no meaning with --against`);
  if (other && areasIn(against) === null) {
    throw new UsageError(`--against: ${against}: no built clone: there is no apps/bench/dist/micro/areas.js`);
  }
  const output = save === undefined ? null : { option: "--save", path: save };
  if (output) await checkOutput(output, compare === undefined ? [] : [compare]);
  const saved = compare === undefined ? null : await readSaved(compare);
  const knobs: Knobs = {
    runs: positive(options["runs"], "--runs", other ? RUNS.against : RUNS.alone),
    warmUpMs: positive(options["warm-up"], "--warm-up", 1000),
    largest: positive(options["max"], "--max", 1_000_000),
  };
  const only = options["only"] as string[] | undefined;
  const work: Work = { areas: operands.length > 0 ? operands : [...AREAS.keys()], only, knobs };
  const json = options["json"] === true;
  return other ? runAgainst(against, work, json, io) : runAlone(work, json, saved, output, io);
}

interface Knobs {
  runs: number;
  warmUpMs: number;
  largest: number;
}

/** What is to be measured. */
interface Work {
  areas: readonly string[];
  only: readonly string[] | undefined;
  knobs: Knobs;
}

async function runAlone(
  work: Work,
  json: boolean,
  saved: Saved | null,
  output: Parameters<typeof makeFile>[1] | null,
  io: Io,
): Promise<number> {
  const machine = thisMachine();
  const differ = saved ? differences(machine, saved) : [];
  if (differ.length > 0) {
    complain(
      io,
      "micro",
      `--compare: ratios are of two machines as much as of two builds: ${differ.join("; ")}`,
    );
  }
  const measureOne: MeasureOne<MicroResult> = async (area, scenario, _, onStep) =>
    measureApart({ area, scenario, ...work.knobs }, onStep);
  const show = (area: string, results: readonly MicroResult[]): void => {
    if (!json) io.out(describe(area, results, saved, io));
  };
  const { results, failures } = await measureAreas(work, io, measureOne, show);
  const file = microFile(machine, results);
  if (json) {
    const comparison = saved ? { machine: saved.machine, ratios: ratios(results, saved) } : undefined;
    io.out(`${JSON.stringify({ ...file, comparison }, null, 2)}\n`);
  } else io.out(describeMachines(machine, saved, columnsIn(io)));
  // What was measured is on the screen before anything can go wrong with the file.
  if (output) await makeFile(io, output, `${JSON.stringify(file, null, 2)}\n`);
  return failures > 0 || results.some((r) => r.wrong !== null) ? EXIT.difference : EXIT.ok;
}

async function runAgainst(other: string, work: Work, json: boolean, io: Io): Promise<number> {
  const measureOne: MeasureOne<AgainstResult> = (area, _, scenario, onStep) =>
    measureAgainst(area, scenario, { here: HERE, other, onStep, ...work.knobs });
  const show = (area: string, results: readonly AgainstResult[]): void => {
    if (!json) io.out(describeAgainst(area, results, io));
  };
  const { results, failures } = await measureAreas(work, io, measureOne, show);
  const machine = thisMachine();
  if (json) {
    const facts = { format: "vmbind-micro-against", version: 1, machine, here: HERE, other };
    io.out(`${JSON.stringify({ ...facts, results }, null, 2)}\n`);
  } else if (results.length > 0) {
    const mean = geometricMean(results.map(({ ratio }) => ratio)).toFixed(3);
    const about =
      `ratio: this build's time divided by that of ${other}, both run in turns in one process; above 1 this build is slower. ` +
      `Geometric mean of ${results.length} rows: ${mean}.`;
    io.out(paragraph(about, columnsIn(io)) + paragraph(describeMachine(machine), columnsIn(io)));
  }
  return failures > 0 ? EXIT.difference : EXIT.ok;
}

/** Measures a scenario: null where there is nothing to measure it with. */
type MeasureOne<R> = (
  area: string,
  index: number,
  scenario: Scenarios[number],
  onStep: (id: string) => void,
) => Promise<R[] | null>;

async function measureAreas<R extends { id: string }>(
  { areas, only, knobs }: Work,
  io: Io,
  measureOne: MeasureOne<R>,
  show: (area: string, results: readonly R[]) => void,
): Promise<{ results: R[]; failures: number }> {
  const results: R[] = [];
  const known: string[] = [];
  const progress = new Progress(io);
  let failures = 0;
  for (const area of areas) {
    const scenarios = await AREAS.get(area)?.(knobs.largest);
    if (!scenarios) throw new UsageError(noSuchName("area", area, AREAS.keys()));
    const before = results.length;
    for (const [index, scenario] of scenarios.entries()) {
      const ids = scenario.steps.map(({ id }) => id);
      known.push(...ids);
      const wanted = ids.filter((id) => !only || only.includes(id));
      if (wanted.length === 0) continue;
      try {
        const onStep = (step: string): void => progress.show(() => `${area}: ${step}`);
        const measured = await measureOne(area, index, scenario, onStep);
        results.push(...(measured ?? []).filter(({ id }) => wanted.includes(id)));
        const what = measured ? "measured" : "not in the other build";
        progress.tell(`${area}: ${wanted.join(", ")}: ${what}`);
      } catch (error) {
        failures++;
        progress.done();
        complain(io, "micro", `${area}: ${wanted.join(", ")}: ${(error as Error).message}`);
      }
    }
    progress.done();
    if (results.length > before) show(area, results.slice(before));
  }
  const unknown = only?.find((id) => !known.includes(id));
  if (unknown !== undefined) throw new UsageError(`--only: ${noSuchName("workload", unknown, known)}`);
  return { results, failures };
}

function describeMachine({ cpu, cores, node, v8 }: Pick<Machine, "cpu" | "cores" | "node" | "v8">): string {
  return `Node.js ${node} (V8 ${v8}), ${cores} cores of ${cpu}`;
}

function describeMachines(machine: Machine, saved: Saved | null, columns: number): string {
  return [
    `This machine: ${describeMachine(machine)}. spread: the middle half of the runs, as a part of the median.`,
    ...(saved
      ? [
          `then: ${describeMachine(saved.machine)}; above 1 it is slower now. verdict: of these runs, by the test of Mann and Whitney; what two ` +
            "starts of one build may differ by is no difference.",
        ]
      : []),
  ]
    .map((line) => paragraph(line, columns))
    .join("");
}

function positive(value: CommandInput["options"][string], option: string, standard: number): number {
  if (value === undefined) return standard;
  const number = Number(value);
  if (!Number.isInteger(number) || number < 1) {
    throw new UsageError(`${option}: expected a whole number above 0, got ${JSON.stringify(value)}`);
  }
  return number;
}

function describe(area: string, results: readonly MicroResult[], saved: Saved | null, io: Io): string {
  const table = renderTable(
    saved ? tableWithSaved(results, saved) : tableWithPeers(results),
    "text",
    columnsIn(io),
  );
  const wrong = results.filter((r) => r.wrong !== null).map((r) => `wrong ${r.id}: ${r.wrong}\n`);
  const peers = saved === null && results.some(({ peer }) => peer !== null);
  const about = peers
    ? paragraph(`peer and ratio: the kernel's code on another machine, ${PEERS_MACHINE}.`, columnsIn(io))
    : "";
  return `${heading(io, `micro ${area}`)}\n${table}${about}${wrong.join("")}\n`;
}

function tableWithPeers(results: readonly MicroResult[]): Table {
  return {
    columns: ["id", "what", "median ns", "per", "min", "max", "spread", "clock", "peer ns", "ratio"],
    rows: results.map((r) => [
      r.id,
      r.what,
      significant(r.ns),
      r.unit,
      significant(r.min),
      significant(r.max),
      percent(r.spread),
      r.clock,
      r.peer ? significant(r.peer.ns) : null,
      rounded(r.ratio),
    ]),
  };
}

function tableWithSaved(results: readonly MicroResult[], saved: Saved): Table {
  return {
    columns: ["id", "median ns", "per", "min", "spread", "then ns", "ratio to then", "of minima", "verdict"],
    rows: ratios(results, saved).map(({ id, thenNs, ratio, ratioOfMinima, verdict }, i) => {
      const { ns, unit, min, spread } = results[i] as MicroResult;
      return [
        id,
        significant(ns),
        unit,
        significant(min),
        percent(spread),
        thenNs === null ? null : significant(thenNs),
        rounded(ratio),
        rounded(ratioOfMinima),
        verdict &&
          (verdict.verdict === "too few" ? "too few runs" : `${verdict.verdict}, p ${verdict.p.toFixed(3)}`),
      ];
    }),
  };
}

function describeAgainst(area: string, results: readonly AgainstResult[], io: Io): string {
  const table = renderTable(
    {
      columns: ["id", "ns", "other ns", "ratio", "loaded first", "loaded second", "minima"],
      rows: results.map(({ id, ns, otherNs, ratio, ratioByOrder, ratioOfMinima }) => [
        id,
        significant(ns),
        significant(otherNs),
        ...[ratio, ...ratioByOrder, ratioOfMinima].map((value) => rounded(value)),
      ]),
    },
    "text",
    columnsIn(io),
  );
  return `${heading(io, `micro ${area}`)}\n${table}\n`;
}

function percent(part: number): string {
  return `${(100 * part).toFixed(1)} %`;
}

function rounded(ratio: number | null | undefined): number | null {
  return typeof ratio === "number" ? Number(ratio.toFixed(2)) : null;
}

function significant(ns: number): number {
  return ns >= 100 ? Math.round(ns) : Number(ns.toPrecision(3));
}
