/**
 * A simulation: a session in which everything that a device meets in its life happens at once. Up to three files with several VMs
 * each bind, unbind and share objects; fences of other devices signal in any order; memory is taken and given back; allocations
 * fail; files close in the middle of things. What the GPU finds is compared with a naive model of pages all the time.
 *
 * How often each thing happens is drawn for each session, so that some sessions do little else and some never do it. In the
 * first half allocations may fail and nothing may break; then all fences signal, everything comes back, nothing fails any more, and
 * every VM must bind and unbind again.
 *
 * @module
 */

import type { Call, TraceEvent } from "@vmbind/trace";
import { Draw } from "./draw.ts";
import { type ExamineOptions, Examiner, type FuzzFinding, SIMULATION } from "./examiner.ts";
import { isFollowed } from "./fuzz-driver.ts";
import { mutate } from "./mutate.ts";
import { freshDevice, headerFor, type SessionResult, type Target } from "./session.ts";
import { specByNumber } from "./spec.ts";
import { STEPS } from "./step-log.ts";

/** Binary syncobjs that outside fences go into, and that calls of the drivers wait for. */
const SYNCOBJS = 4;
const FENCES_MAX = 6;
/** A call that the naive model does not follow is drawn again, so many times. */
const TRIES = 16;
/** Operations of the longest arrays, as a power of two, and at most. */
const LONG_LG2 = 13;
const LONG_MAX = 10_000;

/** How often things happen, in a hundred steps. */
interface Odds {
  readonly files: number;
  readonly close: number;
  readonly evict: number;
  readonly restore: number;
  readonly fence: number;
  readonly signal: number;
  readonly fault: number;
  readonly share: number;
  readonly long: number;
  readonly mutated: number;
}

function oddsOf(draw: Draw): Odds {
  return {
    files: draw.pick([1, 2, 3]),
    close: draw.pick([0, 0, 0.3, 1]),
    evict: draw.pick([0, 1, 3, 8]),
    restore: draw.pick([0.3, 2, 6]),
    fence: draw.pick([0, 5, 20]),
    signal: draw.pick([1, 4, 15]),
    fault: draw.pick([0, 0, 3, 12]),
    share: draw.pick([0, 1, 4]),
    long: draw.pick([0, 0, 0, 0.4]),
    mutated: draw.pick([0, 5, 25]),
  };
}

/** Runs one simulation. */
class Simulation {
  issued = 0;
  succeeded = 0;
  finding: FuzzFinding | null = null;
  readonly #draw: Draw;
  readonly #target: Target;
  readonly #examiner: Examiner;
  readonly #odds: Odds;
  readonly #fences: number[] = [];
  #fenceNumber = 0;

  constructor(draw: Draw, target: Target, examiner: Examiner) {
    this.#draw = draw;
    this.#target = target;
    this.#examiner = examiner;
    this.#odds = oddsOf(draw);
  }

