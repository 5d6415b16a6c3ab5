/**
 * The history of an address: every operation of the trace that mapped, cut or unmapped what lies there, and every one that was to and
 * was refused. It is told by the plain account of `@vmbind/trace` (`World`), to which only those operations are shown that can matter: those
 * that meet what lies at the address just then.
 */

import { type Action, type BindOp, eventOf, type Piece, refName, World } from "@vmbind/trace";
import type { Turn } from "../turn.ts";
import { openTrace } from "./library.ts";
import type { LoadedTrace } from "./loaded-trace.ts";

/** Which address. */
export interface HistoryRequest {
  readonly trace: string;
  readonly file: number;
  readonly vm: number;
  /** Virtual address in bytes. */
  readonly va: number;
}

/** What happened to an address. */
interface HistoryEvent {
  readonly seq: number;
  /** Index of the operation; -1 where the ioctl has none. */
  readonly op: number;
  readonly ioctl: string;
  readonly what: "mapped" | "cut" | "unmapped" | "sparse" | "refused" | "gone";
  /** The operation in words. */
  readonly text: string;
  /** What it did, in words: `in place of BO 6 of #14 op 3`. */
  readonly did: string;
  /** What covers the address then: first VA, bytes; 0 bytes for nothing. */
  readonly addr: number;
  readonly range: number;
  /** What is mapped there then. */
  readonly object: string;
}

/** See the module. */
export interface AddressHistory {
  readonly va: number;
  readonly events: readonly HistoryEvent[];
  /** How many there are; more than are told. */
  readonly count: number;
}

const EVENTS_MAX = 1000;
const PAUSE_CALLS = 5000;

/**
 * @param request - which address
 * @param turn - of the request
 */
export async function tellHistory(request: HistoryRequest, turn: Turn): Promise<AddressHistory> {
  const { file, vm, va } = request;
  const trace = openTrace(request.trace);
  const scribe = new Scribe(trace, request);
  for (const [i, record] of trace.records.entries()) {
    if (i % PAUSE_CALLS === PAUSE_CALLS - 1) await turn.pause();
    if (record.kind === "mark") {
      const event = eventOf(record.mark);
      if (event?.kind === "close" && event.file === file) scribe.closed();
      continue;
    }
    const action = trace.actions[i];
    if (!action || record.file !== file) continue;
    if ((action.kind === "bind" || action.kind === "vm-destroy") && action.vm !== vm) continue;
    scribe.call(record.seq, record.line, record.ioctl, action, trace.rets[record.seq] ?? 0);
  }
  return { va, events: scribe.events, count: scribe.count };
}

class Scribe {
  readonly events: HistoryEvent[] = [];
  count = 0;
  readonly #trace: LoadedTrace;
  readonly #world: World;
  readonly #at: HistoryRequest;
  readonly #names = new Map<number, string>();
  /** Which operation of its call mapped a piece: the world is shown one at a time. */
  readonly #opOf = new Map<Piece["by"], number>();
  #seq = 0;

  constructor(trace: LoadedTrace, at: HistoryRequest) {
    this.#trace = trace;
    this.#world = new World(trace.lens);
    this.#at = at;
  }

  call(seq: number, line: number, ioctl: string, action: Action, ret: number): void {
    const { file, va } = this.#at;
    const ref = { seq, line, file, ioctl };
    this.#seq = seq;
    if (action.kind !== "bind") {
      const was = this.#piece();
      const { made } = this.#world.take(ref, action, ret === 0);
      if (made !== null) this.#names.set(made.number, `BO ${made.handle}`);
      const now = this.#piece();
      if (was !== null && now === null) {
        this.#add({ op: -1, ioctl, what: "gone", text: action.text, did: this.#of(was) }, null);
      }
      return;
    }
    for (const [op, sent] of action.ops.entries()) {
      if (!this.#matters(sent)) continue;
      const covers = sent.addr <= va && va < sent.addr + sent.range;
      const text = this.#trace.lens.describe(sent);
      if (ret !== 0) {
        if (covers) this.#add({ op, ioctl, what: "refused", text, did: "" }, this.#piece());
        continue;
      }
      const was = this.#piece();
      const { vm, text: call, more = false } = action;
      this.#world.take(ref, { kind: "bind", vm, text: call, more, ops: [sent] }, true);
      const now = this.#piece();
      const what = whatOf(was, now, covers, sent);
      if (what === null) continue;
      const did = was === null ? "" : what === "cut" ? `of ${this.#of(was)}` : `in place of ${this.#of(was)}`;
      this.#add({ op, ioctl, what, text, did: what === "unmapped" ? this.#of(was) : did }, now);
      if ((what === "mapped" || what === "sparse") && now !== null && now.by !== was?.by)
        this.#opOf.set(now.by, op);
    }
  }

  /** The file is closed, and its VMs with it. */
  closed(): void {
    const was = this.#piece();
    this.#world.closeFile(this.#at.file);
    if (was === null) return;
    this.#add({ op: -1, ioctl: "close", what: "gone", text: "the file is closed", did: this.#of(was) }, null);
  }

  #matters({ effect, addr, range }: BindOp): boolean {
    if (effect === "unmap-object") return true;
    // What lies there now, or the address alone: all else leaves it as it is.
    const { va } = this.#at;
    const { addr: from, end: to } = this.#piece() ?? { addr: va, end: va + 1 };
    return addr < to && from < addr + range;
  }

  #piece(): Piece | null {
    const { file, vm, va } = this.#at;
    return this.#world.vm(file, vm)?.pieces.in(va, va + 1)[0] ?? null;
  }

  #of(piece: Piece | null): string {
    if (piece === null) return "";
    const op = this.#opOf.get(piece.by);
    const at = op === undefined || op === 0 ? refName(piece.by) : `#${piece.by.seq} op ${op}`;
    return `${this.#object(piece)}, mapped by ${at}`;
  }

  #object(piece: Piece): string {
    return this.#names.get(piece.object) ?? (piece.is === "unbound" ? "nothing bound" : "no object");
  }

  #add(event: Pick<HistoryEvent, "op" | "ioctl" | "what" | "text" | "did">, now: Piece | null): void {
    this.count++;
    if (this.events.length >= EVENTS_MAX) return;
    this.events.push({
      seq: this.#seq,
      ...event,
      addr: now?.addr ?? 0,
      range: now === null ? 0 : now.end - now.addr,
      object: now === null ? "" : this.#object(now),
    });
  }
}

function whatOf(
  was: Piece | null,
  now: Piece | null,
  covers: boolean,
  { sparse }: BindOp,
): HistoryEvent["what"] | null {
  if (covers && now !== null && now.by !== was?.by) return now.is === "unbound" ? "sparse" : "mapped";
  if (was !== null && now === null) return "unmapped";
  if (was !== null && now !== null && (was.addr !== now.addr || was.end !== now.end)) return "cut";
  return covers && sparse?.says === "unbound" ? "sparse" : null;
}
