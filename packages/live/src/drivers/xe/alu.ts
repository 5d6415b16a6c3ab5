/**
 * MI_MATH: the little processor of the command streamer, which adds and compares 64-bit registers. Spinning batches use it
 * to find out whether their time is over. Encodings: Intel's programmer's reference manuals, volume 2a.
 *
 * @module
 */

/** Offset of the first of 16 general-purpose registers, of 64 bits each, from an engine's base. */
const GPR = 0x600;
const GPRS = 16;
const ALL = 2n ** 64n - 1n;

const OP_LOAD = 0x080;
const OP_LOAD_INV = 0x480;
const OP_LOAD_0 = 0x081;
const OP_LOAD_1 = 0x481;
const OP_STORE = 0x180;
const OP_STORE_INV = 0x580;
const SOURCE_A = 0x20;
const SOURCE_B = 0x21;
const ACCUMULATOR = 0x31;
const ZERO_FLAG = 0x32;
const CARRY_FLAG = 0x33;

const ARITHMETIC: ReadonlyMap<number, (a: bigint, b: bigint) => bigint> = new Map([
  [0x100, (a, b) => a + b],
  [0x101, (a, b) => a - b],
  [0x102, (a, b) => a & b],
  [0x103, (a, b) => a | b],
  [0x104, (a, b) => a ^ b],
  [0x105, (a, b) => a << (b & 63n)],
  [0x106, (a, b) => a >> (b & 63n)],
]);

/** Registers of an engine by offset from its base, 32 bits each; what was never written is 0. */
export type Registers = Map<number, number>;

/** @returns general-purpose register `i` */
export function gpr(registers: Registers, i: number): bigint {
  const at = GPR + 8 * i;
  return (BigInt(registers.get(at + 4) ?? 0) << 32n) | BigInt(registers.get(at) ?? 0);
}

function setGpr(registers: Registers, i: number, value: bigint): void {
  const at = GPR + 8 * i;
  registers.set(at, Number(value & 0xffff_ffffn));
  registers.set(at + 4, Number(value >> 32n));
}

/**
 * Run the instructions of one MI_MATH. Unknown ones do nothing, as the hardware's reserved ones.
 *
 * @param registers - read and written
 * @param instructions - 32-bit words: opcode, and two operands of 10 bits
 */
export function runMath(registers: Registers, instructions: readonly number[]): void {
  const state = new Map<number, bigint>();
  const value = (operand: number) => (operand < GPRS ? gpr(registers, operand) : (state.get(operand) ?? 0n));
  const put = (operand: number, word: bigint) => {
    if (operand < GPRS) setGpr(registers, operand, word);
    else state.set(operand, word);
  };
  for (const word of instructions) {
    const opcode = word >>> 20;
    const first = (word >>> 10) & 0x3ff;
    const second = word & 0x3ff;
    const compute = ARITHMETIC.get(opcode);
    if (compute !== undefined) {
      const result = compute(value(SOURCE_A), value(SOURCE_B));
      const kept = BigInt.asUintN(64, result);
      state.set(ACCUMULATOR, kept);
      state.set(CARRY_FLAG, result === kept ? 0n : ALL);
      state.set(ZERO_FLAG, kept === 0n ? ALL : 0n);
    } else if (opcode === OP_LOAD || opcode === OP_STORE) put(first, value(second));
    else if (opcode === OP_LOAD_INV || opcode === OP_STORE_INV) put(first, ~value(second) & ALL);
    else if (opcode === OP_LOAD_0) put(first, 0n);
    else if (opcode === OP_LOAD_1) put(first, ALL);
  }
}
