/**
 * `vmbind replay`: recorded traces against the driver models.
 *
 * @module
 */

import { type CostSchema, counted, size } from "@vmbind/drm";
import { DRIVERS, lensOf } from "@vmbind/lab";
import {
  type MappingRow,
  PHASES,
  phasesOf,
  type ReplayOptions,
  type ReplayResult,
  type ReplaySubject,
  replay,
  type TraceCounts,
  visible,
} from "@vmbind/trace";
import type { CommandInput } from "../command.ts";
import { benchDriver } from "../drivers/table.ts";
import { forEachInput } from "../files/inputs.ts";
import { openTrace, WHOLE_TRACE } from "../files/trace-files.ts";
import { checkersOf, isSimulation } from "../fuzz/examiner.ts";
import { columnsIn, heading, type Io, listing } from "../io.ts";
import { Progress } from "../text/progress.ts";
import { type Cell, renderTable } from "../text/table.ts";
import { paragraph, wrapWords } from "../text/wrap.ts";

const SHOWN_MAPPINGS = 12;

/** Characters that are printed at a time. */
const CHUNK = 2 ** 16;

/** What is said of a trace; plain data. */
interface Replayed {
  /** All but the mappings that are left. */
  readonly result: Omit<ReplayResult, "mappedAtEnd">;
  /** Those for people: the first, how many, how large. */
  readonly left: MappingSummary;
  /** All of them as JSON, where JSON is wanted; null where they are printed already. */
  readonly rows: string | null;
}

/** Runs the command; see {@link COMMANDS} for what it does. */
export async function run(input: CommandInput, io: Io): Promise<number> {
  const { options, budgets } = input;
  const progress = new Progress(io);
  const json = options["json"] === true;
  return forEachInput<Replayed>(input, "replay", io, {
    ...WHOLE_TRACE,
    run: async (operand) => {
      const trace = await openTrace(operand, budgets, { command: "replay", io: progress });
      const watched = options["check"] === true ? await benchDriver(trace.header.driver)?.fuzz() : undefined;
      const checkers =
        watched &&
        ((subject: ReplaySubject) =>
          checkersOf(watched, subject, { every: 1, simulated: isSimulation(trace.header) }));
      const left: MappingSummary = { shown: [], count: 0, bytes: 0 };
      let rows: string | null = null;
      const atEnd: ReplayOptions["atEnd"] = (mapped) => {
        if (!json) summarize(mapped, left);
        else if (input.division.kind === "whole") printRows(mapped, (text) => io.out(text));
        else {
          rows = "";
          printRows(mapped, (text) => {
            rows += text;
          });
        }
      };
      const lens = await lensOf(trace);
      const { mappedAtEnd: _, ...result } = await replay(
        trace,
        lens,
        {},
        {
          ...(checkers && { checkers }),
          atEnd,
          progress: (line) => progress.show(() => `${trace.name}: line ${line}`),
        },
      );
      progress.done();
      return [{ result, left, rows }];
    },
    show: async (_, { result, left, rows }) => {
      if (rows !== null) io.out(rows);
      if (json) io.out(`,${JSON.stringify(result).slice(1)}\n`);
      else io.out(describe(result, await schemaOf(result), left, io));
      return result.differenceCount === 0;
    },
  });
}

async function schemaOf({ driver }: Pick<ReplayResult, "driver">): Promise<CostSchema> {
  const lens = await DRIVERS.get(driver)?.();
  return lens?.costSchema ?? {};
}

/** Mappings come first in JSON, row by row while the model has them: so that memory holds none. */
function printRows(rows: Iterable<MappingRow>, print: (text: string) => void): void {
  let text = '{"mappedAtEnd":[';
  let separator = "";
  for (const row of rows) {
    text += `${separator}${JSON.stringify(row)}`;
    separator = ",";
    if (text.length < CHUNK) continue;
    print(text);
    text = "";
  }
  print(`${text}]`);
}

/** What people are told of the mappings: the first, how many, how large. */
interface MappingSummary {
  readonly shown: MappingRow[];
  count: number;
  bytes: number;
}

function summarize(rows: Iterable<MappingRow>, left: MappingSummary): void {
  for (const row of rows) {
    if (left.shown.length < SHOWN_MAPPINGS) left.shown.push(row);
    left.count++;
    left.bytes += row.range;
  }
}

