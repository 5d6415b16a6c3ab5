/**
 * Issues ioctls on a model and watches what must hold whatever the bytes are; each rule is a checker in `check/`, but for the
 * invariants, which are replay's as well.
 *
 * @module
 */

import {
  type Call,
  CheckedRun,
  type Checker,
  FUZZ_UMD,
  InvariantChecker,
  LeakChecker,
  type ModelFile,
  type OpenDevice,
  type ReplaySubject,
  type TraceEvent,
  type TraceHeader,
} from "@vmbind/trace";
import { ErrnoChecker } from "./check/errnos.ts";
import { ExceptionChecker } from "./check/exceptions.ts";
import { MemoryChecker } from "./check/memory.ts";
import { PageChecker } from "./check/pages.ts";
import { StateChecker, TwinChecker } from "./check/twin.ts";
import type { FuzzDriver } from "./fuzz-driver.ts";

/** Something that must not be. */
export interface FuzzFinding {
  /** Which rule is broken: `exception`, `errno`, `memory`, `invariant`, `state`, `pages`, `liveness` or `leak`. */
  kind: string;
  /** What happened. */
  text: string;
}

/** How one ioctl went. */
export interface Issued {
  /** 0 or a negative errno; 0 after an exception. */
  ret: number;
  /** The argument struct afterwards. */
  argOut: Uint8Array;
  /** The first rule that was found broken, or null. */
  finding: FuzzFinding | null;
}

/** How to look. */
export interface ExamineOptions {
  /** Check invariants and compare with the twin after so many ioctls; 1 is after each. */
  every: number;
  /** It is a simulation: what the GPU finds is compared with the naive model of pages, in place of a twin. */
  simulated: boolean;
}

/** `workload` in the header of traces of a simulation, for which calls that the naive model follows were drawn. */
export const SIMULATION = "simulation";

/**
 * @param header - of a trace
 * @returns whether the naive model of pages follows it
 */
export function isSimulation({ umd, workload }: TraceHeader): boolean {
  return umd === FUZZ_UMD && workload === SIMULATION;
}

/**
 * The fuzzer's checkers, to be asked in this order.
 *
 * @param driver - knows the ioctls
 * @param subject - the device under test, and how to make its twin
 * @param options - see {@link ExamineOptions}
 */
export function checkersOf(
  driver: FuzzDriver,
  { device, make, report }: ReplaySubject,
  { every, simulated }: ExamineOptions,
): Checker[] {
  const always = [new ExceptionChecker(report), new ErrnoChecker(driver, device, report)];
  const memory = new MemoryChecker(driver, report);
  const invariants = new InvariantChecker(device, report, every);
  // From the memory checker on the model has memory of its own, and the call stays as it was issued.
  if (simulated) return [...always, new PageChecker(driver, device, report), memory, invariants];
  const twin = new TwinChecker(driver, device, make(), memory, report);
  return [...always, memory, twin, invariants, new StateChecker(device, twin.twin, report, every)];
}

/** Watches over a device of its own. */
export class Examiner {
  readonly #device: OpenDevice;
  readonly #run: CheckedRun;
  #finding: FuzzFinding | null = null;

  /**
   * @param driver - knows the ioctls
   * @param make - makes equal devices
   * @param options - see {@link ExamineOptions}
   */
  constructor(driver: FuzzDriver, make: () => OpenDevice, options: ExamineOptions) {
    this.#device = make();
    const subject: ReplaySubject = {
      device: this.#device,
      make,
      report: (kind, expected, got) => {
        this.#finding ??= { kind, text: expected === "none" ? got : `expected ${expected}, got ${got}` };
      },
    };
    // A mutation may have made what a device keeps on purpose, with its quirks.
    const leaks = options.simulated ? [new LeakChecker(this.#device, subject.report)] : [];
    this.#run = new CheckedRun(this.#device, [...checkersOf(driver, subject, options), ...leaks]);
  }

  /**
   * @param index - number of an open file; one that is not open is opened
   * @returns the file
   */
  file(index: number): ModelFile {
    return this.#device.file(index);
  }

  /** Whether a file is open. */
  isOpen(index: number): boolean {
    return this.#device.entries().some(([open]) => open === index);
  }

  /** Open files with their numbers. */
  files(): [number, ModelFile][] {
    return this.#device.entries();
  }

  /**
   * Issue a call. After a finding that is an exception the device may be in any state.
   *
   * @param call - not changed
   */
  issue(call: Call): Issued {
    this.#finding = null;
    // The memory checker gives the model a copy.
    const { ret, arg } = this.#run.issue(call);
    return { ret, argOut: arg, finding: this.#finding };
  }

  /**
   * Let something happen.
   *
   * @param event - what
   * @returns as of {@link OpenDevice.happen}, and the first rule that was found broken, or null
   */
  happen(event: TraceEvent): { result: number; finding: FuzzFinding | null } {
    this.#finding = null;
    const result = this.#run.happen(event);
    return { result, finding: this.#finding };
  }

  /** Check everything now, then close all files and see what is left. Nothing can be done with the device afterwards. */
  finish(): FuzzFinding | null {
    this.#finding = null;
    this.#run.end();
    if (this.#finding !== null) return this.#finding;
    this.#run.close();
    this.#device.retire();
    return this.#finding;
  }
}
