/**
 * Which ioctls of a trace are told, as `--seq`, `--failed`, `--va`, `--bo`, `--phase` and `--kind` say it. All of them have to agree.
 *
 * @module
 */

import { type Action, type BindOp, PHASES, type Phase, type TraceIoctl } from "@vmbind/trace";
import type { CommandInput } from "../command.ts";
import { UsageError } from "../errors.ts";
import { bytesOf } from "../text/amounts.ts";
import { noSuchName } from "../text/nearest.ts";

/** Two numbers, the second one not below the first. */
interface Span {
  readonly first: number;
  readonly last: number;
}

type Given = CommandInput["options"][string];

/** Chooses ioctls, and operations of them. */
export class Filter {
  /** Whether everything is told. */
  readonly isOpen: boolean;
  readonly #seq: Span | null;
  readonly #failed: boolean;
  readonly #va: Span | null;
  readonly #bo: number | null;
  readonly #phase: string | null;
  readonly #kind: string | null;

  /**
   * @param options - as they were given
   * @throws UsageError for a value that nobody understands
   */
  constructor(options: CommandInput["options"]) {
    this.#seq = seqOf(options["seq"]);
    this.#failed = options["failed"] === true;
    this.#va = vaOf(options["va"]);
    this.#bo = boOf(options["bo"]);
    this.#phase = phaseOf(options["phase"]);
    this.#kind = typeof options["kind"] === "string" ? plain(options["kind"]) : null;
    this.isOpen = !this.chooses && this.#seq === null;
  }

  /** Whether more than numbers of ioctls choose. */
  get chooses(): boolean {
    return this.#failed || this.#phase !== null || this.#choosesOps;
  }

  get #choosesOps(): boolean {
    return this.#va !== null || this.#bo !== null || this.#kind !== null;
  }

  /**
   * Whether an ioctl may be told, as far as it can be known before it runs.
   *
   * @param record - the ioctl
   * @param action - what it means
   * @param phase - what the client is doing
   */
  mayTake({ seq, ioctl }: TraceIoctl, action: Action, phase: Phase): boolean {
    if (!this.#hasSeq(seq)) return false;
    if (this.#phase !== null && phase !== this.#phase) return false;
    if (!this.#choosesOps) return true;
    if (action.kind === "bind") {
      const named = this.#kind !== null && (plain(ioctl).includes(this.#kind) || this.#kind === "bind");
      return action.ops.some((op) => this.#hasOp(op, named));
    }
    return this.#hasOther(ioctl, action);
  }

  /**
   * @param ret - what the ioctl returned
   * @returns whether it may be told, now that this is known
   */
  takes(ret: number): boolean {
    return !this.#failed || ret !== 0;
  }

  /**
   * @param seq - number of the ioctl that a mark stands before
   * @returns whether the mark is told: only where nothing but numbers choose
   */
  takesMark(seq: number): boolean {
    return !this.chooses && this.#hasSeq(seq);
  }

  /**
   * @param op - an operation of an ioctl that is told
   * @returns whether it is one of those that were asked for
   */
  picks(op: BindOp): boolean {
    return this.#choosesOps && this.#hasOp(op, false);
  }

  #hasSeq(seq: number): boolean {
    return this.#seq === null || (seq >= this.#seq.first && seq <= this.#seq.last);
  }

  #hasOp({ addr, range, handle, heading }: BindOp, named: boolean): boolean {
    if (this.#va !== null && !(addr <= this.#va.last && this.#va.first < addr + range)) return false;
    if (this.#bo !== null && handle !== this.#bo) return false;
    return this.#kind === null || named || plain(heading).startsWith(this.#kind);
  }

  #hasOther(ioctl: string, action: Action): boolean {
    if (this.#va !== null) return false;
    const handle = action.kind === "bo-create" || action.kind === "bo-close" ? action.handle : null;
    if (this.#bo !== null && handle !== this.#bo) return false;
    return this.#kind === null || plain(action.kind) === this.#kind || plain(ioctl).includes(this.#kind);
  }
}

function seqOf(value: Given): Span | null {
  if (value === undefined) return null;
  const match = /^(\d+)(?:-(\d+))?$/.exec(String(value));
  const first = Number(match?.[1]);
  const last = Number(match?.[2] ?? match?.[1]);
  if (match && first <= last) return { first, last };
  throw new UsageError(`--seq: expected N or N-M, got ${JSON.stringify(value)}`);
}

/** An address; two with a dash between them, the second behind the last byte; or one, a plus and a size. */
function vaOf(value: Given): Span | null {
  if (value === undefined) return null;
  const [, from = "", sign, to = ""] = /^(0x[0-9a-f]+)(?:([-+])(\w+))?$/i.exec(String(value)) ?? [];
  const first = Number(from);
  const end = sign === undefined ? first + 1 : sign === "+" ? first + bytesOf(to) : Number(to);
  if (from !== "" && end > first) return { first, last: end - 1 };
  throw new UsageError(
    `--va: expected 0xA, 0xA-0xB (B behind the last byte) or 0xA+64KiB, got ${JSON.stringify(value)}`,
  );
}

function boOf(value: Given): number | null {
  if (value === undefined) return null;
  if (/^\d{1,10}$/.test(String(value))) return Number(value);
  throw new UsageError(`--bo: expected a handle, got ${JSON.stringify(value)}`);
}

function phaseOf(value: Given): string | null {
  if (value === undefined) return null;
  if (PHASES.some((phase) => phase === value)) return String(value);
  throw new UsageError(`--phase: ${noSuchName("phase", String(value), PHASES)}`);
}

/** `MAP SPARSE`, `map-sparse` and `MAP_SPARSE` are the same. */
function plain(text: string): string {
  return text.toLowerCase().replace(/[ _]/g, "-");
}
