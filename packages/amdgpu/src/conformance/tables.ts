/**
 * Page tables as the vectors write them down: every table has the VRAM address that the driver's allocator would have given it, one
 * behind the other and never one twice, and a digest stands for all entries.
 *
 * @module
 */

import {
  GCVM_HIGH,
  GCVM_LAST_LEVEL,
  GCVM_VALID,
  gcvmEmptyHi,
  gcvmEmptyLo,
  type TableMemory,
} from "@vmbind/mmu";
import type { TableObserver } from "../table-tree.ts";
import type { AmdgpuVm } from "../vm.ts";

const TWO_32 = 2 ** 32;
const SPAN = [0, 2 ** 39, 2 ** 30, 2 ** 21, 2 ** 12];

/** A table write of a vector's `trace`. */
export type WriteRow = [
  kind: "clear" | "range" | "pde",
  level: number,
  va: string,
  count: number,
  address: string,
  step: string,
  flags: string,
  how: "linear" | "pages",
];

/** An entry that is not as an empty table has it; a directory entry with the address of the vectors. */
export type EntryVisitor = (level: number, va: number, lo: number, hi: number) => void;

/** Follows the tables of one VM. */
export class VectorTables implements TableObserver {
  /** Writes since it was last emptied; null while nobody wants them. */
  writes: WriteRow[] | null = null;
  readonly #vm: AmdgpuVm;
  readonly #memory: TableMemory;
  readonly #addresses: Map<number, number> = new Map();
  readonly #base: number;
  readonly #stride: number;
  #made = 1;

  /**
   * @param vm - a VM that has its root and nothing else
   * @param base - address of the root in the vectors
   * @param stride - bytes from one table to the next
   */
  constructor(vm: AmdgpuVm, base: number, stride: number) {
    this.#vm = vm;
    this.#memory = vm.device.memory.tables;
    this.#base = base;
    this.#stride = stride;
    this.#addresses.set(this.#memory.slotAt(vm.pageTable.root), base);
    vm.pageTable.observer = this;
  }

  /** Where the vectors have the table in a slot. */
  addressOf(slot: number): number {
    return this.#addresses.get(slot) ?? Number.NaN;
  }

  /** See `TableObserver`. */
  made(slot: number, level: number, va: number): void {
    this.#addresses.set(slot, this.#base + this.#made++ * this.#stride);
    const { generation } = this.#vm;
    const flags = entryHex(gcvmEmptyLo(level), gcvmEmptyHi(generation, level));
    this.writes?.push(["clear", level, toHex(va), 512, "0x0", "0x0", flags, "linear"]);
  }

  /** See `TableObserver`. */
  wrote(
    level: number,
    va: number,
    count: number,
    address: number,
    lo: number,
    hi: number,
    linear: boolean,
  ): void {
    // The driver keeps the step in 32 bits.
    const step = (SPAN[level] as number) % TWO_32;
    const flags = entryHex(lo, hi);
    const how = linear ? "linear" : "pages";
    this.writes?.push(["range", level, toHex(va), count, toHex(address), toHex(step), flags, how]);
  }

  /** See `TableObserver`. */
  linked(level: number, va: number, slot: number): void {
    const flags = toHex(GCVM_VALID);
    this.writes?.push(["pde", level, toHex(va), 1, toHex(this.addressOf(slot)), "0x0", flags, "linear"]);
  }

  /** Every entry that is not empty: tables in order, first the entries of a table, then the tables below it. */
  forEachEntry(see: EntryVisitor): void {
    const tables = this.#memory;
    const { generation } = this.#vm;
    const leafHi = GCVM_HIGH[generation].leaf;
    this.#vm.pageTable.forEach((slot, level, start) => {
      if (tables.isFilled(slot)) return;
      const emptyLo = gcvmEmptyLo(level);
      const emptyHi = gcvmEmptyHi(generation, level);
      const span = SPAN[level] as number;
      const { words } = tables;
      let at = slot * tables.wordsPerTable;
      for (let i = 0; i < 512; i++, at += 2) {
        let lo = words[at] as number;
        let hi = words[at + 1] as number;
        if (lo === emptyLo && hi === emptyHi) continue;
        if (level !== GCVM_LAST_LEVEL && (hi & leafHi) === 0 && (lo & GCVM_VALID) !== 0) {
          const child = tables.slotOf(lo & -4096, hi);
          const address = this.addressOf(child);
          lo = address | 0 | (lo & 0xfff);
          hi = (address / TWO_32) | 0;
        }
        see(level, start + i * span, lo, hi);
      }
    });
  }

  /** FNV-1a of 64 bits over one line for each entry. */
  digest(): string {
    const hash = new Fnv();
    this.forEachEntry((level, va, lo, hi) => hash.line(level, (va / TWO_32) | 0, va | 0, hi, lo));
    return hash.text();
  }
}

const DIGITS: Uint8Array = Uint8Array.from("0123456789abcdef", (digit) => digit.charCodeAt(0));
const COLON = 0x3a;
const NEWLINE = 0x0a;
/** More than a line can have. */
const LINE_BYTES = 40;

/**
 * FNV-1a with its 64 bits in two halves. A digest of every table after every operation is most of what a case costs, so lines are
 * collected and hashed in one loop.
 */
class Fnv {
  #lo = 0x84222325;
  #hi = 0xcbf29ce4;
  readonly #text: Uint8Array = new Uint8Array(2 ** 14);
  #used = 0;

  /** Add `LEVEL:VA:ENTRY`, the last two from their halves. */
  line(level: number, vaHi: number, vaLo: number, entryHi: number, entryLo: number): void {
    if (this.#used + LINE_BYTES > this.#text.length) this.#hash();
    const text = this.#text;
    let at = this.#used;
    text[at++] = 0x30 + level;
    text[at++] = COLON;
    at = writeHex(text, at, vaHi, vaLo);
    text[at++] = COLON;
    at = writeHex(text, at, entryHi, entryLo);
    text[at++] = NEWLINE;
    this.#used = at;
  }

  #hash(): void {
    const text = this.#text;
    let low = this.#lo;
    let high = this.#hi;
    for (let i = 0; i < this.#used; i++) {
      low = (low ^ (text[i] as number)) >>> 0;
      // Times 2^40 + 0x1b3.
      const product = low * 0x1b3;
      const next = product >>> 0;
      high = (Math.imul(high, 0x1b3) + (product - next) / TWO_32 + (low << 8)) >>> 0;
      low = next;
    }
    this.#lo = low;
    this.#hi = high;
    this.#used = 0;
  }

  text(): string {
    this.#hash();
    const half = (value: number): string => value.toString(16).padStart(8, "0");
    return half(this.#hi) + half(this.#lo);
  }
}

/** A number without leading zeros. @returns the place behind it */
function writeHex(text: Uint8Array, from: number, hi: number, lo: number): number {
  let at = from;
  let shift = hi === 0 ? 28 - (Math.clz32(lo | 1) & ~3) : 28 - (Math.clz32(hi) & ~3);
  if (hi !== 0) {
    for (; shift >= 0; shift -= 4) text[at++] = DIGITS[(hi >>> shift) & 15] as number;
    shift = 28;
  }
  for (; shift >= 0; shift -= 4) text[at++] = DIGITS[(lo >>> shift) & 15] as number;
  return at;
}

/** `0x1f000`. */
export function toHex(value: number): string {
  return `0x${value.toString(16)}`;
}

/** An entry's halves as one number. */
export function entryHex(lo: number, hi: number): string {
  return `0x${((BigInt(hi >>> 0) << 32n) | BigInt(lo >>> 0)).toString(16)}`;
}
