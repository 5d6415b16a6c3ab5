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
  InvariantChecker,
  type ModelFile,
  type OpenDevice,
  type ReplaySubject,
} from "@vmbind/trace";
import { copyOf } from "./call.ts";
import { ErrnoChecker } from "./check/errnos.ts";
import { ExceptionChecker } from "./check/exceptions.ts";
import { MemoryChecker } from "./check/memory.ts";
import { StateChecker, TwinChecker } from "./check/twin.ts";
import type { FuzzDriver } from "./fuzz-driver.ts";

/** Something that must not be. */
export interface FuzzFinding {
  /** Which rule is broken: `exception`, `errno`, `memory`, `invariant` or `state`. */
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

/** How often to look at everything. */
export interface ExamineOptions {
  /** Check invariants and compare with the twin after so many ioctls; 1 is after each. */
  every: number;
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
  { every }: ExamineOptions,
): Checker[] {
  const twin = new TwinChecker(driver, device, make(), report);
  return [
    new ExceptionChecker(report),
    new ErrnoChecker(driver, device, report),
    new MemoryChecker(driver, report),
    twin,
    new InvariantChecker(device, report, every),
    new StateChecker(device, twin.twin, report, every),
  ];
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
      report: (kind, _expected, text) => {
        this.#finding ??= { kind, text };
      },
    };
    this.#run = new CheckedRun(this.#device, checkersOf(driver, subject, options));
  }

  /**
   * @param index - number of an open file; one that is not open is opened
   * @returns the file
   */
  file(index: number): ModelFile {
    return this.#device.file(index);
  }

  /**
   * Issue a call. After a finding that is an exception the device may be in any state.
   *
   * @param call - not changed
   */
  issue(call: Call): Issued {
    this.#finding = null;
    const { ret, arg } = this.#run.issue(copyOf(call));
    return { ret, argOut: arg.slice(), finding: this.#finding };
  }

  /** Check everything now. */
  finish(): FuzzFinding | null {
    this.#finding = null;
    this.#run.end();
    return this.#finding;
  }
}
