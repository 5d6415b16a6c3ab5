/**
 * Looking on while a call is issued: what its operations say, which split and merge steps they cause, which leaves change.
 *
 * @module
 */

import { errnoName, type GemObject, type IoctlCall, issue } from "@vmbind/drm";
import {
  type Action,
  BindWatch,
  describeRun,
  LeafBudget,
  type Lens,
  STORY_BUDGETS,
  type StepText,
  TraceDecoder,
  type TraceHeader,
  type TraceIoctl,
} from "@vmbind/trace";
import { arraysOfCall } from "../strategy/calls.ts";
import type { SparseSession } from "../strategy/strategy.ts";
import type { CallAnswer } from "./answer.ts";

/** Lines and runs of leaves that are kept of a call. */
const LINES_MAX = 48;
/** Leaves that one call's changes are looked for in. */
const LEAVES: ReadonlyMap<string, number> = new Map([[STORY_BUDGETS.leaves.name, 2 ** 16]]);

/** Issues the calls of one session. */
export class CallWatch {
  readonly #session: SparseSession;
  readonly #lens: Lens;
  readonly #nameOf: (gem: GemObject | null) => string;
  /** Reads calls before they are issued: their answers are not there yet. */
  readonly #ahead: TraceDecoder;
  readonly #decoder: TraceDecoder;
  #seq = 0;

  /**
   * @param session - a session
   * @param lens - of its driver
   * @param nameOf - names an object
   */
  constructor(session: SparseSession, lens: Lens, nameOf: (gem: GemObject | null) => string) {
    this.#session = session;
    this.#lens = lens;
    this.#nameOf = nameOf;
    const header = { ...session.facts, driver: lens.name } as unknown as TraceHeader;
    this.#ahead = new TraceDecoder(lens, header);
    this.#decoder = new TraceDecoder(lens, header);
  }

  /**
   * @param call - a call, not issued yet
   * @returns what it means, as far as that can be told before
   */
  read(call: IoctlCall): Action {
    return this.#ahead.decode(this.#record(call, call.arg, 0));
  }

  /**
   * Issue a call.
   *
   * @param call - the call
   * @param action - what {@link CallWatch.read} made of it
   * @returns what came of it
   */
  issue(call: IoctlCall, action: Action): CallAnswer {
    const { vm, file } = this.#session;
    const sent = call.arg.slice();
    const ops = action.kind === "bind" ? action.ops : [];
    const watch = new BindWatch(vm, ops, this.#nameOf, new LeafBudget(LEAVES));
    let ret: number;
    try {
      ret = issue(file, call);
    } finally {
      watch.end();
    }
    const said = this.#decoder.decode(this.#record(call, sent, ret));
    const lines = said.kind === "bind" ? this.#words(said.ops, watch.steps) : [];
    return {
      ioctl: call.name,
      text: said.text,
      ...this.#refusal(ret),
      lines,
      leaves: watch.leaves()?.slice(0, LINES_MAX).map(describeRun) ?? [],
    };
  }

  /**
   * Issue a call without looking on; the decoder has to see it all the same.
   *
   * @param call - the call
   * @returns null when all went well
   */
  issueBlindly(call: IoctlCall): CallAnswer | null {
    const sent = call.arg.slice();
    const ret = issue(this.#session.file, call);
    const { text } = this.#decoder.decode(this.#record(call, sent, ret));
    return ret === 0 ? null : { ioctl: call.name, text, ...this.#refusal(ret), lines: [], leaves: [] };
  }

  #refusal(ret: number): Pick<CallAnswer, "errno" | "reason"> {
    if (ret === 0) return { errno: null, reason: "" };
    return { errno: errnoName(ret), reason: this.#session.file.lastError?.reason ?? "no reason kept" };
  }

  #words(ops: (Action & { kind: "bind" })["ops"], steps: readonly StepText[]): string[] {
    const lines: string[] = [];
    let next = 0;
    for (const [i, op] of ops.entries()) {
      if (lines.length >= LINES_MAX) break;
      lines.push(this.#lens.describe(op));
      for (; next < steps.length && (steps[next]?.op ?? 0) <= i; next++) lines.push(`  ${steps[next]?.text}`);
    }
    return lines.slice(0, LINES_MAX);
  }

  #record(call: IoctlCall, argIn: Uint8Array, ret: number): TraceIoctl {
    const { name: ioctl, request, arg: argOut } = call;
    const arrays = arraysOfCall(this.#session.ioctls, { ...call, arg: argIn });
    return { kind: "ioctl", line: 0, seq: this.#seq++, ioctl, file: 0, request, argIn, argOut, arrays, ret };
  }
}
