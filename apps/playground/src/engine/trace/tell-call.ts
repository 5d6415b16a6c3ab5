/** One ioctl, told: what it said, the steps that it caused, the page-table leaves that it changed, what it cost, why it was refused. */

import {
  type Action,
  type BindOp,
  BindWatch,
  costBetween,
  describeRun,
  NOT_LOOKED_AT,
  refusedOp,
  result,
  type StepText,
  snapshot,
} from "@vmbind/trace";
import type { Turn } from "../turn.ts";
import { openTrace } from "./library.ts";
import type { LoadedTrace } from "./loaded-trace.ts";

/** Which ioctl, and which of its lines. */
export interface TellCallRequest {
  readonly trace: string;
  readonly seq: number;
  /** First line that is wanted, 0 unless given. */
  readonly from?: number;
  /** How many, 200 unless given. */
  readonly count?: number;
}

/** A line: an operation, or a step below it. */
interface ToldLine {
  readonly text: string;
  /** Index of the operation; for a step that of the operation which causes it. */
  readonly op: number;
  readonly isStep: boolean;
  /** The driver refuses the call because of it. */
  readonly isRefused: boolean;
}

/** What an ioctl cost. */
interface ToldCost {
  readonly title: string;
  readonly value: number;
}

/** See the module. */
export interface ToldCall {
  readonly seq: number;
  readonly line: number;
  readonly ioctl: string;
  readonly text: string;
  /** `0`, or `-22 EINVAL`. */
  readonly result: string;
  /** What the recording says, where it says something else; null elsewhere. */
  readonly recorded: string | null;
  /** Why it was refused; empty where it was not. */
  readonly reason: string;
  readonly opCount: number;
  readonly stepCount: number;
  /** Operations and steps in all. */
  readonly lineCount: number;
  /** First of the lines that are here. */
  readonly from: number;
  readonly lines: readonly ToldLine[];
  /** How page-table leaves changed, in words: the first runs. */
  readonly leaves: readonly string[];
  readonly leafRunCount: number;
  readonly costs: readonly ToldCost[];
}

const LINES = 200;
const LEAF_RUNS = 200;

/** The last one that was told, whole: its other lines are asked for while somebody scrolls. */
let last: { trace: LoadedTrace; whole: ToldCall } | null = null;

/**
 * @param request - which
 * @param turn - of the request
 */
export async function tellCall(request: TellCallRequest, turn: Turn): Promise<ToldCall> {
  const trace = openTrace(request.trace);
  if (last?.trace !== trace || last.whole.seq !== request.seq) {
    last = { trace, whole: await told(trace, request.seq, turn) };
  }
  const { from = 0, count = LINES } = request;
  return { ...last.whole, from, lines: last.whole.lines.slice(from, from + count) };
}

async function told(trace: LoadedTrace, seq: number, turn: Turn): Promise<ToldCall> {
  const { record, action } = trace.call(seq);
  const cursor = await trace.at(seq, "before", turn);
  const { device } = cursor;
  const vm = action.kind === "bind" ? device.vm(record.file, action.vm) : undefined;
  const watch =
    vm !== undefined && action.kind === "bind"
      ? new BindWatch(vm, action.ops, (gem) => cursor.nameOf(gem, record.file))
      : null;
  const before = snapshot(device.counters);
  const ret = cursor.step();
  watch?.end();
  const reason = ret === 0 ? "" : (device.file(record.file).lastError?.reason ?? "no reason kept");
  const runs = watch === null ? [] : watch.leaves();
  const steps = watch?.steps ?? [];
  const lines = action.kind === "bind" ? linesOf(trace, action, steps, reason) : [];
  const cost = costBetween(trace.lens.costSchema, before, device.counters);
  return {
    seq,
    line: record.line,
    ioctl: record.ioctl,
    text: action.text,
    result: result(ret),
    recorded: record.ret === ret ? null : result(record.ret),
    reason,
    opCount: action.kind === "bind" ? action.ops.length : 0,
    stepCount: steps.length,
    lineCount: lines.length,
    from: 0,
    lines,
    leaves: runs?.slice(0, LEAF_RUNS).map(describeRun) ?? [NOT_LOOKED_AT],
    leafRunCount: runs?.length ?? 1,
    costs: Object.entries(trace.lens.costSchema).flatMap(([name, { kind, title }]) => {
      const value = cost[name] ?? 0;
      const changed = kind === "sum" ? value !== 0 : kind === "level" && value !== (before[name] ?? 0);
      return changed ? [{ title, value }] : [];
    }),
  };
}

function linesOf(
  { lens }: LoadedTrace,
  { ops }: Extract<Action, { kind: "bind" }>,
  steps: readonly StepText[],
  reason: string,
): ToldLine[] {
  const refused = refusedOp(reason);
  const lines: ToldLine[] = [];
  let next = 0;
  for (const [op, sent] of (ops as readonly BindOp[]).entries()) {
    lines.push({ text: lens.describe(sent), op, isStep: false, isRefused: op === refused });
    for (; next < steps.length && (steps[next]?.op ?? 0) <= op; next++) {
      lines.push({ text: steps[next]?.text ?? "", op, isStep: true, isRefused: false });
    }
  }
  return lines;
}
