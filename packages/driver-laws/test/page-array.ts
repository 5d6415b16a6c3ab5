/**
 * The naive model: an array of pages, each of which shows a page of an object, a sparse range, or nothing. It knows no
 * mappings, no tables and no GPUVM, and shares no code with a driver.
 *
 * What a page shows is seen by its content: each page of an object is stamped, through a bind of its own, with a number
 * that says whose page it is. So it does not matter where the memory lies, and a translation that is wrong or stale
 * shows another stamp or none.
 */

import { Walk } from "@vmbind/mmu";
import { mustBind } from "./law.ts";
import type { Access, Facts, Op, TestFile, TestVm } from "./subject.ts";

const NOTHING = -1;
/** Pages of objects, by number: object * 2^20 + page. Sparse ranges that keep stores count as object 0. */
const OBJECT = 2 ** 20;
const SPARSE = 0;

/** Pages on either side of an edge of {@link Facts.edges} that are looked at. */
const NEAR = 45;
/** Between them, one of so many: no power of two, so that every place in a table is met. */
const STRIDE = 37;
const STRIDES_MAX = 300;

/** Pages of a VM, and what each shows. */
export class PageArray {
  readonly #facts: Facts;
  /** The pages that are looked at, ascending. Ranges are long, so not all are. */
  readonly vas: readonly number[];
  readonly #shows: Int32Array;
  readonly #access: Access[];
  /** The page may still fault: what it shows was only promised. */
  readonly #promised: Uint8Array;
  /** The page's object was taken away, and not brought back since. */
  readonly #evicted: Uint8Array;

  constructor(facts: Facts) {
    this.#facts = facts;
    const { seam, edges, pageBytes } = facts;
    const pages = new Set<number>();
    for (const edge of edges) for (let d = -NEAR; d <= NEAR; d++) pages.add(edge / pageBytes + d);
    const first = (edges[0] as number) / pageBytes;
    const last = (edges.at(-1) as number) / pageBytes;
    const stride = Math.max(STRIDE, Math.ceil((last - first) / STRIDES_MAX) | 1);
    for (let page = first; page < last; page += stride) pages.add(page);
    this.vas = [...pages].sort((a, b) => a - b).map((page) => seam + page * pageBytes);
    this.#shows = new Int32Array(this.vas.length).fill(NOTHING);
    this.#access = new Array(this.vas.length).fill("rw");
    this.#promised = new Uint8Array(this.vas.length);
    this.#evicted = new Uint8Array(this.vas.length);
  }

  /**
   * @param object - the object's number, from 1, in place of its handle
   * @param promised - it may be that only an access binds it
   */
  apply(op: Op, object: number, promised = false): void {
    if (op.kind === "unbind-object") this.forget(object);
    if (!("va" in op)) return;
    const { pageBytes, sparse } = this.#facts;
    this.vas.forEach((va, i) => {
      if (va < op.va || va >= op.va + op.bytes) return;
      const page = (va - op.va) / pageBytes;
      if (op.kind === "unbind") this.#set(i, NOTHING, "rw");
      else if (op.kind === "sparse") {
        const phase = sparse?.stores === "kept" ? (va % sparse.period) / pageBytes : 0;
        this.#set(i, SPARSE + phase, "rw");
      } else if (op.kind === "bind") {
        this.#set(i, object * OBJECT + op.offset / pageBytes + page, op.access);
      } else if (op.kind === "repeat") {
        const inWindow = page % (op.window / pageBytes);
        this.#set(i, object * OBJECT + op.offset / pageBytes + inWindow, op.access);
      }
      if (promised && op.kind !== "unbind") this.#promised[i] = 1;
    });
  }

  /** Every page that shows an object shows nothing. */
  forget(object: number): void {
    this.#each(object, (i) => this.#set(i, NOTHING, "rw"));
  }

  /** @param object - its number, or 0 for what is behind sparse ranges */
  evict(object: number): void {
    this.#each(object, (i) => {
      this.#evicted[i] = 1;
    });
  }

  restore(): void {
    this.#evicted.fill(0);
  }

  #each(object: number, act: (i: number) => void): void {
    this.#shows.forEach((shown, i) => {
      if (shown !== NOTHING && Math.floor(shown / OBJECT) === object) act(i);
    });
  }

  #set(i: number, shows: number, access: Access): void {
    this.#shows[i] = shows;
    this.#access[i] = access;
    this.#promised[i] = 0;
    this.#evicted[i] = 0;
  }

  /** What the GPU must find at a page: kind, rights, content. */
  #expected(i: number): string {
    const evicted = this.#shows[i] !== NOTHING && this.#evicted[i] === 1;
    return evicted ? "fault" : this.#shown(i);
  }

  /** The same, were everything there. */
  #shown(i: number): string {
    const { unbound, sparse } = this.#facts;
    const shown = this.#shows[i] as number;
    if (shown === NOTHING) return unbound;
    if (shown < OBJECT && sparse?.stores !== "kept") return "null";
    return `page ${this.#access[i]} ${stampOf(shown)}`;
  }

  /** Each page against the tables, and against what an access would find, which may be in the TLB. */
  check(vm: TestVm): void {
    const { bindsRestore } = this.#facts;
    const space = vm.space();
    const walk = new Walk();
    const found = (): string => {
      if (walk.kind !== "page") return walk.kind;
      if (walk.pa === vm.nullPage) return "null";
      const word = new Uint8Array(4);
      space.memory.read(walk.pa, word);
      const rights = (walk.readable ? "r" : "") + (walk.writable ? "w" : "");
      return `page ${rights} ${new DataView(word.buffer).getUint32(0, true)}`;
    };
    this.vas.forEach((va, i) => {
      const expected = this.#expected(i);
      space.walk(va, walk);
      const walked = found();
      space.translate(va, walk);
      const translated = found();
      if (walked === expected && translated === expected) return;
      // Brought back before it had to be.
      if (this.#evicted[i] === 1 && bindsRestore === true) {
        if (walked === translated && walked === this.#shown(i)) return;
      }
      const faults = walked === "fault" && translated === "fault";
      if (!(faults && this.#promised[i] === 1)) {
        const place = `0x${va.toString(16)}`;
        throw new Error(
          `page ${place}: expected ${expected}, walked to ${walked}, an access gets ${translated}`,
        );
      }
    });
  }
}

function stampOf(shown: number): number {
  return shown + 1;
}

/** Write into each page of an object which page it is. */
export function stampObject(
  file: TestFile,
  vm: number,
  facts: Facts,
  handle: number,
  object: number,
  pages: number,
): void {
  const bytes = pages * facts.pageBytes;
  const bind: Op = { kind: "bind", va: facts.elsewhere, bytes, object: handle, offset: 0, access: "rw" };
  stamp(file, vm, facts, bind, object);
}

/** The same for what is behind sparse ranges, where stores are kept. */
export function stampSparse(file: TestFile, vm: number, facts: Facts): void {
  if (facts.sparse?.stores !== "kept") return;
  stamp(file, vm, facts, { kind: "sparse", va: facts.elsewhere, bytes: facts.sparse.period }, SPARSE);
}

function stamp(
  file: TestFile,
  vm: number,
  { pageBytes }: Facts,
  op: Op & { va: number; bytes: number },
  object: number,
): void {
  mustBind(file, vm, [op]);
  const space = file.vm(vm).space();
  for (let page = 0; page < op.bytes / pageBytes; page++) {
    space.store32(op.va + page * pageBytes, stampOf(object * OBJECT + page));
  }
  mustBind(file, vm, [{ kind: "unbind", va: op.va, bytes: op.bytes }]);
}
