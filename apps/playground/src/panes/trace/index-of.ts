/**
 * A trace as the page looks things up in it: columns, and what is found in them by halving. Time is counted in operations, an ioctl
 * without any as one, so that a call of ten thousand operations is as wide as it is heavy.
 */

import { errnoName } from "@vmbind/drm";
import type { AnswerOf } from "../../engine/protocol.ts";
import { MEANINGS, type Meaning } from "../../engine/trace/meaning.ts";

/** The columns. */
export type Opened = AnswerOf<"open-trace">;
/** A VM of the trace. */
export type Vm = Opened["vms"][number];

/** See the module. */
export class TraceIndex {
  /** The columns. */
  readonly trace: Opened;
  /** Ioctls. */
  readonly calls: number;
  /** Operations. */
  readonly ops: number;
  /** Where each call begins in time; one more element at the end. */
  readonly #begins: Float64Array;

  /** @param trace - as the engine opened it */
  constructor(trace: Opened) {
    this.trace = trace;
    this.calls = trace.callRet.length;
    this.ops = trace.opAddr.length;
    const begins = new Float64Array(this.calls + 1);
    for (let i = 0; i < this.calls; i++) {
      begins[i + 1] = (begins[i] as number) + Math.max(1, this.opsOf(i).count);
    }
    this.#begins = begins;
  }

  /** Length of the whole in time. */
  get length(): number {
    return this.begin(this.calls);
  }

  /** Where a call begins in time. */
  begin(seq: number): number {
    return this.#begins[seq] ?? 0;
  }

  /** The call at a moment. */
  callAt(time: number): number {
    let low = 0;
    let high = this.calls - 1;
    while (low < high) {
      const middle = (low + high + 1) >>> 1;
      if (this.begin(middle) <= time) low = middle;
      else high = middle - 1;
    }
    return low;
  }

  /** Operations of a call: the index of the first, and how many. */
  opsOf(seq: number): { first: number; count: number } {
    const { callFirstOp } = this.trace;
    const first = callFirstOp[seq] ?? 0;
    return { first, count: (callFirstOp[seq + 1] ?? first) - first };
  }

  /** Name of a call. */
  nameOf(seq: number): string {
    return this.trace.ioctls[this.trace.callIoctl[seq] ?? 0] ?? "";
  }

  /** What an operation stands for. */
  meaningOf(op: number): Meaning {
    return MEANINGS[this.trace.opMeaning[op] ?? 4] ?? "none";
  }

  /** The VM that a bind names, if the trace has it. */
  vmOf(seq: number): Vm | null {
    const { callIsBind, callFile, callVm, vms } = this.trace;
    if (callIsBind[seq] !== 1) return null;
    return vms.find(({ file, vm }) => file === callFile[seq] && vm === callVm[seq]) ?? null;
  }

  /** The VM with the most operations; null for a trace without. */
  get mainVm(): Vm | null {
    const { vms } = this.trace;
    return vms.reduce<Vm | null>((most, vm) => (most === null || vm.ops > most.ops ? vm : most), null);
  }

  /** The call to begin with: the first cause of a refusal, else that with the most mappings behind it. */
  get telling(): number {
    const { failures, differences, callMappings } = this.trace;
    const wrong =
      differences[0]?.seq ?? failures.find(({ isRecorded }) => !isRecorded)?.seq ?? failures[0]?.seq;
    if (wrong !== undefined) return wrong;
    return callMappings.reduce((most, n, i) => (n > (callMappings[most] ?? 0) ? i : most), 0);
  }

  /**
   * Search.
   *
   * @param text - `0x4000_0000` (what covers an address), `BO 6`, `EINVAL` or `-22`, `#12`, or a part of an ioctl's or operation's name
   * @returns seqs, ascending
   */
  find(text: string): number[] {
    const wanted = text.trim();
    if (wanted === "") return [];
    const { callRet, callHandle, callIsBind, opAddr, opRange, opHandle, headings, opHeading } = this.trace;
    const address = addressIn(wanted);
    if (address !== null) {
      return this.#whereOp((op) => {
        const at = opAddr[op] as number;
        return at <= address && address < at + (opRange[op] as number);
      });
    }
    const handle = /^(?:bo|handle)\s*(\d+)$/i.exec(wanted)?.[1];
    if (handle !== undefined) {
      const number = Number(handle);
      const byOp = new Set(this.#whereOp((op) => opHandle[op] === number));
      return this.#where((seq) => byOp.has(seq) || (callHandle[seq] === number && callIsBind[seq] === 0));
    }
    const seq = /^#(\d+)$/.exec(wanted)?.[1];
    if (seq !== undefined) return this.#where((other) => other === Number(seq));
    const errno = /^-\d+$/.test(wanted) ? Number(wanted) : null;
    if (errno !== null) return this.#where((other) => callRet[other] === errno);
    if (/^E[A-Z0-9]+$/.test(wanted)) {
      return this.#where((other) => callRet[other] !== 0 && errnoName(callRet[other] as number) === wanted);
    }
    const lower = wanted.toLowerCase();
    const names = this.trace.ioctls.map((name) => name.toLowerCase().includes(lower));
    const heads = headings.map((name) => name.toLowerCase().includes(lower));
    const byOp = new Set(
      heads.includes(true) ? this.#whereOp((op) => heads[opHeading[op] as number] === true) : [],
    );
    return this.#where((other) => names[this.trace.callIoctl[other] as number] === true || byOp.has(other));
  }

  #where(holds: (seq: number) => boolean): number[] {
    const found: number[] = [];
    for (let seq = 0; seq < this.calls; seq++) if (holds(seq)) found.push(seq);
    return found;
  }

  /** Calls with an operation for which something holds. */
  #whereOp(holds: (op: number) => boolean): number[] {
    return this.#where((seq) => {
      const { first, count } = this.opsOf(seq);
      for (let op = first; op < first + count; op++) if (holds(op)) return true;
      return false;
    });
  }
}

/** @returns the address that a text says, in hex with 0x, underscores allowed; null for anything else */
export function addressIn(text: string): number | null {
  const digits = /^0x([0-9a-f_]+)$/i.exec(text.trim())?.[1]?.replaceAll("_", "");
  if (digits === undefined || digits === "") return null;
  return Number.parseInt(digits, 16);
}
