/**
 * Traces that no driver ever sent: a recorded panvk trace with each SPARSE operation replaced by what another strategy
 * would have sent in its place.
 *
 * Everything else stays as recorded: the same objects, the same addresses, the same order, at most 16 operations in an
 * ioctl, the fence on the last operation of a queue bind. The strategy's dummy object is made with the first sparse
 * resource, as panvk makes its blackhole, so later handles move up by one.
 *
 * @module
 */

import { DRM_IOCTL_GEM_CLOSE, HandleTable, type StructLayout, viewOf, writeU64 } from "@vmbind/drm";
import {
  BO_CREATE,
  BO_NO_MMAP,
  GEM_CLOSE,
  IOCTL_BO_CREATE,
  IOCTL_VM_BIND,
  IOCTL_VM_DESTROY,
  MAP_REPEAT,
  MAP_SPARSE,
  OP_TYPE_MASK,
  VM_BIND,
  VM_BIND_ASYNC,
  VM_BIND_OP,
  VM_BIND_OP_REPEAT,
  type VmBindOp,
  type VmBindOpRepeat,
} from "@vmbind/panthor";
import {
  callOf,
  elementsAt,
  type Trace,
  type TraceArray,
  type TraceHeader,
  type TraceIoctl,
  type TraceRecord,
  type TraceRun,
} from "@vmbind/trace";

/** A part of a sparse range, said by operations that are alike but for their address. */
interface Stretch {
  /** The operation; address, size and syncs are filled in. */
  operation: Partial<VmBindOpRepeat>;
  /** Bytes of VA. */
  bytes: number;
  /** Bytes of VA of each operation; divides `bytes`. */
  pieceBytes: number;
}

/** How a sparse range is said in another strategy. */
export interface Lowering {
  /** Bytes of the dummy object. */
  dummyBytes: number;
  /** Layout of an operation. */
  layout: StructLayout<VmBindOp> | StructLayout<VmBindOpRepeat>;
  /** What the header says beside the recorded facts. */
  header: Record<string, unknown>;
  /**
   * What is sent in place of a sparse operation.
   *
   * @param sparse - the recorded operation, without its SPARSE flag, on the dummy object
   * @returns parts that follow one another and are the whole range
   */
  stretches(sparse: VmBindOp): readonly Stretch[];
}

const PAGE = 0x1000;
const BLOCK_2M = 0x200000;
/** What panvk puts into one ioctl. */
const OPS_PER_IOCTL = 16;
const OPS_ADDR = 0x700000000000;
/** Ioctls whose operations share an array, and most of a run. */
const IOCTLS_PER_ARRAY = 64;
const NO_SYNCS = { stride: 0, count: 0, array: 0 };

/** One MAP of a dummy page for each page. */
export const PER_PAGE: Lowering = {
  dummyBytes: PAGE,
  layout: VM_BIND_OP,
  header: { driver_version: "1.8", dummy_bytes: PAGE },
  stretches: (sparse) => [{ operation: sparse, bytes: sparse.size, pieceBytes: PAGE }],
};

/**
 * One MAP_REPEAT, as posted. The window must divide the range, so it is the largest power of two up to 2 MiB that does: 4 KiB
 * for 100e6 bytes, 2 MiB for a GiB.
 */
export const REPEAT: Lowering = {
  dummyBytes: BLOCK_2M,
  layout: VM_BIND_OP_REPEAT,
  header: { driver_version: "1.8", repeat_proposal: true },
  stretches(sparse) {
    let window = PAGE;
    while (window < BLOCK_2M && sparse.size % (2 * window) === 0) window *= 2;
    return [repeated(sparse, sparse.size, window)];
  },
};

/** MAP_REPEAT with care: whole windows of 2 MiB, and a MAP for what sticks out at either end. */
export const REPEAT_WINDOWS: Lowering = {
  ...REPEAT,
  stretches(sparse) {
    const phase = sparse.va % BLOCK_2M;
    const front = Math.min(sparse.size, (BLOCK_2M - phase) % BLOCK_2M);
    const behind = (sparse.size - front) % BLOCK_2M;
    const whole = sparse.size - front - behind;
    return [
      once({ ...sparse, boOffset: phase }, front),
      repeated(sparse, whole, BLOCK_2M),
      once(sparse, behind),
    ].filter(({ bytes }) => bytes > 0);
  },
};