function describe(result: Replayed["result"], schema: CostSchema, left: MappingSummary, io: Io): string {
  const { counts } = result;
  const columns = columnsIn(io);
  const sections = [
    ...wrapWords(
      visible(`${result.trace}: ${result.workload} (${result.umd}, ${result.device})`),
      columns,
    ).map((line) => heading(io, line)),
    paragraph(verdict(result), columns, "  "),
    listing(io, differencesOf(result)),
    ...result.findings.map(({ name, text }) => paragraph(`finding ${name}: ${visible(text)}`, columns, "  ")),
    heading(io, "counts"),
    countTable(counts, columns),
    heading(io, "operations"),
    renderTable({
      columns: ["kind", "operations", "VA bytes"],
      rows: Object.entries(counts.opsByKind).map(([kind, n]) => [kind, n, counts.vaBytesByKind[kind] ?? 0]),
    }),
    heading(io, "VM_BIND by phase"),
    renderTable({
      columns: ["phase", "ioctls", "operations"],
      rows: phasesOf(counts).map((phase) => {
        const { bindIoctls, bindOps } = counts.byPhase[phase] ?? { bindIoctls: 0, bindOps: 0 };
        return [phase, bindIoctls, bindOps];
      }),
    }),
    heading(io, "cost sheet by phase (levels such as gpuvasLive: at the end of the phase)"),
    costTable(result, schema, columns),
    heading(io, "still mapped at the end"),
    mappedTable(left, columns),
  ];
  const said = sections.filter((section) => section !== "");
  return `${said.map((s) => (s.endsWith("\n") ? s : `${s}\n`)).join("")}\n`;
}

function verdict({ counts, differenceCount, quirks, storesChecked }: Replayed["result"]): string {
  const stores = storesChecked > 0 ? `, ${counted(storesChecked, "GPU address")} checked` : "";
  const found = differenceCount === 0 ? "no difference" : counted(differenceCount, "difference");
  return `${counted(counts.ioctls, "ioctl")} replayed${stores}, ${found} (${quirks})`;
}

function differencesOf({ differences, differenceCount }: Replayed["result"]): string {
  const shown = differences.map(
    ({ seq, line, what, expected, got, reason }) =>
      `${visible(`  seq ${seq} (line ${line}) ${what}: expected ${expected}, got ${got}${reason === null ? "" : ` (${reason})`}`)}\n`,
  );
  const more = differenceCount - differences.length;
  return shown.join("") + (more > 0 ? `  and ${counted(more, "more difference")}\n` : "");
}

function countTable(counts: TraceCounts, columns: number): string {
  const { intervals } = counts;
  const rows: [string, Cell][] = [
    ["ioctls", counts.ioctls],
    ["VMs created / destroyed", `${counts.vmCreates} / ${counts.vmDestroys}`],
    ["objects created / closed", `${counts.boCreates} / ${counts.boCloses}`],
    ["VM_BIND ioctls", counts.bindIoctls],
    ["VM_BIND operations", counts.bindOps],
    ["most operations in an ioctl", counts.maxOpsPerIoctl],
    ["sync operations", counts.syncOps],
    ["payload bytes, all ioctls", counts.payloadBytes],
    ["payload bytes, VM_BIND", counts.bindPayloadBytes],
    ["peak mappings", intervals.peakMappings],
    ["peak mappings between ioctls", intervals.peakMappingsAfterIoctl],
    ["mappings removed", intervals.mappingsRemoved],
    ["mappings cut", intervals.mappingsCut],
    [
      "hit by a map: covered / one side / split",
      `${intervals.mapHits.covered} / ${intervals.mapHits.oneSide} / ${intervals.mapHits.split}`,
    ],
    ["most mappings under one unmap", intervals.largestUnmap],
    ["mappings at workload-end", intervals.mappingsAtWorkloadEnd],
    ["mappings in destroyed VMs", intervals.mappingsAtVmDestroy],
    ["jobs", counts.execs],
  ];
  return renderTable({ columns: ["count", ""], rows }, "text", columns);
}

function costTable({ cost, costByPhase }: Replayed["result"], schema: CostSchema, columns: number): string {
  const phases = PHASES.filter((phase) => costByPhase[phase]);
  const used = Object.keys(cost).filter(
    (name) => cost[name] !== 0 || phases.some((phase) => costByPhase[phase]?.[name]),
  );
  return renderTable(
    {
      columns: ["counter", ...phases, "total"],
      rows: used.map((name) => [
        name,
        ...phases.map((phase) => costByPhase[phase]?.[name] ?? 0),
        schema[name]?.kind === "level" ? null : (cost[name] ?? 0),
      ]),
    },
    "text",
    columns,
  );
}

function mappedTable({ shown, count, bytes }: MappingSummary, columns: number): string {
  if (count === 0) return "nothing\n";
  const more = count - shown.length;
  const table = renderTable(
    {
      columns: ["VM", "address", "size", "kind", "object"],
      rows: shown.map(({ vm, addr, range, kind, bo, offset }) => [
        vm,
        addr,
        size(range),
        kind,
        bo === 0 ? "-" : `BO ${bo} + 0x${offset.toString(16)}`,
      ]),
    },
    "text",
    columns,
  );
  return `${table}${more > 0 ? `... ${more} more; ` : ""}${counted(count, "mapping")}, ${size(bytes)}\n`;
}
