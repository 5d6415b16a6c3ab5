/**
 * What lies behind addresses: the tables are walked, and the physical address is looked up among the objects. Mappings are not asked, so
 * that where a driver's tables and its mappings differ, this is what the GPU has.
 *
 * @module
 */

import { type GemObject, hex } from "@vmbind/drm";
import { GpuFault, leaves, Walk } from "@vmbind/mmu";
import type { SparseSession } from "../strategy/strategy.ts";
import type { SightAnswer, SightRun } from "./answer.ts";

/** Runs of a range that are kept. */
const RUNS_MAX = 64;
/** Leaves of a range that are looked at. */
const LEAVES_MAX = 2 ** 17;

/** A piece of physical memory, and whose it is. */
interface Piece {
  readonly pa: number;
  readonly end: number;
  /** Bytes from the start of the object. */
  readonly offset: number;
  readonly name: string;
  readonly isProgram: boolean;
}

/** Whose memory is where, at one moment. */
export class GpuSight {
  readonly #session: SparseSession;
  readonly #names: ReadonlyMap<GemObject, string>;
  /** Ascending. */
  readonly #pieces: Piece[] = [];

  /**
   * @param session - a session
   * @param names - what a program calls the objects that it has allocated
   */
  constructor(session: SparseSession, names: ReadonlyMap<GemObject, string>) {
    this.#session = session;
    this.#names = names;
    for (const gem of session.accounts.objects()) this.#take(gem);
    this.#pieces.sort((a, b) => a.pa - b.pa);
  }

  /**
   * Load a word, or store one.
   *
   * @param va - where
   * @param value - what to store; undefined loads
   * @returns what was found
   */
  access(va: number, value?: number): SightAnswer {
    const { vm, beforeAccess } = this.#session;
    beforeAccess?.call(this.#session);
    const space = vm.addressSpace;
    const faults = space.faults.length;
    const { behind, object } = this.#behind(space.walk(va));
    const access = value === undefined ? "read" : "write";
    let found: number | null = null;
    let fault = "";
    let stops = false;
    try {
      if (value === undefined) found = space.load32(va);
      else {
        space.store32(va, value);
        found = this.#reached(va, value) ? value : null;
      }
      fault = space.faults[faults]?.message ?? "";
    } catch (error) {
      if (!(error instanceof GpuFault)) throw error;
      fault = error.message;
      stops = true;
    }
    return { access, va, behind, object, value: found, fault, stops };
  }

  /** Whether a word is in memory: an entry may stand for none, and some hardware drops what goes to a page. */
  #reached(va: number, value: number): boolean {
    const { addressSpace: space } = this.#session.vm;
    const { kind, pa } = space.walk(va);
    if (kind !== "page") return false;
    const word = new DataView(new ArrayBuffer(4));
    space.memory.read(pa, new Uint8Array(word.buffer));
    return word.getUint32(0, true) === value;
  }

  /**
   * @param va - first byte of a range
   * @param bytes - of it
   * @returns the first runs of what the GPU finds, and how many there are
   */
  runs(va: number, bytes: number): { runs: SightRun[]; runCount: number } {
    const { addressSpace: space } = this.#session.vm;
    const end = va + bytes;
    const runs: SightRun[] = [];
    let runCount = 0;
    let last: { -readonly [K in keyof SightRun]: SightRun[K] } | null = null;
    let at = va;
    let seen = 0;
    const walk = new Walk();
    const add = (to: number, leafBytes: number, behind: SightRun["behind"], object: string): void => {
      const isGap = leafBytes === 0;
      if (last && last.leafBytes === leafBytes && last.behind === behind && last.object === object) {
        last.bytes += to - at;
        last.leaves += isGap ? 0 : 1;
      } else {
        last = { addr: at, bytes: to - at, leaves: isGap ? 0 : 1, leafBytes, behind, object };
        if (runCount++ < RUNS_MAX) runs.push(last);
      }
      at = to;
    };
    for (const leaf of leaves(space.memory, space.format, space.root, { start: va, end })) {
      if (++seen > LEAVES_MAX) break;
      if (leaf.va > at) add(leaf.va, 0, "fault", "");
      const { behind, name } = this.#behind(space.walk(at, walk));
      add(Math.min(leaf.va + leaf.sizeBytes, end), leaf.sizeBytes, behind, name);
    }
    if (at < end && seen <= LEAVES_MAX) add(end, 0, "fault", "");
    return { runs, runCount };
  }

  #behind({ kind, pa }: Walk): { behind: SightAnswer["behind"]; object: string; name: string } {
    if (kind !== "page") return { behind: kind, object: "", name: "" };
    const piece = this.#pieceAt(pa);
    // What no handle stands for is the kernel's.
    if (piece === undefined) return { behind: "driver", object: "driver page", name: "driver page" };
    const { name, isProgram, offset } = piece;
    if (!isProgram) return { behind: "driver", object: name, name };
    return { behind: "memory", object: `${name} + ${hex(offset + (pa - piece.pa))}`, name };
  }

  #pieceAt(pa: number): Piece | undefined {
    let low = 0;
    let high = this.#pieces.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.#pieces[middle] as Piece).pa <= pa) low = middle + 1;
      else high = middle;
    }
    const piece = this.#pieces[low - 1];
    return piece !== undefined && pa < piece.end ? piece : undefined;
  }

  #take(gem: GemObject): void {
    // Asking an object without pages for them would make some.
    if (gem.residentBytes === 0) return;
    const name = nameOfObject(this.#session, this.#names, gem);
    const isProgram = this.#names.has(gem);
    let offset = 0;
    for (const { pa, bytes } of gem.segments(0, gem.size)) {
      this.#pieces.push({ pa, end: pa + bytes, offset, name, isProgram });
      offset += bytes;
    }
  }
}

/**
 * @param session - a session
 * @param names - what a program calls the objects that it has allocated
 * @param gem - an object
 * @returns that name, or its role: `zero page`, `kernel dummy`
 */
export function nameOfObject(
  session: Pick<SparseSession, "file" | "roles" | "kernelRole">,
  names: ReadonlyMap<GemObject, string>,
  gem: GemObject,
): string {
  return names.get(gem) ?? session.roles.get(session.file.handleOf(gem)) ?? session.kernelRole(gem);
}
