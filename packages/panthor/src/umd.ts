/**
 * What panvk of Mesa 26.2 does with this uAPI for sparse resources, and what it would do with the other proposals.
 *
 * An unbound page of a sparse resource must not fault, so panvk binds something to every page from the start, and binds
 * that again instead of unbinding:
 *
 * | strategy | something | operations for a range |
 * |---|---|---|
 * | `sparse` | the kernel's dummy (driver 1.9) | 1 |
 * | `blackhole` (older drivers) | panvk's own 2 MiB object, at offset va mod 2 MiB | one for each 2 MiB chunk that the range touches |
 * | `repeat` | the same object, one window that divides the range repeated (proposal, as posted) | 1 |
 * | `repeat-windows` | the same object, whole 2 MiB windows of it repeated (proposal, used with care) | 1, and 1 for what sticks out at each end |
 * | `per-page` | a one-page object | one for each page |
 *
 * Creating and destroying are synchronous. Queue binds are asynchronous, at most 16 operations in a call, merged with the
 * operation before where they touch; the fence is on the very last operation.
 *
 * @module
 */

import {
  type IoctlCall,
  needOneOf,
  type SparseBind,
  type SparseUmd,
  type StructLayout,
  type UserBuffer,
  viewOf,
  writeU64,
} from "@vmbind/drm";
import { BLOCK_2M, PAGE_BYTES } from "./page-sizes.ts";
import {
  BO_CREATE,
  BO_NO_MMAP,
  IOCTL_BO_CREATE,
  IOCTL_VM_BIND,
  MAP_NOEXEC,
  MAP_REPEAT,
  MAP_SPARSE,
  OP_MAP,
  OP_SYNC_ONLY,
  OP_UNMAP,
  SYNC_OP,
  SYNC_OP_SIGNAL,
  VM_BIND,
  VM_BIND_ASYNC,
  VM_BIND_OP,
  VM_BIND_OP_REPEAT,
  type VmBindOp,
  type VmBindOpRepeat,
} from "./uapi.ts";

/** Most operations that panvk (Mesa 26.2) puts into one VM_BIND. */
export const PANVK_OPS_PER_IOCTL = 16;

/** The names of {@link PanvkStrategy}. */
export const PANVK_STRATEGIES = ["sparse", "blackhole", "repeat", "repeat-windows", "per-page"] as const;

/** How unbound ranges are said. */
export type PanvkStrategy = (typeof PANVK_STRATEGIES)[number];

/**
 * @param strategy - how unbound ranges are said
 * @returns whether that takes the REPEAT proposal, and with it operations of 56 bytes
 * @throws RangeError for a strategy that there is none of
 */
export function panvkRepeats(strategy: PanvkStrategy): boolean {
  needOneOf("strategy", strategy, PANVK_STRATEGIES);
  return strategy === "repeat" || strategy === "repeat-windows";
}

/**
 * @param strategy - how unbound ranges are said
 * @returns bytes of the object behind them, 0 where there is none
 * @throws RangeError for a strategy that there is none of
 */
export function panvkDummyBytes(strategy: PanvkStrategy): number {
  needOneOf("strategy", strategy, PANVK_STRATEGIES);
  if (strategy === "sparse") return 0;
  return strategy === "per-page" ? PAGE_BYTES : BLOCK_2M;
}

/** What a {@link PanvkUmd} needs to know. */
export interface PanvkOptions {
  /** How unbound ranges are said. */
  strategy: PanvkStrategy;
  /** VM id, 1 unless told. */
  vmId?: number;
  /** Handle of the object behind unbound ranges (see {@link PanvkUmd.setup}); not used by `sparse`. */
  dummyHandle?: number;
  /** Binary syncobj that a queue bind signals, 0 (unless told) for none. */
  fence?: number;
  /**
   * Bytes of the repeated window. Unless told: the largest power of two up to 2 MiB that divides the range, since the
   * range must be a multiple of it.
   */
  repeatWindow?: number;
  /**
   * What is said of an unbound range in place of what the strategy says: a what-if.
   *
   * @param op - a MAP of the whole range that shows the object behind unbound ranges from its first byte on
   * @returns operations that follow one another and are the whole range
   */
  unbound?(op: PanvkOp): PanvkOp[];
  /** User address of the operation arrays, where the recorded traces have them unless told. */
  opsAddr?: number;
  /** User address of the sync arrays, likewise. */
  syncsAddr?: number;
}

/** One operation that panvk sends, but for its syncs; `boRepeatRange` goes where the proposal is in the driver. */
export type PanvkOp = Pick<
  VmBindOpRepeat,
  "flags" | "boHandle" | "boOffset" | "va" | "size" | "boRepeatRange"
>;

/** Operations that panvk sends one behind the other, alike but for `va`, which ascends by `size`: there may be one for each page. */
interface OpRun extends PanvkOp {
  count: number;
}

/** How panvk (Mesa 26.2) aligns the address of a sparse resource: to the largest page that is not bigger, in bytes. */
export function panvkSparseAlignment(size: number): number {
  return size >= BLOCK_2M ? BLOCK_2M : PAGE_BYTES;
}

