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

import { DRM_IOCTL_GEM_CLOSE, HandleTable, type StructLayout } from "@vmbind/gpuvm-core";
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
import { elements, viewOf } from "./drivers/bytes.ts";
import type { Trace, TraceArray, TraceHeader, TraceIoctl, TraceRecord } from "./trace.ts";

/** How a sparse range is said in another strategy. */
export interface Lowering {
  /** Bytes of the dummy object. */
  dummyBytes: number;
  /** Layout of an operation. */
  layout: StructLayout<VmBindOp> | StructLayout<VmBindOpRepeat>;
  /** What the header says beside the recorded facts. */
  header: Record<string, unknown>;
  /**
   * The operations for one range.
   *
   * @param sparse - the recorded operation, without its SPARSE flag and without syncs
   * @param dummy - handle of the dummy object
   */
  lower(sparse: VmBindOp, dummy: number): Iterable<Partial<VmBindOpRepeat>>;
}

const PAGE = 0x1000;
const BLOCK = 0x200000;
/** What panvk puts into one ioctl. */
const OPS_PER_IOCTL = 16;
const OPS_ADDR = 0x700000000000;
const SYNCS_ADDR = 0x710000000000;

/** One MAP of a dummy page for each page. */
export const PER_PAGE: Lowering = {
  dummyBytes: PAGE,
  layout: VM_BIND_OP,
  header: { driver_version: "1.8" },
  *lower(sparse, dummy) {
    const end = sparse.va + sparse.size;
    for (let va = sparse.va; va < end; va += PAGE) {
      yield { ...sparse, boHandle: dummy, boOffset: 0, va, size: PAGE };
    }
  },
};

/**
 * One MAP_REPEAT. The window must divide the range, so it is the largest power of two up to 2 MiB that does: 4 KiB for
 * 100e6 bytes, 2 MiB for a GiB.
 */
export const REPEAT: Lowering = {
  dummyBytes: BLOCK,
  layout: VM_BIND_OP_REPEAT,
  header: { driver_version: "1.8", repeat_proposal: true },
  *lower(sparse, dummy) {
    let window = PAGE;
    while (window < BLOCK && sparse.size % (2 * window) === 0) window *= 2;
    yield {
      ...sparse,
      flags: (sparse.flags | MAP_REPEAT) >>> 0,
      boHandle: dummy,
      boOffset: 0,
      boRepeatRange: window,
    };
  },
};

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
  return { name, path: trace.path, header, records: new Derivation(lowering).records(trace.records) };
}

interface Pending {
  op: Partial<VmBindOpRepeat>;
  syncs: TraceArray | null;
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
  #pending: Pending[] = [];

  constructor(lowering: Lowering) {
    this.#lowering = lowering;
  }

  async *records(recorded: AsyncIterable<TraceRecord>): AsyncGenerator<TraceRecord> {
    for await (const record of recorded) {
      this.#line = record.line;
      if (record.kind === "ioctl" && record.request === IOCTL_VM_BIND) {
        yield* this.#bind(record);
        continue;
      }
      yield* this.#flush();
      if (record.kind === "mark") yield record;
      else if (record.request === IOCTL_BO_CREATE) yield this.#create(record);
      else if (record.request === DRM_IOCTL_GEM_CLOSE) yield this.#close(record);
      else yield this.#numbered(record);
      // panvk closes its blackhole last.
      if (record.kind === "ioctl" && record.request === IOCTL_VM_DESTROY && this.#dummy !== 0) {
        yield this.#call("GEM_CLOSE", DRM_IOCTL_GEM_CLOSE, GEM_CLOSE.encode({ handle: this.#dummy }));
      }
    }
    yield* this.#flush();
  }

  *#bind(call: TraceIoctl): Generator<TraceRecord> {
    const { vmId, flags } = VM_BIND.read(viewOf(call.argIn));
    const async = (flags & VM_BIND_ASYNC) !== 0;
    // Synchronous calls stay apart; asynchronous ones are one stream until the fence.
    if (!async || !this.#async || vmId !== this.#vm) yield* this.#flush();
    this.#vm = vmId;
    this.#async = async;
    for (const [i, op] of elements(call, "ops", VM_BIND_OP).entries()) {
      const syncs = call.arrays.find(({ field }) => field === `ops[${i}].syncs`) ?? null;
      if ((op.flags & OP_TYPE_MASK) === 0 && op.flags & MAP_SPARSE) {
        if (this.#dummy === 0) yield this.#createDummy(vmId);
        yield* this.#lower(op, syncs);
      } else {
        yield* this.#push({
          op: { ...op, boHandle: this.#newHandle.get(op.boHandle) ?? op.boHandle },
          syncs,
        });
      }
    }
    if (!async) yield* this.#flush();
  }

  *#lower(op: VmBindOp, syncs: TraceArray | null): Generator<TraceRecord> {
    const plain = { ...op, flags: (op.flags & ~MAP_SPARSE) >>> 0, syncs: { stride: 0, count: 0, array: 0 } };
    let held: Partial<VmBindOpRepeat> | null = null;
    for (const lowered of this.#lowering.lower(plain, this.#dummy)) {
      if (held) yield* this.#push({ op: held, syncs: null });
      held = lowered;
    }
    if (held) yield* this.#push({ op: { ...held, syncs: op.syncs }, syncs });
  }

  *#push(pending: Pending): Generator<TraceRecord> {
    this.#pending.push(pending);
    // The fence ends a queue bind.
    if (this.#pending.length === OPS_PER_IOCTL || pending.syncs) yield* this.#flush();
  }

  *#flush(): Generator<TraceRecord> {
    if (this.#pending.length === 0) return;
    const ops = this.#pending;
    this.#pending = [];
    const { layout } = this.#lowering;
    const data = new Uint8Array(ops.length * layout.size);
    const view = viewOf(data);
    for (const [i, { op }] of ops.entries()) layout.write(view, i * layout.size, op);
    const arg = VM_BIND.encode({
      vmId: this.#vm,
      flags: this.#async ? VM_BIND_ASYNC : 0,
      ops: { stride: layout.size, count: ops.length, array: OPS_ADDR },
    });
    const arrays: TraceArray[] = [
      { field: "ops", addr: OPS_ADDR, count: ops.length, stride: layout.size, data },
      ...ops.flatMap(({ syncs }, i) =>
        syncs ? [{ ...syncs, field: `ops[${i}].syncs`, addr: SYNCS_ADDR }] : [],
      ),
    ];
    yield { ...this.#call("PANTHOR_VM_BIND", IOCTL_VM_BIND, arg), arrays };
  }

  #createDummy(vm: number): TraceRecord {
    this.#dummy = this.#handles.alloc(0);
    const size = this.#lowering.dummyBytes;
    const bo = { size, flags: BO_NO_MMAP, exclusiveVmId: vm };
    const call = this.#call("PANTHOR_BO_CREATE", IOCTL_BO_CREATE, BO_CREATE.encode(bo));
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
    return this.#call(call.ioctl, call.request, GEM_CLOSE.encode({ handle }));
  }

  #numbered(call: TraceIoctl): TraceIoctl {
    return { ...call, seq: this.#seq++ };
  }

  #call(ioctl: string, request: number, arg: Uint8Array): TraceIoctl {
    return {
      kind: "ioctl",
      line: this.#line,
      seq: this.#seq++,
      ioctl,
      request,
      argIn: arg,
      argOut: arg,
      arrays: [],
      ret: 0,
    };
  }
}
