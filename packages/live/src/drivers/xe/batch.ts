/**
 * Batch buffers: the commands that tests of memory use, each word fetched, each value loaded and stored through the page
 * tables. A command that is not known here is passed over by its length and told. Encodings: Intel's programmer's
 * reference manuals, volume 2a ("Command Reference: Instructions").
 *
 * @module
 */

import { gpr, type Registers, runMath } from "./alu.ts";
import { runCopy } from "./copies.ts";
import type { GpuMemory } from "./gpu-memory.ts";

const TYPE_MI = 0;
const TYPE_BLITTER = 2;
/** MI commands below this opcode are one word long. */
const FIRST_LONG_MI = 0x10;

const MI_BATCH_BUFFER_END = 0x0a;
const MI_MATH = 0x1a;
const MI_SEMAPHORE_WAIT = 0x1c;
const MI_STORE_DATA_IMM = 0x20;
const MI_LOAD_REGISTER_IMM = 0x22;
const MI_STORE_REGISTER_MEM = 0x24;
const MI_FLUSH_DW = 0x26;
const MI_LOAD_REGISTER_MEM = 0x29;
const MI_LOAD_REGISTER_REG = 0x2a;
const MI_COPY_MEM_MEM = 0x2e;
const MI_ATOMIC = 0x2f;
const MI_BATCH_BUFFER_START = 0x31;
const MI_CONDITIONAL_BATCH_BUFFER_END = 0x36;
/** PIPE_CONTROL, by the upper half of its header. */
const PIPE_CONTROL = 0x7a00;

const POST_SYNC_IMMEDIATE = 1;
const POST_SYNC_TIMESTAMP = 3;

/** Registers that are clocks, by offset from the engine's base. */
const TIMESTAMP = 0x358;
const TIMESTAMP_HIGH = 0x35c;
const CONTEXT_TIMESTAMP = 0x3a8;
/** Ticks of the command streamer's clock in a second. */
const TICKS_PER_SECOND = 19_200_000n;

/** Commands of a batch that run before others get their turn. */
const TURN = 3000;
/** A jump back by less than this is a loop: it waits for something, so its turn ends sooner. */
const LOOP_BYTES = 0x1_0000;
const LOOP_COST = 400;

/** Comparisons by their number in semaphores and conditional ends: what is in memory against the command's word. */
const COMPARE: readonly ((memory: number, word: number) => boolean)[] = [
  (a, b) => a > b,
  (a, b) => a >= b,
  (a, b) => a < b,
  (a, b) => a <= b,
  (a, b) => a === b,
  (a, b) => a !== b,
];

/** Atomic operations by number; `operand` comes from the command or from registers. */
const ATOMIC: ReadonlyMap<number, (old: bigint, operand: bigint) => bigint> = new Map([
  [0x01, (a, b) => a & b],
  [0x02, (a, b) => a | b],
  [0x03, (a, b) => a ^ b],
  [0x04, (_, b) => b],
  [0x05, (a) => a + 1n],
  [0x06, (a) => a - 1n],
  [0x07, (a, b) => a + b],
  [0x08, (a, b) => a - b],
]);

/** What a batch has of its surroundings. */
export interface BatchContext {
  /** Of the queue: they keep their values from one batch to the next. */
  readonly registers: Registers;
  /** Nanoseconds of CLOCK_MONOTONIC. */
  now(): bigint;
  /** Told once of each command that is not known. */
  unknown(command: string): void;
}

/** A batch that runs in turns. */
export class Batch {
  readonly #memory: GpuMemory;
  readonly #context: BatchContext;
  readonly #started: bigint;
  readonly #returns: number[] = [];
  #at: number;

  /**
   * @param memory - of the VM
   * @param address - of the first command
   * @param context - see {@link BatchContext}
   */
  constructor(memory: GpuMemory, address: bigint, context: BatchContext) {
    this.#memory = memory;
    this.#context = context;
    this.#started = context.now();
    this.#at = memory.canonical(address);
  }