/** Sparse resources as panvk handles them. */
export class PanvkUmd implements SparseUmd {
  readonly #strategy: PanvkStrategy;
  readonly #vmId: number;
  readonly #fence: number;
  readonly #repeatWindow: number | undefined;
  readonly #said: PanvkOptions["unbound"];
  readonly #opsAddr: number;
  readonly #syncsAddr: number;
  readonly #layout: StructLayout<VmBindOp> | StructLayout<VmBindOpRepeat>;

  /** Handle of the object behind unbound ranges: what the kernel answered to {@link PanvkUmd.setup}. */
  dummyHandle: number;

  /**
   * @param options - see {@link PanvkOptions}
   * @throws RangeError for a strategy that there is none of
   */
  constructor(options: PanvkOptions) {
    needOneOf("strategy", options.strategy, PANVK_STRATEGIES);
    this.#strategy = options.strategy;
    this.#vmId = options.vmId ?? 1;
    this.#fence = options.fence ?? 0;
    this.#repeatWindow = options.repeatWindow;
    this.#said = options.unbound;
    this.#opsAddr = options.opsAddr ?? 0x700000000000;
    this.#syncsAddr = options.syncsAddr ?? 0x710000000000;
    this.#layout = panvkRepeats(options.strategy) ? VM_BIND_OP_REPEAT : VM_BIND_OP;
    this.dummyHandle = options.dummyHandle ?? 0;
  }

