/**
 * `vmbind compare`: the same workloads under every strategy, cost sheets side by side.
 *
 * @module
 */

import type { CommandInput } from "../commands.ts";
import { EXIT, UsageError } from "../errors.ts";
import { heading, type Io } from "../io.ts";
import { Progress } from "../progress.ts";
import { type ReplayResult, replay } from "../replay.ts";
import { openStrategyTrace, STRATEGIES, type Strategy, WORKLOADS } from "../strategies.ts";
import { formatNumber, renderTable, type Table, type TableFormat } from "../table.ts";

/** A strategy's cost on a workload. */
export interface Comparison {
  /** Workload. */
  workload: string;
  /** Strategy. */
  strategy: string;
  /** Driver. */
  driver: string;
  /** Whether a real driver sent these ioctls. */
  recorded: boolean;
  /** False when the user-mode driver cannot do the workload; the metrics are then null. */
  supported: boolean;
  /** Operations that the model refused or answered differently. */
  differences: number;
  /** Figures by name, see {@link METRICS}. */
  metrics: Record<string, number | null>;
}

interface Metric {
  name: string;
  title: string;
  of(result: ReplayResult): number;
}

const cost =
  (name: string) =>
  ({ workloadCost }: ReplayResult): number =>
    workloadCost[name] ?? 0;

const createCost =
  (name: string) =>
  ({ costByPhase }: ReplayResult): number =>
    costByPhase.create?.[name] ?? 0;

/** What it costs to make the sparse resources. */
const CREATE_METRICS: readonly Metric[] = [
  { name: "createOps", title: "operations", of: (r) => r.counts.byPhase.create?.bindOps ?? 0 },
  { name: "createIoctls", title: "ioctls", of: (r) => r.counts.byPhase.create?.bindIoctls ?? 0 },
  { name: "createPayloadBytes", title: "payload bytes", of: createCost("payloadBytes") },
  { name: "createMappings", title: "mappings", of: createCost("mapSteps") },
  { name: "createPteWrites", title: "leaf entries", of: createCost("pteWrites") },
  { name: "createTables", title: "table pages", of: createCost("tablesAllocated") },
  { name: "createTlbInvalidations", title: "TLB invalidations", of: createCost("tlbInvalidations") },
];

/** What is compared, over the workload between device set-up and teardown; levels and peaks are of the whole device. */
const METRICS: readonly Metric[] = [
  { name: "bindOps", title: "operations", of: (r) => r.counts.workload.bindOps },
  { name: "bindIoctls", title: "VM_BIND ioctls", of: (r) => r.counts.workload.bindIoctls },
  { name: "payloadBytes", title: "payload bytes", of: (r) => r.counts.workload.payloadBytes },
  {
    name: "gpuvmSteps",
    title: "split and merge steps",
    of: (r) => cost("mapSteps")(r) + cost("remapSteps")(r) + cost("unmapSteps")(r),
  },
  { name: "gpuvasPeak", title: "mappings, peak", of: cost("gpuvasPeak") },
  { name: "vmBosPeak", title: "vm_bos, peak", of: cost("vmBosPeak") },
  { name: "pteWrites", title: "leaf entries written", of: cost("pteWrites") },
  { name: "pteClears", title: "leaf entries cleared", of: cost("pteClears") },
  { name: "tableWrites", title: "directory entries written", of: cost("tableWrites") },
  { name: "tablesReserved", title: "table pages reserved", of: cost("tablesReserved") },
  { name: "tablesAllocated", title: "table pages used", of: cost("tablesAllocated") },
  { name: "tablesPeak", title: "table pages, peak", of: cost("tablesPeak") },
  { name: "tableBytesPeak", title: "table bytes, peak", of: (r) => cost("tablesPeak")(r) * r.tablePageBytes },
  { name: "tlbInvalidations", title: "TLB invalidations", of: cost("tlbInvalidations") },
  { name: "tlbInvalidatedBytes", title: "bytes invalidated", of: cost("tlbInvalidatedBytes") },
  { name: "backingPeakBytes", title: "backing bytes, peak", of: cost("backingPeakBytes") },
];

const NOTES = [
  "Figures are for the workload between device set-up and teardown; peaks include what the user-mode driver maps for itself.",
  "Recorded: the ioctls that Mesa sent. Derived: the recorded ioctls of panthor-sparse, each sparse operation replaced.",
  "Sizes and alignments are the drivers' own: blocks of 4 KiB (panvk), 16 KiB (hk), 64 KiB (anv); hk has no sparse 3D images.",
];

const QUESTION_WORKLOAD = "buffer-100e6";

