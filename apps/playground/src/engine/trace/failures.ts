/**
 * Which refusals are causes, and which only follow from an earlier one. Three rules, the first that holds counts:
 *
 * - the call names a VM or an object that an earlier call was to make and did not
 * - a bind touches addresses that a refused bind was to map
 * - the same ioctl is refused for the same reason again, numbers aside
 */

import type { Action } from "@vmbind/trace";

/** One refusal. */
export interface Failure {
  /** seq of the ioctl. */
  readonly seq: number;
  /** What the model returned. */
  readonly ret: number;
  /** Name of the ioctl. */
  readonly ioctl: string;
  /** Why. */
  readonly reason: string;
  /** Whether the recording says the same. */
  readonly isRecorded: boolean;
  /** seq of the refusal that it follows from; null for a cause. */
  readonly cause: number | null;
  /** Why it follows; empty for a cause. */
  readonly because: string;
}

/** More refusals than this are counted, not told. */
const KEPT_MAX = 2000;
/** A refused call of many thousand operations is remembered by its first ranges. */
const RANGES_MAX = 256;

interface Missed {
  readonly seq: number;
  readonly file: number;
  readonly vm: number;
  readonly addr: number;
  readonly end: number;
}

/** Takes the refusals of a trace in order. */
export class FailureList {
  /** All of them. */
  count = 0;
  /** The first ones. */
  readonly failures: Failure[] = [];
  /** What was never made, by `vm FILE ID` and `bo FILE HANDLE`: seq of the refusal. */
  readonly #unmade = new Map<string, number>();
  readonly #missed: Missed[] = [];
  readonly #said = new Map<string, number>();

  /** A call succeeded: what it made is there. */
  succeeded(file: number, action: Action): void {
    if (this.count === 0) return;
    if (action.kind === "vm-create") this.#unmade.delete(`vm ${file} ${action.vm}`);
    if (action.kind === "bo-create") this.#unmade.delete(`bo ${file} ${action.handle}`);
  }

  /** A call was refused. */
  refused(call: {
    readonly seq: number;
    readonly file: number;
    readonly ioctl: string;
    readonly action: Action;
    readonly ret: number;
    readonly recorded: number;
    readonly reason: string;
  }): void {
    const { seq, file, ioctl, action, ret, recorded, reason } = call;
    this.count++;
    const pattern = `${file} ${ioctl} ${ret} ${reason.replace(/0x[0-9a-f]+|\d+/g, "#")}`;
    const follows = this.#follows(file, action) ?? this.#again(pattern, ioctl);
    const cause = follows?.cause ?? null;
    if (cause === null) this.#said.set(pattern, seq);
    this.#remember(cause ?? seq, file, action);
    if (this.failures.length >= KEPT_MAX) return;
    const because = follows?.because ?? "";
    this.failures.push({ seq, ret, ioctl, reason, isRecorded: ret === recorded, cause, because });
  }

  #follows(file: number, action: Action): { cause: number; because: string } | null {
    if (action.kind === "bo-close") {
      const cause = this.#unmade.get(`bo ${file} ${action.handle}`);
      return cause === undefined ? null : { cause, because: `BO ${action.handle} was not made` };
    }
    if (action.kind !== "bind" && action.kind !== "vm-destroy") return null;
    const vm = this.#unmade.get(`vm ${file} ${action.vm}`);
    if (vm !== undefined) return { cause: vm, because: `VM ${action.vm} was not made` };
    if (action.kind !== "bind") return null;
    for (const { handle } of action.ops) {
      const cause = this.#unmade.get(`bo ${file} ${handle}`);
      if (handle !== 0 && cause !== undefined) return { cause, because: `BO ${handle} was not made` };
    }
    for (const missed of this.#missed) {
      if (missed.file !== file || missed.vm !== action.vm) continue;
      if (action.ops.some(({ addr, range }) => addr < missed.end && missed.addr < addr + range)) {
        return { cause: missed.seq, because: `it touches what #${missed.seq} was to change` };
      }
    }
    return null;
  }

  #again(pattern: string, ioctl: string): { cause: number; because: string } | null {
    const cause = this.#said.get(pattern);
    return cause === undefined ? null : { cause, because: `${ioctl} is refused in the same way again` };
  }

  #remember(cause: number, file: number, action: Action): void {
    if (action.kind === "vm-create") this.#unmade.set(`vm ${file} ${action.vm}`, cause);
    // A recording that says how a call failed has no handle in it.
    if (action.kind === "bo-create" && action.handle !== 0) {
      this.#unmade.set(`bo ${file} ${action.handle}`, cause);
    }
    if (action.kind !== "bind") return;
    for (const { effect, addr, range } of action.ops) {
      if (this.#missed.length >= RANGES_MAX) return;
      if (effect === "map") {
        this.#missed.push({ seq: cause, file, vm: action.vm, addr, end: addr + range });
      }
    }
  }
}