  /** Make the object behind unbound ranges; panvk does it with the first sparse resource. Nothing for `sparse`. */
  setup(): IoctlCall[] {
    const size = panvkDummyBytes(this.#strategy);
    if (size === 0) return [];
    const arg = BO_CREATE.encode({ size, flags: BO_NO_MMAP, exclusiveVmId: this.#vmId });
    return [{ name: "PANTHOR_BO_CREATE", request: IOCTL_BO_CREATE, arg, buffers: [] }];
  }

  /** See `SparseUmd.create`: the whole range is unbound. */
  create(va: number, size: number): IoctlCall[] {
    return this.#calls(this.#unbound(va, roundUp(size)), 0);
  }

  /**
   * See `SparseUmd.bind`. A call without any bind still signals: one SYNC_ONLY operation.
   *
   * @throws RangeError for a bind that leaves the resource
   */
  bind(va: number, resourceSize: number, binds: readonly SparseBind[]): IoctlCall[] {
    const merged: OpRun[] = [];
    for (const { resourceOffset, size, memory } of binds) {
      if (!(resourceOffset >= 0 && resourceOffset + size <= roundUp(resourceSize))) {
        throw new RangeError(
          `bind: [${resourceOffset}, +${size}) leaves a resource of ${resourceSize} bytes`,
        );
      }
      const at = va + resourceOffset;
      const ops = memory ? [memoryOp(at, roundUp(size), memory)] : this.#unbound(at, roundUp(size));
      for (const op of ops) if (!merge(merged[merged.length - 1], op)) merged.push(op);
    }
    if (merged.length === 0) {
      if (this.#fence === 0) return [];
      merged.push({
        flags: OP_SYNC_ONLY,
        boHandle: 0,
        boOffset: 0,
        va: 0,
        size: 0,
        boRepeatRange: 0,
        count: 1,
      });
    }
    return this.#calls(merged, VM_BIND_ASYNC);
  }

  /** See `SparseUmd.destroy`: one UNMAP, whatever lies in the range. */
  destroy(va: number, size: number): IoctlCall[] {
    const op = { flags: OP_UNMAP, boHandle: 0, boOffset: 0, va, size: roundUp(size), boRepeatRange: 0 };
    return this.#calls([{ ...op, count: 1 }], 0);
  }

  /** Operations that make a range unbound. */
  #unbound(va: number, size: number): OpRun[] {
    const op = {
      flags: OP_MAP | MAP_NOEXEC,
      boHandle: this.dummyHandle,
      boOffset: 0,
      va,
      size,
      boRepeatRange: 0,
      count: 1,
    };
    if (this.#said) return this.#said(op).map((said) => ({ ...said, count: 1 }));
    switch (this.#strategy) {
      case "sparse":
        return [{ ...op, flags: op.flags | MAP_SPARSE, boHandle: 0 }];
      case "repeat":
        return [
          { ...op, flags: op.flags | MAP_REPEAT, boRepeatRange: this.#repeatWindow ?? largestWindow(size) },
        ];
      case "repeat-windows":
        return wholeWindows(op);
      case "blackhole":
        return cut(op, BLOCK_2M);
      case "per-page":
        return cut(op, PAGE_BYTES);
    }
  }

  #calls(runs: readonly OpRun[], flags: number): IoctlCall[] {
    const stride = this.#layout.size;
    const bytes = this.#encode(runs);
    const whole = PANVK_OPS_PER_IOCTL * stride;
    const calls: IoctlCall[] = [];
    // There may be thousands of calls that differ in nothing but their operations.
    const full = this.#argument(flags, PANVK_OPS_PER_IOCTL);
    for (let at = 0; at < bytes.length; at += whole) {
      const ops = bytes.subarray(at, at + whole);
      calls.push({
        name: "PANTHOR_VM_BIND",
        request: IOCTL_VM_BIND,
        arg: ops.length === whole ? full.slice() : this.#argument(flags, ops.length / stride),
        buffers: [{ addr: this.#opsAddr, bytes: ops }],
      });
    }
    const last = calls.at(-1);
    if (last && flags === VM_BIND_ASYNC && this.#fence !== 0) this.#signal(last);
    return calls;
  }

  /** The struct of a VM_BIND with so many operations. */
  #argument(flags: number, count: number): Uint8Array {
    const ops = { stride: this.#layout.size, count, array: this.#opsAddr };
    return VM_BIND.encode({ vmId: this.#vmId, flags, ops });
  }

  /** The fence goes on a call's last operation. */
  #signal({ buffers }: IoctlCall): void {
    const { size, fields } = this.#layout;
    const ops = viewOf((buffers[0] as UserBuffer).bytes);
    const array = { stride: SYNC_OP.size, count: 1, array: this.#syncsAddr };
    fields.syncs.write(ops, ops.byteLength - size, array);
    const bytes = SYNC_OP.encode({ flags: SYNC_OP_SIGNAL, handle: this.#fence });
    buffers.push({ addr: this.#syncsAddr, bytes });
  }

  /** The operations, one behind the other. Of a run the first is encoded, the others are its bytes with their address. */
  #encode(runs: readonly OpRun[]): Uint8Array {
    const { size: stride, fields } = this.#layout;
    const bytes = new Uint8Array(runs.reduce((sum, { count }) => sum + count * stride, 0));
    const view = viewOf(bytes);
    let at = 0;
    for (const { count, ...op } of runs) {
      this.#layout.write(view, at, { ...op, syncs: { stride: SYNC_OP.size, count: 0, array: 0 } });
      const end = at + count * stride;
      for (let done = at + stride; done < end; done += done - at) {
        bytes.copyWithin(done, at, Math.min(done, at + end - done));
      }
      for (let i = 1; i < count; i++) writeU64(view, at + i * stride + fields.va.offset, op.va + i * op.size);
      at = end;
    }
    return bytes;
  }
}

function memoryOp(va: number, size: number, memory: { handle: number; offset: number }): OpRun {
  return {
    flags: OP_MAP | MAP_NOEXEC,
    boHandle: memory.handle,
    boOffset: memory.offset,
    va,
    size,
    boRepeatRange: 0,
    count: 1,
  };
}

/** Cut an operation at multiples of `unit`; each piece shows the object at its address modulo `unit`. */
function cut(op: OpRun, unit: number): OpRun[] {
  const end = op.va + op.size;
  const phase = op.va % unit;
  const front = phase === 0 ? 0 : Math.min(unit - phase, op.size);
  const whole = Math.floor((op.size - front) / unit);
  const behind = op.va + front + whole * unit;
  return [
    { ...op, boOffset: phase, size: front },
    { ...op, va: op.va + front, size: unit, count: whole },
    { ...op, va: behind, size: end - behind },
  ].filter(({ size, count }) => size > 0 && count > 0);
}

/** Repeat the whole 2 MiB windows of a range; what sticks out in front and behind shows the object at its address, too. */
function wholeWindows(op: OpRun): OpRun[] {
  const end = op.va + op.size;
  const first = Math.ceil(op.va / BLOCK_2M) * BLOCK_2M;
  const last = Math.floor(end / BLOCK_2M) * BLOCK_2M;
  if (last <= first) return cut(op, BLOCK_2M);
  const windows = {
    ...op,
    flags: op.flags | MAP_REPEAT,
    va: first,
    size: last - first,
    boRepeatRange: BLOCK_2M,
  };
  const front = { ...op, boOffset: op.va % BLOCK_2M, size: first - op.va };
  const behind = { ...op, va: last, size: end - last };
  return [front, windows, behind].filter(({ size }) => size > 0);
}

/** Make `before` longer by `op` where the two say one thing. Those of a run do not: each begins at the object's first byte. */
function merge(before: OpRun | undefined, op: OpRun): boolean {
  if (before?.count !== 1 || op.count !== 1) return false;
  if (before.flags !== op.flags || before.va + before.size !== op.va) return false;
  const sparse = before.boHandle === 0 && op.boHandle === 0;
  const contiguous = before.boHandle === op.boHandle && before.boOffset + before.size === op.boOffset;
  const repeats =
    before.boHandle === op.boHandle && op.boRepeatRange !== 0 && before.boRepeatRange === op.boRepeatRange;
  if (!sparse && !contiguous && !repeats) return false;
  before.size += op.size;
  return true;
}

function largestWindow(size: number): number {
  let window = PAGE_BYTES;
  while (window < BLOCK_2M && size % (2 * window) === 0) window *= 2;
  return window;
}

function roundUp(size: number): number {
  return Math.ceil(size / PAGE_BYTES) * PAGE_BYTES;
}
