/**
 * The mappings of each VM, against the plain interval model: where the client's workload ends, before a VM or a file goes,
 * and at the end.
 *
 * @module
 */

import { hex, type MappingView, span } from "@vmbind/drm";
import type { OpenDevice } from "../device.ts";
import type { TraceEvent } from "../event.ts";
import type { PlainFile } from "../model/counts.ts";
import type { Interval } from "../model/intervals.ts";
import type { PlainSpace } from "../model/plain-space.ts";
import type { TraceMark } from "../record.ts";
import type { CheckedCall, Checker, Report } from "./checker.ts";

/** Reports `mappings`, once a VM, where model and plain model part. */
export class MappingChecker implements Checker {
  readonly #device: OpenDevice;
  readonly #plain: ReadonlyMap<number, PlainFile>;
  readonly #report: Report;
  /** Nothing has happened since the last comparison. */
  #compared = false;

  /**
   * @param device - the model
   * @param plain - the plain model of each open file; empty for none
   * @param report - takes what differs
   */
  constructor(device: OpenDevice, plain: ReadonlyMap<number, PlainFile>, report: Report) {
    this.#device = device;
    this.#plain = plain;
    this.#report = report;
  }

  /** See {@link Checker.beforeCall}. */
  beforeCall({ action }: CheckedCall): void {
    if (action.kind === "vm-destroy") this.#compare();
  }

  /** See {@link Checker.afterCall}. */
  afterCall(): void {
    this.#compared = false;
  }

  /** See {@link Checker.mark}. */
  mark({ mark }: TraceMark, event: TraceEvent | null): void {
    if (mark === "workload-end" || event?.kind === "close") this.#compare();
  }

  /** See {@link Checker.end}. */
  end(): void {
    this.#compare();
  }

  #compare(): void {
    if (this.#compared) return;
    this.#compared = true;
    const open = new Map(this.#device.entries());
    for (const [index, file] of this.#plain) {
      const model = new Map(open.get(index)?.vms());
      for (const [id, plain] of file.vms) {
        const name = index === 0 ? `VM ${id}` : `file ${index} VM ${id}`;
        const vm = model.get(id);
        if (vm === undefined || !isAlike(plain, vm.mappings()))
          this.#compareVm(name, plain.intervals, [...(vm?.mappings() ?? [])]);
      }
    }
  }

  #compareVm(name: string, expected: readonly Interval[], got: readonly MappingView[]): void {
    const count = Math.max(got.length, expected.length);
    for (let i = 0; i < count; i++) {
      const e = expected[i];
      const g = got[i];
      if (e && g && isSame(e, g)) continue;
      this.#report(
        "mappings",
        `${name}: ${expected.length} mappings, number ${i} ${e ? `${e.kind} ${span(e.addr, e.end - e.addr)} + ${hex(e.offset)}` : "none"}`,
        `${got.length} mappings, number ${i} ${g ? `${g.kind} ${span(g.addr, g.range)} + ${hex(g.offset)}` : "none"}`,
      );
      return;
    }
  }
}

/** Mostly all are alike, and then no list of them has to be made. */
function isAlike(plain: PlainSpace, got: Iterable<MappingView>): boolean {
  const expected = plain.cursor();
  for (const mapping of got) if (!expected.next() || !isSame(expected, mapping)) return false;
  return !expected.next();
}

/** Repeated mappings keep their offset in each driver's own way. */
function isSame(e: Pick<Interval, "addr" | "end" | "offset">, g: MappingView): boolean {
  return e.addr === g.addr && e.end === g.addr + g.range && (g.kind !== "bo" || g.offset === e.offset);
}
