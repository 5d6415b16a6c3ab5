/**
 * Where the bytes of data memory are kept: all memory but page tables. By default a sparse map of 4 KiB pages in this
 * process; another place, such as a file that a second process maps, is anything with `read`, `write` and `discard`.
 *
 * @module
 */

const PAGE_BYTES = 4096;

/**
 * Keeps the bytes of data memory by physical address. Addresses are bytes below 2^53; ranges may cross pages but never
 * touch a page-table page.
 */
export interface PhysicalBacking {
  /**
   * Load.
   *
   * @param pa - address of the first byte
   * @param out - filled with the bytes there; memory that was never written, or discarded since, reads as zero
   */
  read(pa: number, out: Uint8Array): void;
  /**
   * Store.
   *
   * @param pa - address of the first byte
   * @param bytes - what to keep there; not to be held on to
   */
  write(pa: number, bytes: Uint8Array): void;
  /**
   * Nobody needs the bytes any more: they read as zero from now on.
   *
   * @param pa - address of the first byte
   * @param bytes - length
   */
  discard(pa: number, bytes: number): void;
}

/** Memory in this process: pages that appear when they are first stored to. */
export class DataPages implements PhysicalBacking {
  /** By page number: below 8 TiB a small integer, which a Map finds several times faster than a double. */
  readonly #pages = new Map<number, Uint8Array>();

  /** Bytes that the host holds: what was really stored to, in pages. */
  get residentBytes(): number {
    return this.#pages.size * PAGE_BYTES;
  }

  /**
   * Whether anything was stored to a range, or to a page that it touches, since it was discarded last; false says that it reads
   * as zero.
   *
   * @param pa - address of the first byte
   * @param bytes - length
   */
  holds(pa: number, bytes: number): boolean {
    const end = pa + bytes;
    for (let at = pa - offsetInPage(pa); at < end; at += PAGE_BYTES) {
      if (this.#pages.has(at / PAGE_BYTES)) return true;
    }
    return false;
  }

  /** See {@link PhysicalBacking.read}. */
  read(pa: number, out: Uint8Array): void {
    for (let done = 0; done < out.length; ) {
      const inPage = offsetInPage(pa + done);
      const count = Math.min(out.length - done, PAGE_BYTES - inPage);
      const page = this.#pages.get((pa + done - inPage) / PAGE_BYTES);
      if (page === undefined) out.fill(0, done, done + count);
      else copyBytes(page, inPage, out, done, count);
      done += count;
    }
  }

  /** See {@link PhysicalBacking.write}. */
  write(pa: number, bytes: Uint8Array): void {
    for (let done = 0; done < bytes.length; ) {
      const inPage = offsetInPage(pa + done);
      const count = Math.min(bytes.length - done, PAGE_BYTES - inPage);
      const number = (pa + done - inPage) / PAGE_BYTES;
      copyBytes(bytes, done, this.#pages.get(number) ?? this.#create(number), inPage, count);
      done += count;
    }
  }

  /** See {@link PhysicalBacking.discard}. Pages that lie wholly inside are dropped. */
  discard(pa: number, bytes: number): void {
    const end = pa + bytes;
    const firstWhole = Math.ceil(pa / PAGE_BYTES) * PAGE_BYTES;
    const endWhole = Math.floor(end / PAGE_BYTES) * PAGE_BYTES;
    if (firstWhole > endWhole) {
      this.#clear(pa, end);
      return;
    }
    this.#clear(pa, firstWhole);
    this.#clear(endWhole, end);
    // The cheaper of two scans: the range, or the pages that exist.
    const first = firstWhole / PAGE_BYTES;
    const last = endWhole / PAGE_BYTES;
    if (last - first <= this.#pages.size) {
      for (let number = first; number < last; number++) this.#pages.delete(number);
    } else {
      for (const number of this.#pages.keys()) {
        if (number >= first && number < last) this.#pages.delete(number);
      }
    }
  }

  /** Clears a part of one page, if the page exists. */
  #clear(start: number, end: number): void {
    const inPage = offsetInPage(start);
    if (start < end) this.#pages.get((start - inPage) / PAGE_BYTES)?.fill(0, inPage, inPage + end - start);
  }

  #create(number: number): Uint8Array {
    const bytes = new Uint8Array(PAGE_BYTES);
    this.#pages.set(number, bytes);
    return bytes;
  }
}

/** The low bits are exact for every address that a number holds. */
function offsetInPage(pa: number): number {
  return pa & (PAGE_BYTES - 1);
}

/** A word is cheaper to copy byte by byte than to make two views for. */
function copyBytes(from: Uint8Array, fromAt: number, to: Uint8Array, toAt: number, count: number): void {
  if (count <= 8) for (let i = 0; i < count; i++) to[toAt + i] = from[fromAt + i] as number;
  else to.set(from.subarray(fromAt, fromAt + count), toAt);
}
