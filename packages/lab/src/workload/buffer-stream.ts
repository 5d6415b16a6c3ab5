/**
 * buffer-stream: a large buffer into which small pieces of a pool are bound and unbound at random, as a streaming engine
 * does with textures and meshes.
 *
 * The order of the draws is part of the workload: a seed and a block size give one exact sequence of binds, the same that
 * the recorded client made.
 *
 * @module
 */

import { type SparseElement, type Step, type Workload, WorkloadError } from "./workload.ts";
import { draws } from "./xorshift.ts";

/** Sizes of the workload. */
export interface BufferStreamOptions {
  /** Bytes of the buffer; 1 GiB unless told. */
  bufferBytes?: number;
  /** Bytes of the pool; 64 MiB unless told. */
  poolBytes?: number;
  /** Binds and unbinds in all; 2000 unless told. */
  operations?: number;
  /** Operations of one vkQueueBindSparse; 64 unless told. */
  operationsPerCall?: number;
}

/**
 * The workload.
 *
 * @param seed - of the draws
 * @param options - sizes other than those of the recordings
 */
export function bufferStream(seed: number, options: BufferStreamOptions = {}): Workload {
  const { bufferBytes = 2 ** 30, poolBytes = 2 ** 26, operations = 2000, operationsPerCall = 64 } = options;
  return {
    name: "buffer-stream",
    description: `${operations} binds and unbinds of 1 to 16 blocks at random places of a buffer, ${operationsPerCall} a call`,
    seed,
    steps(blockBytes) {
      // With this many blocks a call always finds a place that it has not touched yet.
      const blocksMin = 4 * operationsPerCall * RUN_MAX;
      if (bufferBytes % blockBytes !== 0 || bufferBytes < blocksMin * blockBytes) {
        throw new WorkloadError(
          `buffer-stream: a buffer of ${bufferBytes} bytes is not ${blocksMin} or more blocks of ${blockBytes} bytes`,
        );
      }
      if (bufferBytes > BLOCKS_MAX * blockBytes) {
        throw new WorkloadError(
          `buffer-stream: a buffer of ${bufferBytes} bytes is more than ${BLOCKS_MAX} blocks`,
        );
      }
      if (poolBytes % blockBytes !== 0) {
        throw new WorkloadError(
          `buffer-stream: a pool of ${poolBytes} bytes is not made of blocks of ${blockBytes} bytes`,
        );
      }
      const stream = new BufferStream(seed, bufferBytes, poolBytes, blockBytes);
      const steps: Step[] = [
        { step: "create", resource: "buffer", size: bufferBytes },
        { step: "allocate", memory: "pool", size: poolBytes },
      ];
      for (let done = 0; done < operations; done += operationsPerCall) {
        const binds = stream.call(Math.min(operationsPerCall, operations - done));
        steps.push({ step: "bind", resource: "buffer", binds });
      }
      steps.push(
        { step: "wait-idle" },
        { step: "destroy", resource: "buffer" },
        { step: "free", memory: "pool" },
      );
      return steps;
    },
  };
}

const NONE = -1;
/** Most blocks of the buffer: each is kept account of. */
const BLOCKS_MAX: number = 2 ** 24;
/** Most blocks of one operation. */
const RUN_MAX = 16;

interface BlockRun {
  start: number;
  blocks: number;
}

class BufferStream {
  readonly #draw: (below: number) => number;
  readonly #blockBytes: number;
  /** Pool block behind each block of the buffer. */
  readonly #owner: Int32Array;
  /** Pool blocks that must not be given out. */
  readonly #used: Uint8Array;
  /** Number of the call that last used each block of the buffer. */
  readonly #touched: Int32Array;
  /** Binds whose exact range has not been unbound yet. */
  readonly #past: BlockRun[] = [];
  #calls = 0;

  constructor(seed: number, bufferBytes: number, poolBytes: number, blockBytes: number) {
    if (
      bufferBytes % blockBytes !== 0 ||
      bufferBytes < RUN_MAX * blockBytes ||
      poolBytes % blockBytes !== 0
    ) {
      throw new WorkloadError(`buffer-stream: buffer and pool are not made of blocks of ${blockBytes} bytes`);
    }
    this.#draw = draws(seed);
    this.#blockBytes = blockBytes;
    this.#owner = new Int32Array(bufferBytes / blockBytes).fill(NONE);
    this.#touched = new Int32Array(bufferBytes / blockBytes);
    this.#used = new Uint8Array(poolBytes / blockBytes);
  }

  /** The elements of the next vkQueueBindSparse. */
  call(operations: number): SparseElement[] {
    this.#calls++;
    // What a call unbinds may still be in use until it is done.
    const freed: number[] = [];
    const elements = Array.from({ length: operations }, () => this.#operation(freed));
    for (const block of freed) this.#used[block] = 0;
    return elements;
  }

  #operation(freed: number[]): SparseElement {
    const blocks = 1 + this.#draw(RUN_MAX);
    const kind = this.#draw(8);
    const at = kind < 5 ? this.#freeRun(blocks) : NONE;
    const again = at === NONE && kind < 7 ? this.#pickPast() : null;
    const run = again ?? { start: this.#untouchedStart(blocks), blocks };
    if (at !== NONE) this.#past.push(run);
    this.#apply(run, at, freed);
    const bytes = this.#blockBytes;
    return {
      offset: run.start * bytes,
      size: run.blocks * bytes,
      memory: at === NONE ? null : { object: "pool", offset: at * bytes },
    };
  }

  /** Lowest run of free pool blocks, or {@link NONE}. */
  #freeRun(blocks: number): number {
    const used = this.#used;
    for (let at = 0, run = 0; at < used.length; at++) {
      run = used[at] ? 0 : run + 1;
      if (run === blocks) return at - blocks + 1;
    }
    return NONE;
  }

  /** Take a past bind that this call has left alone, from a random entry on; null when there is none. */
  #pickPast(): BlockRun | null {
    const past = this.#past;
    if (past.length === 0) return null;
    const first = this.#draw(past.length);
    for (let i = 0; i < past.length; i++) {
      const pick = (first + i) % past.length;
      const run = past[pick] as BlockRun;
      if (!this.#untouched(run.start, run.blocks)) continue;
      past[pick] = past[past.length - 1] as BlockRun;
      past.pop();
      return run;
    }
    return null;
  }

  #untouchedStart(blocks: number): number {
    for (;;) {
      const start = this.#draw(this.#owner.length - blocks + 1);
      if (this.#untouched(start, blocks)) return start;
    }
  }

  #untouched(start: number, blocks: number): boolean {
    for (let i = start; i < start + blocks; i++) if (this.#touched[i] === this.#calls) return false;
    return true;
  }

  #apply({ start, blocks }: BlockRun, at: number, freed: number[]): void {
    for (let i = 0; i < blocks; i++) {
      const block = start + i;
      const before = this.#owner[block] as number;
      if (before !== NONE) freed.push(before);
      this.#owner[block] = at === NONE ? NONE : at + i;
      this.#touched[block] = this.#calls;
      if (at !== NONE) this.#used[at + i] = 1;
    }
  }
}