function once(operation: VmBindOp, bytes: number): Stretch {
  return { operation, bytes, pieceBytes: bytes };
}

function repeated(sparse: VmBindOp, bytes: number, window: number): Stretch {
  const flags = (sparse.flags | MAP_REPEAT) >>> 0;
  return { operation: { ...sparse, flags, boRepeatRange: window }, bytes, pieceBytes: bytes };
}

/**
 * Derive a trace.
 *
 * @param trace - recorded from panvk with SPARSE; its records are consumed
 * @param lowering - what replaces SPARSE
 * @param name - of the new trace
 */
export function derive(trace: Trace, lowering: Lowering, name: string): Trace {
  const header: TraceHeader = {
    ...trace.header,
    ...lowering.header,
    umd: `${trace.header.umd}, SPARSE replaced`,
  };
  const runs = (): AsyncIterable<TraceRecord | TraceRun> => new Derivation(lowering).records(trace.records);
  return {
    name,
    path: trace.path,
    header,
    records: { [Symbol.asyncIterator]: () => oneByOne(runs()) },
    runs: { [Symbol.asyncIterator]: () => runs()[Symbol.asyncIterator]() },
  };
}

/** Each ioctl by itself, in memory that nobody writes to any more. */
async function* oneByOne(records: AsyncIterable<TraceRecord | TraceRun>): AsyncGenerator<TraceRecord> {
  for await (const record of records) {
    if (record.kind !== "run") yield record;
    else {
      const run = { ...record, bytes: record.bytes.slice() };
      for (let i = 0; i < run.calls; i++) yield callOf(run, i);
    }
  }
}

class Derivation {
  readonly #lowering: Lowering;
  /** New handles; the values are the recorded ones, 0 for the dummy. */
  readonly #handles = new HandleTable<number>();
  readonly #newHandle = new Map<number, number>([[0, 0]]);
  #dummy = 0;
  #seq = 0;
  #line = 0;
  #vm = 0;
  #async = false;
  /** Operations of many ioctls, one behind the other: an array of its own for each would cost more than what is in it. */
  #data = new Uint8Array(0);
  #view = viewOf(this.#data);
  /** Where in it those of the ioctl that is being filled begin. */
  #start = 0;
  /** How many there are. */
  #count = 0;
  /** The argument of the last full ioctl; mostly the next one's is the same. */
  #full: { vm: number; async: boolean; arg: Uint8Array } | null = null;
  /** Their sync arrays. */
  #syncs: TraceArray[] = [];
  /** The operations of a run, and the pieces of which it is full. */
  readonly #runBytes: Uint8Array;
  readonly #runView: DataView;
  #filledWith: Uint8Array | null = null;

  constructor(lowering: Lowering) {
    this.#lowering = lowering;
    this.#runBytes = new Uint8Array(IOCTLS_PER_ARRAY * OPS_PER_IOCTL * lowering.layout.size);
    this.#runView = viewOf(this.#runBytes);
    this.#makeRoom();
  }

