/** What is mapped in a VM behind an ioctl, as columns: the page draws it at every zoom without asking again. */

import type { Turn } from "../turn.ts";
import { openTrace } from "./library.ts";
import { MEANINGS, StandIns } from "./meaning.ts";

/** Where and when. */
export interface MomentRequest {
  readonly trace: string;
  /** The ioctl behind which to look. */
  readonly seq: number;
  /** Open file. */
  readonly file: number;
  /** VM id. */
  readonly vm: number;
}

/** Mappings, ascending. */
export interface MappingColumns {
  readonly seq: number;
  /** Whether there is such a VM then. */
  readonly isThere: boolean;
  /** Kinds as the model calls them; mappings have their number. */
  readonly kinds: readonly string[];
  readonly addr: Float64Array<ArrayBuffer>;
  readonly range: Float64Array<ArrayBuffer>;
  readonly kind: Uint8Array<ArrayBuffer>;
  /** Index in MEANINGS. */
  readonly meaning: Uint8Array<ArrayBuffer>;
  readonly handle: Uint32Array<ArrayBuffer>;
  readonly offset: Float64Array<ArrayBuffer>;
}

/**
 * @param request - where and when
 * @param turn - of the request
 */
export async function listMappings(request: MomentRequest, turn: Turn): Promise<MappingColumns> {
  const { seq, file, vm: id } = request;
  const trace = openTrace(request.trace);
  const { device } = await trace.at(seq, "behind", turn);
  const vm = device.vm(file, id);
  const rows = vm === undefined ? [] : [...vm.mappings()].sort((a, b) => a.addr - b.addr);
  const standIns = new StandIns();
  for (const [i, record] of trace.records.entries()) {
    const action = trace.actions[i];
    if (record.kind === "ioctl" && record.seq > seq) break;
    if (record.kind === "ioctl" && action && trace.rets[record.seq] === 0) standIns.see(record.file, action);
  }
  const kinds = new Map<string, number>();
  const columns: MappingColumns = {
    seq,
    isThere: vm !== undefined,
    kinds: [],
    addr: new Float64Array(rows.length),
    range: new Float64Array(rows.length),
    kind: new Uint8Array(rows.length),
    meaning: new Uint8Array(rows.length),
    handle: new Uint32Array(rows.length),
    offset: new Float64Array(rows.length),
  };
  for (const [i, { addr, range, kind, bo, offset }] of rows.entries()) {
    if (!kinds.has(kind)) kinds.set(kind, kinds.size);
    columns.addr[i] = addr;
    columns.range[i] = range;
    columns.kind[i] = kinds.get(kind) ?? 0;
    columns.meaning[i] = MEANINGS.indexOf(standIns.meaningOf(file, kind, bo));
    columns.handle[i] = bo;
    columns.offset[i] = offset;
  }
  return { ...columns, kinds: [...kinds.keys()] };
}
