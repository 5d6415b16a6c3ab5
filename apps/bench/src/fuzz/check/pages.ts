/**
 * What the GPU finds at each page, against the naive model of pages (`page-world.ts`).
 *
 * A page is known by what is stored in it: the checker, as the GPU, looks at a page, demands what was stored there last (0 in an object
 * that is new), and stores another word. So memory that is another object's, that is an older one's, or that a stale
 * translation leads to, shows a word that is not its own. A page is looked at in the tables and through the TLB.
 *
 * Behind each call and event all places are looked at that it is about, those at the edges of what a call names among them, and a few
 * others in turn; all others behind every {@link ALL_EVERY}th call; and in the end all of them, against the log as a whole.
 *
 * @module
 */

import { hex } from "@vmbind/drm";
import { RIGHT_READ, RIGHT_WRITE, Walk } from "@vmbind/mmu";
import type { Call, CheckedCall, Checker, ModelVm, OpenDevice, Report, TraceEvent } from "@vmbind/trace";
import type { FuzzDriver } from "../fuzz-driver.ts";
import type { Cell, Place, RangeLine } from "../page-log.ts";
import { type PageVm, PageWorld } from "../page-world.ts";

/** Places that are kept of a VM, those where something began or ended last. */
const PLACES_MAX = 128;
/** Old places of a VM that are looked at behind each call, in turn. */
const OLD_PLACES = 4;
/** Behind so many calls all of them are. */
const ALL_EVERY = 64;

/** Reports `pages` where the GPU finds something else, and `liveness` where a call was refused that has to succeed. */
export class PageChecker implements Checker {
  readonly #driver: FuzzDriver;
  readonly #device: OpenDevice;
  readonly #report: Report;
  readonly #world: PageWorld;
  /** What the tables have, and what an access finds. */
  readonly #walked = new Walk();
  readonly #found = new Walk();
  /** A word on its way; the host is little endian. */
  readonly #word = new Uint32Array(1);
  readonly #bytes = new Uint8Array(this.#word.buffer);
  #stamp = 0;
  #calls = 0;
  #sent: Call | null = null;
  #bindOps = 0;
  /** See {@link PageChecker.#givenUp}, before the call. */
  #before = 0;
  #mustSucceed = false;
  /** One difference says enough. */
  #broken = false;

  /**
   * @param driver - reads the calls
   * @param device - the device under test
   * @param report - takes what is wrong
   */
  constructor(driver: FuzzDriver, device: OpenDevice, report: Report) {
    this.#driver = driver;
    this.#device = device;
    this.#report = report;
    this.#world = new PageWorld(driver.facts);
  }

  /** See {@link Checker.beforeCall}. The call's memory has to stay as it is: who lets the model have other memory comes later. */
  beforeCall({ file, request, arg, buffers }: CheckedCall): void {
    this.#sent = { file, request, arg, buffers };
    this.#bindOps = this.#device.counters.bindOps;
    this.#before = this.#givenUp();
  }

