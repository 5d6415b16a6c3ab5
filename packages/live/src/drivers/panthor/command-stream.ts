/**
 * Command streams of Mali's command-stream front end, as far as tests of memory use them: moves, additions, loads, stores,
 * calls and jumps. Everything else (running shaders, waiting for scoreboards, flushing caches) does nothing here. Every
 * instruction is fetched, every value loaded and stored through the page tables.
 *
 * An instruction is a u64: opcode in bits 63:56, a destination register in 55:48, a source register in 47:40, and an
 * immediate below. An address is in two registers, low one first.
 *
 * @module
 */

import type { AddressSpace } from "@vmbind/mmu";

const NOP = 0;
const MOVE48 = 1;
const MOVE32 = 2;
const WAIT = 3;
const ADD_IMM32 = 16;
const ADD_IMM64 = 17;
const LOAD_MULTIPLE = 20;
const STORE_MULTIPLE = 21;
const CALL = 32;
const JUMP = 33;
const FLUSH_CACHE2 = 36;
/** What changes no memory that is modelled. */
const WITHOUT_EFFECT: ReadonlySet<number> = new Set([NOP, WAIT, FLUSH_CACHE2]);

const REGISTERS = 256;
const INSTRUCTION_BYTES = 8;
/** Registers that one load or store names. */
const MULTIPLE = 16;
/** A stream that is longer hangs. */
const MOST_INSTRUCTIONS = 100_000;
/** Addresses have 48 bits. */
const HIGH_BITS = 0xffff;

/** Why a stream ended before its end. */
export class StreamHang extends Error {
  /** `StreamHang`, as stack traces print it. */
  override readonly name: string = "StreamHang";
}

/** A queue's registers, which keep their values from one stream to the next. */
export type StreamRegisters = Uint32Array;

/** @returns registers that are 0 */
export function streamRegisters(): StreamRegisters {
  return new Uint32Array(REGISTERS);
}

/**
 * Run a stream to its end.
 *
 * @param space - what the group's VM shows
 * @param registers - of the queue
 * @param start - address of the first instruction
 * @param bytes - length of the stream
 * @param unknown - told of each instruction that is not known here
 * @throws GpuFault
 * @throws StreamHang for one that does not end
 */
export function runStream(
  space: AddressSpace,
  registers: StreamRegisters,
  start: number,
  bytes: number,
  unknown: (instruction: string) => void,
): void {
  const word = (i: number) => registers[i % REGISTERS] as number;
  const set = (i: number, value: number) => {
    registers[i % REGISTERS] = value;
  };
  const address = (i: number) => (word(i + 1) & HIGH_BITS) * 2 ** 32 + word(i);
  const callers: { at: number; end: number }[] = [];
  let at = start;
  let end = start + bytes;
  for (let left = MOST_INSTRUCTIONS; left > 0; left--) {
    while (at >= end) {
      const caller = callers.pop();
      if (caller === undefined) return;
      ({ at, end } = caller);
    }
    const low = space.load32(at);
    const high = space.load32(at + 4);
    at += INSTRUCTION_BYTES;
    const opcode = high >>> 24;
    const target = (high >>> 16) & 0xff;
    const source = (high >>> 8) & 0xff;
    switch (opcode) {
      case MOVE48:
        set(target, low);
        set(target + 1, high & HIGH_BITS);
        break;
      case MOVE32:
        set(target, low);
        break;
      case ADD_IMM32:
        set(target, word(source) + low);
        break;
      case ADD_IMM64: {
        const sum = BigInt.asUintN(
          64,
          ((BigInt(word(source + 1)) << 32n) | BigInt(word(source))) + BigInt(low | 0),
        );
        set(target, Number(sum & 0xffff_ffffn));
        set(target + 1, Number(sum >> 32n));
        break;
      }
      case LOAD_MULTIPLE:
      case STORE_MULTIPLE: {
        const base = address(source) + ((low << 16) >> 16);
        for (let i = 0; i < MULTIPLE; i++) {
          if (((low >>> (16 + i)) & 1) === 0) continue;
          if (opcode === STORE_MULTIPLE) space.store32(base + 4 * i, word(target + i));
          else set(target + i, space.load32(base + 4 * i));
        }
        break;
      }
      case CALL:
      case JUMP:
        if (opcode === CALL) callers.push({ at, end });
        at = address(source);
        end = at + word((low >>> 8) & 0xff);
        break;
      default:
        if (!WITHOUT_EFFECT.has(opcode)) unknown(`command stream instruction ${opcode}`);
    }
  }
  throw new StreamHang(
    `command stream at 0x${start.toString(16)}: not over after ${MOST_INSTRUCTIONS} instructions`,
  );
}
