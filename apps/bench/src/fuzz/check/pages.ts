/**
 * What the GPU finds at each page, against the naive model of pages (`page-world.ts`).
 *
 * A page is known by what is stored in it: the checker, as the GPU, looks at a page, demands what was stored there last (0 in an object
 * that is new), and stores another word. So memory that is another object's, that is an older one's, or that a stale
 * translation leads to, shows a word that is not its own. A page is looked at in the tables and through the TLB.
 *
 * @module
 */

import { Walk } from "@vmbind/mmu";
import type { Call, CheckedCall, Checker, ModelVm, OpenDevice, Report, TraceEvent } from "@vmbind/trace";
import { copyOf } from "../call.ts";
import type { FuzzDriver } from "../fuzz-driver.ts";
import type { Expected } from "../page-log.ts";
import { type PageVm, PageWorld } from "../page-world.ts";

/** Old places that are looked at behind each call, in turn. */
const OLD_PLACES = 24;
/** Behind so many calls all of them are. */
const ALL_EVERY = 16;

/** Reports `pages` where the GPU finds something else, and `liveness` where a call was refused that has to succeed. */
export class PageChecker implements Checker {
  readonly #driver: FuzzDriver;
  readonly #device: OpenDevice;
  readonly #report: Report;
  readonly #world: PageWorld;
  /** What was stored last, by object and page. */
  readonly #stored = new Map<string, number>();
  readonly #walk = new Walk();
  readonly #word = new DataView(new ArrayBuffer(4));
  #stamp = 0;
  #calls = 0;
  #turn = 0;
  #sent: Call | null = null;
  #bindOps = 0;
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

  /** See {@link Checker.beforeCall}. */
  beforeCall(call: CheckedCall): void {
    this.#sent = copyOf(call);
    this.#bindOps = this.#device.counters.bindOps;
  }

  /** See {@link Checker.afterCall}. */
  afterCall({ file, ret, arg, reason }: CheckedCall): void {
    const sent = this.#sent;
    if (sent === null || this.#broken) return;
    if (this.#mustSucceed && ret !== 0)
      this.#say("liveness", `${reason}: refused with ${ret}, and had to succeed`);
    this.#mustSucceed = false;
    const started = this.#device.counters.bindOps - this.#bindOps;
    const done = ret === 0 ? sent : this.#driver.prefix(sent, arg.slice(), started);
    const meaning = done === null ? null : this.#driver.meaning(done, ret === 0 ? arg : done.arg);
    if (meaning !== null) this.#world.called(file, meaning);
    this.#look(++this.#calls % ALL_EVERY === 0);
  }

  /** See {@link Checker.afterEvent}. */
  afterEvent(event: TraceEvent, result: number): void {
    if (event.kind === "must-succeed") {
      this.#mustSucceed = true;
      return;
    }
    this.#world.happened(event, result);
    this.#look(event.kind !== "fault" && event.kind !== "fence");
  }

  /** See {@link Checker.end}. */
  end(): void {
    this.#look(true);
  }

  #look(all: boolean): void {
    if (this.#broken) return;
    const found = new Map<PageVm, [name: string, model: ModelVm, end: number]>();
    const places: [PageVm, number][] = [...this.#world.takeChanged()];
    for (const [file, id, vm] of this.#world.vms()) {
      const model = this.#device.vm(file, id);
      if (model === undefined) {
        this.#say("pages", `file ${file} VM ${id}: is gone, expected to be there`);
        return;
      }
      if ("unusable" in model && model.unusable === true) vm.lost = true;
      const end = this.#driver.vaEnd(this.#device.file(file));
      found.set(vm, [`file ${file} VM ${id}`, model, end]);
      const old = [...vm.places];
      if (all) places.push(...old.map((va): [PageVm, number] => [vm, va]));
      else if (old.length > 0) {
        for (let i = 0; i < OLD_PLACES / 4; i++) places.push([vm, old[this.#turn++ % old.length] as number]);
      }
    }
    for (const [vm, va] of places) {
      const [name, model, end] = found.get(vm) ?? [];
      if (name === undefined || model === undefined || vm.lost || va >= (end ?? 0)) continue;
      if (!this.#compare(name, model, vm, va)) return;
    }
  }

  /** @returns whether the page is as it must be */
  #compare(name: string, model: ModelVm, vm: PageVm, va: number): boolean {
    const expected = vm.log.at(va);
    if (expected.content.kind === "unknown") return true;
    const space = model.addressSpace;
    space.walk(va, this.#walk);
    const walked = this.#found();
    space.translate(va, this.#walk);
    const translated = this.#found();
    const words = this.#words(vm, expected);
    if (walked !== translated || !words.includes(walked)) {
      this.#say(
        "pages",
        `a page differs: ${name} 0x${va.toString(16)} shows ${walked} in the tables and ${translated} to an access, ` +
          `expected ${words.join(" or ")}`,
      );
      return false;
    }
    if (expected.content.kind === "object" && this.#walk.kind === "page" && this.#walk.writable) {
      space.store32(va, ++this.#stamp);
      this.#stored.set(`${expected.content.object}:${expected.content.page}`, this.#stamp);
    }
    return true;
  }

  #found(): string {
    const { kind, readable, writable, pa } = this.#walk;
    if (kind !== "page") return kind;
    this.#device.memory.read(pa, new Uint8Array(this.#word.buffer));
    return pageWords((readable ? "r" : "") + (writable ? "w" : ""), this.#word.getUint32(0, true));
  }

  #words({ unbound, keepsPromises }: PageVm, { content, access, promised, taken }: Expected): string[] {
    const there =
      content.kind === "object"
        ? pageWords(access, this.#stored.get(`${content.object}:${content.page}`) ?? 0)
        : content.kind === "null"
          ? "null"
          : unbound;
    const words = taken === "yes" ? ["fault"] : [there];
    if (taken === "maybe") words.push("fault");
    if (promised && !keepsPromises) words.push("fault", unbound);
    return words;
  }

  #say(rule: string, text: string): void {
    this.#broken = true;
    this.#report(rule, "none", text);
  }
}

function pageWords(access: string, word: number): string {
  return `a page ${access} with ${word}`;
}