  /** See {@link Checker.afterCall}. */
  afterCall({ file, ret, arg, reason }: CheckedCall): void {
    const sent = this.#sent;
    if (sent === null || this.#broken) return;
    if (this.#mustSucceed && ret !== 0)
      this.#say("liveness", `${reason}: refused with ${ret}, and had to succeed`);
    this.#mustSucceed = false;
    const started = this.#device.counters.bindOps - this.#bindOps;
    const done = ret === 0 ? sent : this.#driver.prefix(sent, arg, started);
    const meaning = done === null ? null : this.#driver.meaning(done, ret === 0 ? arg : done.arg);
    if (meaning !== null) this.#world.called(file, meaning);
    const asked = ret === 0 ? meaning : this.#driver.meaning(sent, sent.arg);
    if (asked !== null && ret !== 0) this.#world.refused(file, asked);
    if (asked !== null && this.#givenUp() > this.#before) this.#world.starved(file, asked);
    this.#look(++this.#calls % ALL_EVERY === 0);
  }

  /** What was not done without a word: allocations that failed, and leaves that the kernel warns of, since memory cannot be mapped so. */
  #givenUp(): number {
    const { allocationsFailed, counters } = this.#device;
    return allocationsFailed + (counters["kernelWarnings"] ?? 0);
  }

  /** See {@link Checker.afterEvent}. */
  afterEvent(event: TraceEvent, result: number): void {
    if (event.kind === "must-succeed") {
      this.#mustSucceed = true;
      return;
    }
    this.#world.happened(event, result);
    this.#look(false);
  }

  /** See {@link Checker.end}. */
  end(): void {
    for (const [, , vm] of this.#world.vms()) vm.log.check();
    this.#look(true);
  }

  #look(all: boolean): void {
    if (this.#broken) return;
    for (const [file, id, vm] of this.#world.vms()) {
      const model = this.#device.vm(file, id);
      if (model === undefined) {
        this.#say("pages", `file ${file} VM ${id}: is gone, expected to be there`);
        return;
      }
      if ("unusable" in model && model.unusable === true) vm.lost = true;
      const end = vm.lost ? 0 : this.#driver.vaEnd(this.#device.file(file));
      const bad = this.#firstBad(model, vm, end, all);
      if (bad !== null) {
        this.#say(
          "pages",
          `a page differs: file ${file} VM ${id} ${hex(bad.va)} ${this.#difference(bad, vm)}`,
        );
        return;
      }
      vm.log.looked(PLACES_MAX);
    }
  }

  /** @returns the first place that is not as it must be */
  #firstBad(model: ModelVm, vm: PageVm, end: number, all: boolean): Place | null {
    const { log } = vm;
    if (all) {
      for (const place of log.places()) if (place.va < end && !this.#isRight(model, vm, place)) return place;
      return null;
    }
    for (const place of log.changed) if (place.va < end && !this.#isRight(model, vm, place)) return place;
    for (let left = OLD_PLACES; left > 0; left--) {
      const place = log.next();
      if (place !== null && place.va < end && !this.#isRight(model, vm, place)) return place;
    }
    return null;
  }

  /** Whether a page is as it must be; another word is stored in it then. */
  #isRight({ addressSpace }: ModelVm, vm: PageVm, place: Place): boolean {
    if (place.line?.behind === "unknown") return true;
    const walked = addressSpace.walk(place.va, this.#walked);
    const found = addressSpace.translate(place.va, this.#found);
    if (walked.kind !== found.kind || walked.pa !== found.pa) return false;
    const shown = this.#shown(vm, place);
    if (shown === null) return false;
    if (walked.kind !== "page" || (found.rights & RIGHT_WRITE) === 0) return true;
    if (shown.cell === null) {
      if (shown !== place || place.line?.behind !== "null") return true;
      // Nothing may also be a page that swallows what is stored to it.
      addressSpace.store32(place.va, ++this.#stamp);
      return this.#wordAt(walked.pa) === 0;
    }
    // What is stored to an object that moves is lost: programs do not, and their batches wait.
    if (!this.#world.moving) addressSpace.store32(place.va, this.#newWord(shown.cell));
    return true;
  }

  /** What was found: the page as it is for sure, or behind a job that may have happened; nothing to store to where it may be either. */
  #shown(vm: PageVm, place: Place): Pick<Place, "cell"> | null {
    let shown: Place | null = this.#matches(vm, place) ? place : null;
    if (vm.jobs.count === 0) return shown;
    for (const other of vm.jobs.possible(place, this.#driver.facts)) {
      if (other.line?.behind !== "unknown" && !this.#matches(vm, other)) continue;
      if (shown !== null && shown.cell !== other.cell) return { cell: null };
      shown = other;
    }
    return shown;
  }

  /** Whether what was found is what a page shows. */
  #matches({ unbound, keepsPromises }: PageVm, { line, taken, advised, cell, under }: Place): boolean {
    const walked = this.#walked;
    const maybeNot = line?.promised === true && !keepsPromises;
    if (walked.kind === "page") {
      if (line?.behind === "null") return this.#wordAt(walked.pa) === 0;
      if (cell === null || taken === "yes") return false;
      const rights = rightsOf(walked);
      return (
        rights === line?.access && rights === rightsOf(this.#found) && this.#wordAt(walked.pa) === cell.word
      );
    }
    if (walked.kind === unbound && (line === null || maybeNot)) return true;
    // What lies under a mapping shows where its memory was taken, or where it did not come back.
    const isAway = taken !== "no" || advised;
    if (walked.kind === "fault") {
      return (
        (isAway && under === null) || maybeNot || (cell !== null && this.#world.moving) || mayBeGone(line)
      );
    }
    if (isAway && under !== null) return true;
    return taken !== "yes" && (line?.behind === "null" || mayBeGone(line));
  }

  #newWord(cell: Cell): number {
    cell.word = ++this.#stamp;
    return cell.word;
  }

  #wordAt(pa: number): number {
    this.#device.memory.read(pa, this.#bytes);
    return this.#word[0] as number;
  }

  #difference(place: Place, { unbound, keepsPromises }: PageVm): string {
    const { line, taken, cell, under } = place;
    const away = under === null ? "fault" : "null";
    const there = cell !== null ? pageWords(line?.access ?? "", cell.word) : line === null ? unbound : "null";
    const words = taken === "yes" ? [away] : [there];
    if (taken === "maybe") words.push(away);
    if (line?.promised === true && !keepsPromises) words.push("fault", unbound);
    const walked = this.#words(this.#walked);
    const found = this.#words(this.#found);
    const where =
      walked === found && this.#walked.pa !== this.#found.pa
        ? `, at ${hex(this.#walked.pa)} and ${hex(this.#found.pa)}`
        : "";
    return `shows ${walked} in the tables and ${found} to an access${where}, expected ${words.join(" or ")}`;
  }

  #words(walk: Walk): string {
    return walk.kind === "page" ? pageWords(rightsOf(walk), this.#wordAt(walk.pa)) : walk.kind;
  }

  #say(rule: string, text: string): void {
    this.#broken = true;
    this.#report(rule, "none", text);
  }
}

/** Contents that are gone show as null pages, or as nothing where those could not be bound. */
function mayBeGone(line: RangeLine | null): boolean {
  return line !== null && typeof line.behind !== "string" && line.behind.mayBeGone;
}

/** In the words of {@link RangeLine.access}. */
function rightsOf({ rights }: Walk): string {
  const writable = (rights & RIGHT_WRITE) !== 0;
  return (rights & RIGHT_READ) !== 0 ? (writable ? "rw" : "r") : writable ? "w" : "";
}

function pageWords(access: string, word: number): string {
  return `a page ${access} with ${word}`;
}