  /** @param calls - to issue; @param faults - whether allocations may fail */
  live(calls: number, faults: boolean): void {
    const end = this.issued + calls;
    while (this.issued < end && this.finding === null) {
      for (const event of this.#events(faults)) this.happen(event);
      if (this.finding === null) this.issue(this.#call());
    }
  }

  /** Fences signal in any order, what was taken comes back, and no allocation fails any more. */
  settle(): void {
    this.happen({ kind: "fault", nth: 0 });
    while (this.#fences.length > 0) this.happen(this.#signal());
    for (const [file] of this.#examiner.files()) this.happen({ kind: "restore", file });
  }

  /** Every VM must bind and unbind, and a file without one must be able to make one. */
  probe(): void {
    const { probe } = this.#target.fuzz;
    for (const [file, open] of this.#examiner.files()) {
      for (const [vm, { lost }] of [...open.vms()].map(([id, one]) => [id, stateOf(one)] as const)) {
        // There is no way back for such a VM; it must still go.
        if (lost) this.#must(file, probe.destroy(vm));
        else this.#bindAndUnbind(file, vm);
      }
      if ([...open.vms()].length > 0) continue;
      if (probe.beforeVm) this.#must(file, probe.beforeVm());
      this.#bindAndUnbind(file, this.#must(file, probe.vm()));
    }
  }

  #bindAndUnbind(file: number, vm: number): void {
    const { probe } = this.#target.fuzz;
    const handle = this.#must(file, probe.object());
    this.#must(file, probe.bind(vm, handle));
    this.#must(file, probe.unbind(vm));
    this.#must(file, probe.close(handle));
  }

  /** @returns the id of what the call made, 0 for nothing */
  #must(file: number, call: Call): number {
    if (this.finding !== null) return 0;
    this.happen({ kind: "must-succeed" });
    call.file = file;
    const argOut = this.issue(call);
    const meaning = this.#target.fuzz.meaning(call, argOut);
    return meaning?.kind === "vm" ? meaning.vm : meaning?.kind === "object" ? meaning.handle : 0;
  }

  /** Look at everything, with all files closed as well. */
  finish(): FuzzFinding | null {
    return this.#examiner.finish();
  }

  /** @param event - that happens; nothing does behind a finding */
  happen(event: TraceEvent): void {
    if (this.finding !== null) return;
    STEPS.add(event);
    this.finding = this.#examiner.happen(event).finding;
  }

  /** @returns the argument as it came back */
  issue(call: Call): Uint8Array {
    STEPS.add(call);
    this.issued++;
    const { ret, argOut, finding } = this.#examiner.issue(call);
    this.finding = finding;
    if (ret === 0) this.succeeded++;
    return argOut;
  }

  #call(): Call {
    const draw = this.#draw;
    const { fuzz } = this.#target;
    const file = draw.below(this.#odds.files);
    // Nothing of the model says what a process does that cannot open the node.
    if (!this.#examiner.isOpen(file)) this.happen({ kind: "fault", nth: 0 });
    const open = this.#examiner.file(file);
    for (let left = TRIES; left > 0; left--) {
      const call = draw.chance(this.#odds.long)
        ? fuzz.bind(draw, open, Math.min(LONG_MAX, draw.length(LONG_LG2)))
        : fuzz.valid(draw, open);
      const spec = draw.chance(this.#odds.mutated) ? specByNumber(fuzz.specs, call.request) : undefined;
      if (spec !== undefined) mutate(draw, call, spec);
      fuzz.bound(call);
      call.file = file;
      if (!isFollowed(fuzz, call)) continue;
      // A VM of another shape need not have room for what every VM must be able to do.
      if (spec === undefined || fuzz.meaning(call, call.arg)?.kind !== "vm") return call;
    }
    const call = fuzz.probe.object();
    call.file = file;
    return call;
  }

  *#events(faults: boolean): Generator<TraceEvent> {
    const draw = this.#draw;
    const odds = this.#odds;
    const [file, open] = draw.pick(this.#examiner.files()) ?? [0, null];
    if (open === null) return;
    // Most steps need none, and nothing that happens here makes or closes one.
    const handle = (): number => draw.pick([0, ...Array.from(open.bos(), ([known]) => known)]);
    if (faults && draw.chance(odds.fault)) yield { kind: "fault", nth: draw.length(6) };
    if (faults && this.#target.lens.evict !== undefined && draw.chance(odds.evict)) {
      yield { kind: "evict", file, handle: handle() };
    }
    if (this.#target.lens.restore !== undefined && draw.chance(odds.restore)) yield { kind: "restore", file };
    if (this.#target.fuzz.queues) {
      if (this.#fences.length < FENCES_MAX && draw.chance(odds.fence)) {
        const fence = ++this.#fenceNumber;
        this.#fences.push(fence);
        yield { kind: "fence", file, syncobj: 1 + draw.below(SYNCOBJS), fence };
      }
      if (this.#fences.length > 0 && draw.chance(odds.signal)) yield this.#signal();
    }
    if (draw.chance(odds.share)) {
      yield { kind: "share", from: file, handle: handle(), to: draw.below(odds.files) };
    }
    if (draw.chance(odds.close)) yield { kind: "close", file };
  }

  #signal(): TraceEvent {
    const [fence = 0] = this.#fences.splice(this.#draw.below(this.#fences.length), 1);
    return { kind: "signal", fence };
  }
}

function stateOf(vm: object): { lost: boolean } {
  return { lost: "unusable" in vm && vm.unusable === true };
}

/**
 * Run a simulation.
 *
 * @param target - what to simulate
 * @param seed - of the run
 * @param session - number of the session
 * @param device - index in the driver's list
 * @param calls - to issue, and as many more as the VMs need to show that they live
 * @param every - see {@link ExamineOptions}
 */
export function runSimulation(
  target: Target,
  seed: number,
  session: number,
  device: number,
  calls: number,
  every: number,
): SessionResult {
  // Defects of real drivers show to the GPU, and the naive model has none.
  const header = headerFor(target, device, seed, { workload: SIMULATION, quirks: [], alloc_faults: true });
  const draw = new Draw(Math.imul(seed, 0x9e3779b1) + session);
  const options: ExamineOptions = { every, simulated: true };
  STEPS.clear();
  const simulation = new Simulation(
    draw,
    target,
    new Examiner(target.fuzz, () => freshDevice(target, header), options),
  );
  // Where page tables may run out, a call may fail for good.
  const probes = header["table_limit_bytes"] === undefined;
  for (const faults of [true, false]) {
    simulation.live(Math.ceil(calls / 2), faults);
    simulation.settle();
    if (probes) simulation.probe();
  }
  const finding = simulation.finding ?? simulation.finish();
  const { issued, succeeded } = simulation;
  const found = finding === null ? null : { finding, steps: STEPS.steps() };
  return { header, issued, succeeded, found };
}