/** Runs the command; see {@link COMMANDS} for what it does. */
export async function run({ options }: CommandInput, io: Io): Promise<number> {
  const workloads = chosen(options["workload"], WORKLOADS, "--workload");
  const names = chosen(
    options["strategy"],
    STRATEGIES.map((s) => s.name),
    "--strategy",
  );
  const strategies = STRATEGIES.filter((s) => names.includes(s.name));
  const format = formatOf(options);
  const comparisons: Comparison[] = [];
  const progress = new Progress(io);
  const readable = format === "text" || format === "markdown";
  for (const workload of workloads) {
    const here: Comparison[] = [];
    for (const strategy of strategies) {
      const comparison = await compareOne(strategy, workload, progress);
      if (comparison) here.push(comparison);
    }
    progress.done();
    if (readable && comparisons.length === 0) io.out(question(strategies, workload, here, format, io));
    comparisons.push(...here);
    if (readable) io.out(describe(workload, here, format, io));
  }
  if (readable) io.out(NOTES.map((note) => `${note}\n`).join(""));
  if (format === "json") io.out(`${JSON.stringify(comparisons, null, 2)}\n`);
  if (format === "csv") io.out(renderTable(flat(comparisons), "csv"));
  return comparisons.some((c) => c.differences > 0) ? EXIT.difference : EXIT.ok;
}

async function compareOne(
  strategy: Strategy,
  workload: string,
  progress: Progress,
): Promise<Comparison | null> {
  const trace = await openStrategyTrace(strategy, workload);
  if (!trace) return null;
  let seen = 0;
  const result = await replay(
    trace,
    {
      after: (_record, _machine, action) => {
        if (action?.kind !== "bind") return;
        seen += action.ops.length;
        progress.show(() => `${workload}, ${strategy.name}: ${formatNumber(seen)} operations`);
      },
    },
    { compareMappings: strategy.recorded },
  );
  // hk has no sparse 3D images: its trace holds a mark and no bind.
  const supported = result.counts.workload.bindIoctls > 0;
  return {
    workload,
    strategy: strategy.name,
    driver: result.driver,
    recorded: strategy.recorded,
    supported,
    differences: result.differenceCount,
    metrics: Object.fromEntries(
      [...CREATE_METRICS, ...METRICS].map((m) => [m.name, supported ? m.of(result) : null]),
    ),
  };
}

/** The question, and the short answer where the first workload gives one. */
function question(
  strategies: readonly Strategy[],
  workload: string,
  comparisons: readonly Comparison[],
  format: TableFormat,
  io: Io,
): string {
  const title = "A sparse resource whose pages are not bound must not fault. How should user space say so?";
  const table = renderTable(
    {
      columns: ["strategy", "says"],
      rows: strategies.map((s) => [s.name, `${s.says}${s.recorded ? "" : " (derived)"}`]),
    },
    format,
  );
  const answer = workload === QUESTION_WORKLOAD ? shortAnswer(comparisons, format) : "";
  return `${format === "markdown" ? `## ${title}` : heading(io, title)}\n\n${table}\n${answer}`;
}

/** What creating the resource takes: the question in numbers. */
function shortAnswer(comparisons: readonly Comparison[], format: TableFormat): string {
  const [most, ...others] = comparisons.map((c) => formatNumber(c.metrics["createOps"] ?? 0));
  const against = others.length > 0 ? `: ${most} operations against ${others.join(", ")}` : "";
  const table = renderTable(
    {
      columns: ["to create it", ...CREATE_METRICS.map((m) => m.title)],
      rows: comparisons.map((c) => [c.strategy, ...CREATE_METRICS.map((m) => c.metrics[m.name] ?? null)]),
    },
    format,
  );
  return `100e6 bytes, nothing bound${against}.\n\n${table}\n`;
}

function describe(workload: string, comparisons: readonly Comparison[], format: TableFormat, io: Io): string {
  const title = workload === QUESTION_WORKLOAD ? `${workload}: 100e6 bytes, nothing bound` : workload;
  const table: Table = {
    columns: ["", ...comparisons.map((c) => c.strategy)],
    rows: METRICS.map(({ name, title }) => [title, ...comparisons.map((c) => c.metrics[name] ?? null)]),
  };
  const refused = comparisons
    .filter((c) => c.differences > 0)
    .map((c) => `${c.strategy}: the model answered ${c.differences} ioctls differently from the trace\n`);
  return `${format === "markdown" ? `### ${title}\n` : heading(io, title)}\n${renderTable(table, format)}${refused.join("")}\n`;
}

function flat(comparisons: readonly Comparison[]): Table {
  return {
    columns: [
      "workload",
      "strategy",
      "driver",
      "recorded",
      "supported",
      "differences",
      ...METRICS.map((m) => m.name),
    ],
    rows: comparisons.map((c) => [
      c.workload,
      c.strategy,
      c.driver,
      String(c.recorded),
      String(c.supported),
      c.differences,
      ...[...CREATE_METRICS, ...METRICS].map((m) => c.metrics[m.name] ?? null),
    ]),
  };
}

function formatOf(options: CommandInput["options"]): TableFormat | "json" {
  const given = (["json", "csv", "markdown"] as const).filter((name) => options[name]);
  if (given.length > 1) throw new UsageError(`--${given.join(" and --")} exclude each other`);
  return given[0] ?? "text";
}

function chosen(
  given: CommandInput["options"][string],
  all: readonly string[],
  option: string,
): readonly string[] {
  if (given === undefined) return all;
  const names = given as string[];
  const unknown = names.find((name) => !all.includes(name));
  if (unknown !== undefined) {
    throw new UsageError(`${option}: no ${JSON.stringify(unknown)}; there are ${all.join(", ")}`);
  }
  return all.filter((name) => names.includes(name));
}