  /**
   * Run for one turn.
   *
   * @returns true when the batch has ended, false when it waits or has not finished
   * @throws GpuFault
   */
  run(): boolean {
    this.#memory.forgetCommands();
    for (let left = TURN; left > 0; left--) {
      const start = this.#at;
      const header = this.#memory.command(start);
      const type = header >>> 29;
      const opcode = (header >>> 23) & 0x3f;
      if (type === TYPE_MI && opcode < FIRST_LONG_MI) {
        this.#at = start + 4;
        if (opcode !== MI_BATCH_BUFFER_END) continue;
        const back = this.#returns.pop();
        if (back === undefined) return true;
        this.#at = back;
        continue;
      }
      const words = this.#words(start, header, type, opcode);
      this.#at = start + 4 * words.length;
      if (type === TYPE_MI) {
        if (opcode === MI_SEMAPHORE_WAIT && !this.#compare(words)) {
          this.#at = start;
          return false;
        }
        if (opcode === MI_CONDITIONAL_BATCH_BUFFER_END && !this.#compare(words)) return true;
        if (opcode === MI_BATCH_BUFFER_START) {
          if ((header >>> 22) & 1) this.#returns.push(this.#at);
          this.#at = this.#address(words, 1);
          if (this.#at <= start && this.#at > start - LOOP_BYTES) left -= LOOP_COST;
        } else this.#memoryInterface(opcode, words);
      } else if (header >>> 16 === PIPE_CONTROL) this.#pipeControl(words);
      else if (type !== TYPE_BLITTER || !runCopy(this.#memory, words)) {
        this.#context.unknown(`command 0x${(header >>> 16).toString(16)}`);
      }
    }
    return false;
  }

  #words(start: number, header: number, type: number, opcode: number): number[] {
    const lengthMask = type === TYPE_MI && opcode === MI_STORE_DATA_IMM ? 0x3ff : 0xff;
    const count = (header & lengthMask) + 2;
    return Array.from({ length: count }, (_, i) => (i === 0 ? header : this.#memory.command(start + 4 * i)));
  }

  #address(words: readonly number[], i: number): number {
    return this.#memory.address(words[i] as number, words[i + 1] as number);
  }

  /** A semaphore and a conditional end have the word and the address in the same places. */
  #compare(words: readonly number[]): boolean {
    const [header = 0, word = 0] = words;
    const compare = COMPARE[(header >>> 12) & 7];
    return compare?.(this.#memory.load32(this.#address(words, 2)), word) ?? false;
  }

  #memoryInterface(opcode: number, words: readonly number[]): void {
    const [header = 0, first = 0] = words;
    const memory = this.#memory;
    const { registers } = this.#context;
    const word = (i: number) => words[i] ?? 0;
    const register = (i: number) => word(i) & 0xfff;
    switch (opcode) {
      case MI_STORE_DATA_IMM:
        if ((header >>> 21) & 1) memory.store64(this.#address(words, 1), wide(word(3), word(4)));
        else memory.store32(this.#address(words, 1), word(3));
        break;
      case MI_LOAD_REGISTER_IMM:
        for (let i = 1; i + 1 < words.length; i += 2) registers.set(register(i), word(i + 1));
        break;
      case MI_STORE_REGISTER_MEM:
        memory.store32(this.#address(words, 2), this.#register(first));
        break;
      case MI_LOAD_REGISTER_MEM:
        registers.set(register(1), memory.load32(this.#address(words, 2)));
        break;
      case MI_LOAD_REGISTER_REG:
        registers.set(register(2), this.#register(first));
        break;
      case MI_COPY_MEM_MEM:
        memory.store32(this.#address(words, 1), memory.load32(this.#address(words, 3)));
        break;
      case MI_MATH:
        runMath(registers, words.slice(1));
        break;
      case MI_ATOMIC:
        this.#atomic(words);
        break;
      case MI_FLUSH_DW:
        this.#postSync((header >>> 14) & 3, memory.address(first & ~7, word(2)), wide(word(3), word(4)));
        break;
      case MI_SEMAPHORE_WAIT:
      case MI_CONDITIONAL_BATCH_BUFFER_END:
        break;
      default:
        this.#context.unknown(`MI command 0x${opcode.toString(16)}`);
    }
  }

  #register(address: number): number {
    const offset = address & 0xfff;
    const now = this.#context.now();
    if (offset === TIMESTAMP) return Number(BigInt.asUintN(32, ticks(now)));
    if (offset === TIMESTAMP_HIGH) return Number(ticks(now) >> 32n);
    if (offset === CONTEXT_TIMESTAMP) return Number(BigInt.asUintN(32, ticks(now - this.#started)));
    return this.#context.registers.get(offset) ?? 0;
  }

  #atomic(words: readonly number[]): void {
    const [header = 0] = words;
    const change = ATOMIC.get((header >>> 8) & 0x1f);
    if (change === undefined) {
      this.#context.unknown(`MI_ATOMIC operation 0x${((header >>> 8) & 0xff).toString(16)}`);
      return;
    }
    const inline = ((header >>> 18) & 1) !== 0;
    const operand = inline ? wide(words[3] ?? 0, words[5] ?? 0) : gpr(this.#context.registers, 0);
    const address = this.#address(words, 1);
    if (((header >>> 19) & 3) === 1) {
      this.#memory.atomic64(address, (old) => BigInt.asUintN(64, change(old, operand)));
    } else {
      const narrow = BigInt.asUintN(32, operand);
      this.#memory.atomic32(address, (old) => Number(BigInt.asUintN(32, change(BigInt(old), narrow))));
    }
  }

  #pipeControl(words: readonly number[]): void {
    const post = ((words[1] ?? 0) >>> 14) & 3;
    if (post !== 0) this.#postSync(post, this.#address(words, 2), wide(words[4] ?? 0, words[5] ?? 0));
  }

  #postSync(operation: number, address: number, value: bigint): void {
    if (operation === POST_SYNC_IMMEDIATE) this.#memory.store64(address, value);
    else if (operation === POST_SYNC_TIMESTAMP) this.#memory.store64(address, ticks(this.#context.now()));
  }
}

function wide(low: number, high: number): bigint {
  return (BigInt(high >>> 0) << 32n) | BigInt(low >>> 0);
}

function ticks(nanoseconds: bigint): bigint {
  return (nanoseconds * TICKS_PER_SECOND) / 1_000_000_000n;
}
