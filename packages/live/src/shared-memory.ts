/**
 * A device's physical memory as one sparse file that server and clients share. The offset in the file is the physical address, but
 * that files end sooner than addresses: each TiB of addresses that is used has its place in the file, the first one at 0.
 * What a client's CPU sees through a mapping and what the model's GPU loads and stores are the same pages. Page tables stay in
 * the model's own arrays, out of every client's reach.
 *
 * Node has no way to punch a hole, so memory that was freed is *stale*: it reads as zero here whatever the file says, and
 * before a client maps it the file is made to agree. Little of it is overwritten with zeros. Much of it is handed to a client as
 * holes to punch, and until that client says that it has, nobody else gets the range: a hole punched late would take away
 * what somebody has written since.
 *
 * @module
 */

import { closeSync, ftruncateSync, openSync, readSync, rmSync, statfsSync, writeSync } from "node:fs";
import { join } from "node:path";
import { size as sizeText } from "@vmbind/drm";
import { DataPages, type PhysicalBacking } from "@vmbind/mmu";
import type { ProcessMemory } from "./process-memory.ts";
import { Ranges, type Span } from "./ranges.ts";

const PAGE_BYTES = 4096;
const WINDOW_BYTES = 2 ** 40;
/** Up to here the server overwrites stale memory itself. */
const OVERWRITTEN_BYTES = 0x4_0000;
/** From here on stale memory is given back to the host with the next answer to anybody. */
const RETURNED_BYTES = 0x40_0000;
/** Most holes of one answer. */
const HOLES = 64;

/** A page of a process that the GPU reaches. */
export interface ProcessPage {
  /** Whose. */
  readonly memory: ProcessMemory;
  /** User address of the byte that was asked for. */
  readonly addr: number;
}

/** The folder has no room for what was stored. */
export class MemoryFull extends Error {
  /** `MemoryFull`, as stack traces print it. */
  override readonly name: string = "MemoryFull";
}

/** The file. */
export class SharedMemory implements PhysicalBacking {
  /** How clients open it. */
  readonly path: string;
  /** Whose page a physical address is, for memory that is a process's; asked before the file. */
  processPage: ((pa: number) => ProcessPage | undefined) | null = null;
  readonly #folder: string;
  readonly #fd: number;
  readonly #stale = new Ranges();
  /** What which connection is punching. */
  readonly #punching = new Map<object, Ranges>();
  /** What was stored meanwhile. */
  #meanwhile: DataPages | null = null;
  #meanwhilePages: number[] = [];
  #waiters: (() => void)[] = [];
  readonly #zeros = new Uint8Array(PAGE_BYTES);
  /** Place of each TiB of addresses in the file, counted in TiB. */
  readonly #places = new Map<number, number>();

  /**
   * @param folder - where; it should be memory, such as `/dev/shm`
   * @throws Error when the file cannot be made
   */
  constructor(folder: string) {
    const path = join(folder, `vmbind-live-${process.pid}-${SharedMemory.#made++}`);
    this.#folder = folder;
    this.#fd = openSync(path, "wx+", 0o600);
    // Without a name nothing is left behind, however this process ends; clients of the same user open it here.
    rmSync(path);
    this.path = `/proc/${process.pid}/fd/${this.#fd}`;
    this.#offset(0);
  }

  static #made = 0;

