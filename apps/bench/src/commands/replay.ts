/**
 * `vmbind replay`: recorded traces against the driver models.
 *
 * @module
 */

import { type CostSchema, counted, size } from "@vmbind/drm";
import { lensOf } from "@vmbind/lab";
import {
  type MappingRow,
  PHASES,
  phasesOf,
  type ReplayObserver,
  type ReplayResult,
  type ReplaySubject,
  replay,
  type TraceCounts,
} from "@vmbind/trace";
import type { CommandInput } from "../command.ts";
import { benchDriver } from "../drivers/table.ts";
import { forEachInput } from "../files/inputs.ts";
import { openTrace } from "../files/trace-files.ts";
import { checkersOf } from "../fuzz/examiner.ts";
import { heading, type Io } from "../io.ts";
import { Progress } from "../text/progress.ts";
import { type Cell, renderTable } from "../text/table.ts";

const SHOWN_MAPPINGS = 12;

/** Runs the command; see {@link COMMANDS} for what it does. */
export async function run({ options, operands }: CommandInput, io: Io): Promise<number> {
  const progress = new Progress(io);
  return forEachInput(operands, "replay", io, async (operand) => {
    const trace = await openTrace(operand);
    const after: ReplayObserver["after"] = (record) =>
      progress.show(() => `${trace.name}: line ${record.line}`);
    const watched = options["check"] === true ? await benchDriver(trace.header.driver)?.fuzz() : undefined;
    const checkers = watched && ((subject: ReplaySubject) => checkersOf(watched, subject, { every: 1 }));
    const lens = await lensOf(trace);
    const result = await replay(trace, lens, { after }, checkers ? { checkers } : {});
    progress.done();
    io.out(options["json"] ? `${JSON.stringify(result)}\n` : describe(result, lens.costSchema, io));
    return result.differenceCount === 0;
  });
}

function describe(result: ReplayResult, schema: CostSchema, io: Io): string {
  const { counts } = result;
  const sections = [
    heading(io, `${result.trace}: ${result.workload} (${result.umd}, ${result.device})`),
    verdict(result),
    ...result.findings.map(({ name, text }) => `finding ${name}: ${text}\n`),
    heading(io, "counts"),
    countTable(counts),
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
    costTable(result, schema),
    heading(io, "still mapped at the end"),
    mappedTable(result.mappedAtEnd),
  ];
  return `${sections.map((s) => (s.endsWith("\n") ? s : `${s}\n`)).join("")}\n`;
}

function verdict({ counts, differenceCount, differences, quirks, storesChecked }: ReplayResult): string {
  const stores = storesChecked > 0 ? `, ${counted(storesChecked, "GPU address")} checked` : "";
  const line = `${counted(counts.ioctls, "ioctl")} replayed${stores}, ${differenceCount === 0 ? "no difference" : counted(differenceCount, "difference")} (${quirks})\n`;
  const shown = differences.map(
    ({ seq, line, what, expected, got, reason }) =>
      `  seq ${seq} (line ${line}) ${what}: expected ${expected}, got ${got}${reason === null ? "" : ` (${reason})`}\n`,
  );
  const more = differenceCount - differences.length;
  return line + shown.join("") + (more > 0 ? `  and ${counted(more, "more difference")}\n` : "");
}

function countTable(counts: TraceCounts): string {
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
  return renderTable({ columns: ["count", ""], rows });
}

function costTable({ cost, costByPhase }: ReplayResult, schema: CostSchema): string {
  const phases = PHASES.filter((phase) => costByPhase[phase]);
  const used = Object.keys(cost).filter(
    (name) => cost[name] !== 0 || phases.some((phase) => costByPhase[phase]?.[name]),
  );
  return renderTable({
    columns: ["counter", ...phases, "total"],
    rows: used.map((name) => [
      name,
      ...phases.map((phase) => costByPhase[phase]?.[name] ?? 0),
      schema[name]?.kind === "level" ? null : (cost[name] ?? 0),
    ]),
  });
}

function mappedTable(rows: readonly MappingRow[]): string {
  if (rows.length === 0) return "nothing\n";
  const shown = rows.slice(0, SHOWN_MAPPINGS);
  const bytes = rows.reduce((sum, row) => sum + row.range, 0);
  const more = rows.length - shown.length;
  const table = renderTable({
    columns: ["VM", "address", "size", "kind", "object"],
    rows: shown.map(({ vm, addr, range, kind, bo, offset }) => [
      vm,
      addr,
      size(range),
      kind,
      bo === 0 ? "-" : `BO ${bo} + 0x${offset.toString(16)}`,
    ]),
  });
  return `${table}${more > 0 ? `... ${more} more; ` : ""}${counted(rows.length, "mapping")}, ${size(bytes)}\n`;
}