  /** What is sent for each record. */
  async *records(recorded: AsyncIterable<TraceRecord>): AsyncGenerator<TraceRecord | TraceRun> {
    for await (const record of recorded) {
      this.#line = record.line;
      const binds = record.kind === "ioctl" && record.request === IOCTL_VM_BIND;
      yield* binds ? this.#bind(record) : this.#other(record);
    }
    if (this.#count > 0) yield this.#call();
  }

  *#other(record: TraceRecord): Generator<TraceRecord> {
    if (this.#count > 0) yield this.#call();
    if (record.kind === "mark") yield record;
    else if (record.request === IOCTL_BO_CREATE) yield this.#create(record);
    else if (record.request === DRM_IOCTL_GEM_CLOSE) yield this.#close(record);
    else yield this.#numbered(record);
    // panvk closes its blackhole last.
    if (record.kind === "ioctl" && record.request === IOCTL_VM_DESTROY && this.#dummy !== 0) {
      yield this.#ioctl("GEM_CLOSE", DRM_IOCTL_GEM_CLOSE, GEM_CLOSE.encode({ handle: this.#dummy }));
    }
  }

  *#bind(call: TraceIoctl): Generator<TraceRecord | TraceRun> {
    const { vmId, flags, ops } = VM_BIND.read(viewOf(call.argIn));
    const async = (flags & VM_BIND_ASYNC) !== 0;
    // Synchronous calls stay apart; asynchronous ones are one stream until the fence.
    if ((!async || !this.#async || vmId !== this.#vm) && this.#count > 0) yield this.#call();
    this.#vm = vmId;
    this.#async = async;
    for (const [i, op] of elementsAt(call.arrays, { ...ops, addr: ops.array }, VM_BIND_OP).entries()) {
      const syncs = call.arrays.find(({ field }) => field === `ops[${i}].syncs`) ?? null;
      if ((op.flags & OP_TYPE_MASK) === 0 && op.flags & MAP_SPARSE) {
        if (this.#dummy === 0) yield this.#createDummy(vmId);
        yield* this.#lower(op, syncs);
      } else {
        const boHandle = this.#newHandle.get(op.boHandle) ?? op.boHandle;
        this.#lowering.layout.write(this.#view, this.#at(), { ...op, boHandle });
        if (this.#added(syncs)) yield this.#call();
      }
    }
    if (!async && this.#count > 0) yield this.#call();
  }

  *#lower(op: VmBindOp, syncs: TraceArray | null): Generator<TraceRecord | TraceRun> {
    const { layout } = this.#lowering;
    const { size, fields } = layout;
    const plain = { ...op, flags: (op.flags & ~MAP_SPARSE) >>> 0, boHandle: this.#dummy };
    const end = op.va + op.size;
    let va = op.va;
    for (const { operation, bytes, pieceBytes } of this.#lowering.stretches(plain)) {
      // There are millions of pieces: copy the bytes of as many as one ioctl takes, and write only what differs.
      const pieces = new Uint8Array(Math.min(bytes / pieceBytes, OPS_PER_IOCTL) * size);
      const piece = layout.encode({ ...operation, size: pieceBytes, syncs: NO_SYNCS });
      for (let at = 0; at < pieces.length; at += size) pieces.set(piece, at);
      const until = va + bytes;
      while (va < until) {
        // The last piece of all is by itself, for its syncs.
        const alike = (until - va) / pieceBytes - (until === end ? 1 : 0);
        const calls = this.#count > 0 ? 0 : Math.min(Math.floor(alike / OPS_PER_IOCTL), IOCTLS_PER_ARRAY);
        if (calls > 0) {
          yield this.#run(pieces, calls, va, pieceBytes);
          va += calls * OPS_PER_IOCTL * pieceBytes;
          continue;
        }
        const n = Math.min((until - va) / pieceBytes, OPS_PER_IOCTL - this.#count);
        const at = this.#at();
        this.#data.set(n * size === pieces.length ? pieces : pieces.subarray(0, n * size), at);
        writeAddresses(this.#view, at + fields.va.offset, size, n, va, pieceBytes);
        va += n * pieceBytes;
        const last = va >= end;
        if (last) fields.syncs.write(this.#view, at + (n - 1) * size, op.syncs);
        if (this.#added(last ? syncs : null, n)) yield this.#call();
      }
    }
  }

  /**
   * Full ioctls of pieces that follow one another.
   *
   * @param pieces - as many as one takes
   * @param calls - how many ioctls
   * @param va - of the first piece
   * @param range - bytes of VA of each piece
   */
  #run(pieces: Uint8Array, calls: number, va: number, range: number): TraceRun {
    const { size, fields } = this.#lowering.layout;
    if (this.#filledWith !== pieces) {
      this.#filledWith = pieces;
      for (let at = 0; at < this.#runBytes.length; at += pieces.length) this.#runBytes.set(pieces, at);
    }
    const bytes = this.#runBytes.subarray(0, calls * pieces.length);
    writeAddresses(this.#runView, fields.va.offset, size, calls * OPS_PER_IOCTL, va, range);
    const data = bytes.subarray(0, pieces.length);
    const ops = { field: "ops", addr: OPS_ADDR, count: OPS_PER_IOCTL, stride: size, data };
    const arg = this.#argument(OPS_PER_IOCTL, size);
    const call = this.#ioctl("PANTHOR_VM_BIND", IOCTL_VM_BIND, arg, [ops]);
    this.#seq += calls - 1;
    return { kind: "run", call, calls, bytes };
  }

  /** Where the next operation goes. */
  #at(): number {
    return this.#start + this.#count * this.#lowering.layout.size;
  }

  /**
   * Whether the ioctl is complete with the operations just written: it is full, or a fence ends the queue bind.
   *
   * @param syncs - of the last of them
   * @param operations - how many
   */
  #added(syncs: TraceArray | null, operations = 1): boolean {
    this.#count += operations;
    if (syncs) this.#syncs.push({ ...syncs, field: `ops[${this.#count - 1}].syncs` });
    return this.#count === OPS_PER_IOCTL || syncs !== null;
  }

  /** Room for the operations of an ioctl, behind those of the last one where there is any left. */
  #makeRoom(): void {
    const bytes = OPS_PER_IOCTL * this.#lowering.layout.size;
    if (this.#start + bytes <= this.#data.length) return;
    this.#data = new Uint8Array(IOCTLS_PER_ARRAY * bytes);
    this.#view = viewOf(this.#data);
    this.#start = 0;
  }

  /** The ioctl with the operations so far. */
  #call(): TraceIoctl {
    const stride = this.#lowering.layout.size;
    const count = this.#count;
    const end = this.#start + count * stride;
    const data = this.#data.subarray(this.#start, end);
    const arg = this.#argument(count, stride);
    const ops = { field: "ops", addr: OPS_ADDR, count, stride, data };
    const arrays = this.#syncs.length === 0 ? [ops] : [ops, ...this.#syncs];
    this.#start = end;
    this.#count = 0;
    if (this.#syncs.length > 0) this.#syncs = [];
    this.#makeRoom();
    return this.#ioctl("PANTHOR_VM_BIND", IOCTL_VM_BIND, arg, arrays);
  }

  #argument(count: number, stride: number): Uint8Array {
    const vm = this.#vm;
    const async = this.#async;
    if (count === OPS_PER_IOCTL && this.#full?.vm === vm && this.#full.async === async) return this.#full.arg;
    const flags = async ? VM_BIND_ASYNC : 0;
    const arg = VM_BIND.encode({ vmId: vm, flags, ops: { stride, count, array: OPS_ADDR } });
    if (count === OPS_PER_IOCTL) this.#full = { vm, async, arg };
    return arg;
  }

  #createDummy(vm: number): TraceRecord {
    this.#dummy = this.#handles.alloc(0);
    const size = this.#lowering.dummyBytes;
    const bo = { size, flags: BO_NO_MMAP, exclusiveVmId: vm };
    const call = this.#ioctl("PANTHOR_BO_CREATE", IOCTL_BO_CREATE, BO_CREATE.encode(bo));
    return { ...call, argOut: BO_CREATE.encode({ ...bo, handle: this.#dummy }) };
  }

  #create(call: TraceIoctl): TraceRecord {
    const bo = BO_CREATE.read(viewOf(call.argOut));
    const handle = this.#handles.alloc(bo.handle);
    this.#newHandle.set(bo.handle, handle);
    return { ...this.#numbered(call), argOut: BO_CREATE.encode({ ...bo, handle }) };
  }

  #close(call: TraceIoctl): TraceRecord {
    const recorded = GEM_CLOSE.read(viewOf(call.argIn)).handle;
    const handle = this.#newHandle.get(recorded) ?? recorded;
    this.#handles.remove(handle);
    this.#newHandle.delete(recorded);
    return this.#ioctl(call.ioctl, call.request, GEM_CLOSE.encode({ handle }));
  }

  #numbered(call: TraceIoctl): TraceIoctl {
    return { ...call, seq: this.#seq++ };
  }

  #ioctl(ioctl: string, request: number, arg: Uint8Array, arrays: TraceArray[] = []): TraceIoctl {
    return {
      kind: "ioctl",
      line: this.#line,
      seq: this.#seq++,
      ioctl,
      file: 0,
      request,
      argIn: arg,
      argOut: arg,
      arrays,
      ret: 0,
    };
  }
}

/** Write the addresses of `count` operations, `stride` bytes apart: `va` first, each `step` bytes above the one before. */
function writeAddresses(
  view: DataView,
  at: number,
  stride: number,
  count: number,
  va: number,
  step: number,
): void {
  for (let i = 0; i < count; i++) writeU64(view, at + i * stride, va + i * step);
}