  /** See `PhysicalBacking.read`. */
  read(pa: number, out: Uint8Array): void {
    if (this.processPage !== null && this.#readProcess(pa, out)) return;
    const got = readSync(this.#fd, out, 0, out.length, this.#offset(pa));
    if (got < out.length) out.fill(0, got);
    for (const { at, bytes } of this.#stale.within(pa, out.length)) out.fill(0, at - pa, at - pa + bytes);
    for (const ranges of this.#punching.values()) {
      for (const { at, bytes } of ranges.within(pa, out.length)) {
        const part = out.subarray(at - pa, at - pa + bytes);
        if (this.#meanwhile === null) part.fill(0);
        else this.#meanwhile.read(at, part);
      }
    }
  }

  /** See `PhysicalBacking.write`. @throws MemoryFull when the folder has no room */
  write(pa: number, bytes: Uint8Array): void {
    if (this.processPage !== null && this.#writeProcess(pa, bytes)) return;
    this.#clean(pa, bytes.length);
    if ([...this.#punching.values()].some((ranges) => ranges.meets(pa, bytes.length))) {
      this.#meanwhile ??= new DataPages();
      this.#meanwhile.write(pa, bytes);
      for (let at = pa - (pa % PAGE_BYTES); at < pa + bytes.length; at += PAGE_BYTES)
        this.#meanwhilePages.push(at);
    }
    this.#store(pa, bytes);
  }

  /** See `PhysicalBacking.discard`. */
  discard(pa: number, bytes: number): void {
    const first = Math.ceil(pa / PAGE_BYTES) * PAGE_BYTES;
    const end = Math.floor((pa + bytes) / PAGE_BYTES) * PAGE_BYTES;
    if (first >= end) {
      this.#overwrite(pa, bytes);
      return;
    }
    this.#overwrite(pa, first - pa);
    this.#overwrite(end, pa + bytes - end);
    this.#stale.add(first, end - first);
    this.#meanwhile?.discard(first, end - first);
  }

  /**
   * A client is about to map pieces of the file.
   *
   * @param pieces - which
   * @param who - its connection
   * @returns `ready` when they may be mapped; holes for this client to punch before it asks again; or `wait`: another client is
   * punching some of it, see {@link SharedMemory.onPunched}
   * @throws MemoryFull when the folder has no room
   */
  prepare(pieces: readonly Span[], who: object): "ready" | "wait" | Span[] {
    if (this.#stale.bytes === 0 && this.#punching.size === 0) return "ready";
    const others = [...this.#punching].filter(([other]) => other !== who);
    if (pieces.some(({ at, bytes }) => others.some(([, ranges]) => ranges.meets(at, bytes)))) return "wait";
    const stale = pieces.flatMap(({ at, bytes }) => this.#stale.within(at, bytes));
    const total = stale.reduce((sum, { bytes }) => sum + bytes, 0);
    if (total > OVERWRITTEN_BYTES) return this.#handOut(stale, who);
    for (const { at, bytes } of stale) this.#overwrite(at, bytes);
    return "ready";
  }

  /**
   * @param pieces - of physical memory
   * @returns where they are in the file
   */
  placed(pieces: readonly Span[]): Span[] {
    return pieces.map(({ at, bytes }) => ({ at: this.#offset(at), bytes }));
  }

  /**
   * @param who - a connection that is being answered
   * @returns holes that it is to punch; none while there is little to give back
   */
  holesFor(who: object): readonly Span[] {
    if (this.#stale.bytes < RETURNED_BYTES || this.#punching.has(who)) return [];
    const holes: Span[] = [];
    for (const span of this.#stale.spans()) if (holes.push(span) === HOLES) break;
    return this.#handOut(holes, who);
  }

  /** A client has punched the holes that it was given. */
  punched(who: object): void {
    if (!this.#punching.delete(who)) return;
    const pages = this.#meanwhilePages.filter((page) => !this.#isPunched(page));
    this.#meanwhilePages = this.#meanwhilePages.filter((page) => this.#isPunched(page));
    const bytes = new Uint8Array(PAGE_BYTES);
    for (const page of pages) {
      this.#meanwhile?.read(page, bytes);
      this.#clean(page, PAGE_BYTES);
      this.#store(page, bytes);
      this.#meanwhile?.discard(page, PAGE_BYTES);
    }
    for (const waiter of this.#waiters.splice(0)) waiter();
  }

  /** A connection is gone; what it should have punched is stale again. */
  leave(who: object): void {
    const ranges = this.#punching.get(who);
    if (ranges === undefined) return;
    for (const { at, bytes } of ranges.spans()) this.#stale.add(at, bytes);
    this.punched(who);
  }

  /** Call back once when some client has punched. */
  onPunched(waiter: () => void): void {
    this.#waiters.push(waiter);
  }

  /** Bytes that the folder has room for. */
  get room(): number {
    return roomIn(this.#folder);
  }

  /** Which folder it is in, and its room, in words. */
  get roomText(): string {
    return `${this.#folder} has room for ${sizeText(this.room)}`;
  }

  /** Give the memory back. */
  close(): void {
    closeSync(this.#fd);
  }

  #isPunched(page: number): boolean {
    return [...this.#punching.values()].some((ranges) => ranges.meets(page, PAGE_BYTES));
  }

  #handOut(holes: Span[], who: object): Span[] {
    const mine = this.#punching.get(who) ?? new Ranges();
    this.#punching.set(who, mine);
    for (const { at, bytes } of holes) {
      this.#stale.delete(at, bytes);
      mine.add(at, bytes);
    }
    return this.placed(holes);
  }

  /** Where a physical address is in the file. */
  #offset(pa: number): number {
    const window = Math.floor(pa / WINDOW_BYTES);
    let place = this.#places.get(window);
    if (place === undefined) {
      place = this.#places.size;
      ftruncateSync(this.#fd, (place + 1) * WINDOW_BYTES);
      this.#places.set(window, place);
    }
    return pa + (place - window) * WINDOW_BYTES;
  }

  /** Stale pages that are about to be stored to are zero in the file, too. */
  #clean(pa: number, bytes: number): void {
    if (!this.#stale.meets(pa, bytes)) return;
    const first = Math.floor(pa / PAGE_BYTES) * PAGE_BYTES;
    const end = Math.ceil((pa + bytes) / PAGE_BYTES) * PAGE_BYTES;
    for (const span of this.#stale.within(first, end - first)) this.#overwrite(span.at, span.bytes);
  }

  #overwrite(pa: number, bytes: number): void {
    for (let at = pa; at < pa + bytes; at += PAGE_BYTES) {
      this.#store(at, this.#zeros.subarray(0, Math.min(PAGE_BYTES, pa + bytes - at)));
    }
    this.#stale.delete(pa, bytes);
  }

  #store(pa: number, bytes: Uint8Array): void {
    const offset = this.#offset(pa);
    let done = 0;
    try {
      while (done < bytes.length)
        done += writeSync(this.#fd, bytes, done, bytes.length - done, offset + done);
    } catch (error) {
      throw new MemoryFull(`${bytes.length} bytes of GPU memory cannot be kept: ${this.roomText}`, {
        cause: error,
      });
    }
  }

  /** Reads page by page where a page is a process's; false when none is. */
  #readProcess(pa: number, out: Uint8Array): boolean {
    return this.#eachPage(pa, out.length, (at, from, count, page) => {
      const part = out.subarray(from, from + count);
      if (page !== undefined) page.memory.read(page.addr, part);
      else readSync(this.#fd, part, 0, count, this.#offset(at));
    });
  }

  #writeProcess(pa: number, bytes: Uint8Array): boolean {
    return this.#eachPage(pa, bytes.length, (at, from, count, page) => {
      const part = bytes.subarray(from, from + count);
      if (page !== undefined) page.memory.write(page.addr, part);
      else this.#store(at, part);
    });
  }

  #eachPage(
    pa: number,
    bytes: number,
    visit: (at: number, from: number, count: number, page: ProcessPage | undefined) => void,
  ): boolean {
    const { processPage } = this;
    const inPage = pa % PAGE_BYTES;
    if (processPage === null || (inPage + bytes <= PAGE_BYTES && processPage(pa) === undefined)) return false;
    for (let done = 0; done < bytes; ) {
      const at = pa + done;
      const count = Math.min(bytes - done, PAGE_BYTES - (at % PAGE_BYTES));
      visit(at, done, count, processPage(at));
      done += count;
    }
    return true;
  }
}

/**
 * @param folder - any folder
 * @returns bytes that its file system has room for
 */
export function roomIn(folder: string): number {
  const { bavail, bsize } = statfsSync(folder);
  return bavail * bsize;
}
