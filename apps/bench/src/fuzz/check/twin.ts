/**
 * A refused ioctl leaves what the real driver would leave. A second device, the *twin*, is given the same calls without the
 * refused ones, or with only those of their operations that count as done; the two must stay alike.
 *
 * @module
 */

import { UserMemory } from "@vmbind/drm";
import {
  type CheckedCall,
  type Checker,
  type OpenDevice,
  Pace,
  type Report,
  type TraceEvent,
} from "@vmbind/trace";
import { difference } from "../digest.ts";
import type { FuzzDriver } from "../fuzz-driver.ts";
import { CallPlace } from "./call-place.ts";
import type { MemoryChecker } from "./memory.ts";

/** Keeps the twin up with the device under test, and reports `state` where it answers differently. */
export class TwinChecker implements Checker {
  /** The twin. */
  readonly twin: OpenDevice;
  readonly #driver: FuzzDriver;
  readonly #device: OpenDevice;
  readonly #report: Report;
  readonly #memory: Pick<MemoryChecker, "sent">;
  readonly #place = new CallPlace(0);
  readonly #user = new UserMemory();
  #bindOps = 0;

  /**
   * @param driver - knows the ioctls
   * @param device - the device under test
   * @param twin - one that is equal to it as it was at first
   * @param memory - has the last call as it was made; to be asked before
   * @param report - takes what is wrong
   */
  constructor(
    driver: FuzzDriver,
    device: OpenDevice,
    twin: OpenDevice,
    memory: Pick<MemoryChecker, "sent">,
    report: Report,
  ) {
    this.#driver = driver;
    this.#device = device;
    this.twin = twin;
    this.#memory = memory;
    this.#report = report;
  }

  /** See {@link Checker.beforeCall}. */
  beforeCall(call: CheckedCall): void {
    this.twin.file(call.file);
    if (call.recorded) this.twin.beforeCall(call.recorded);
    this.#bindOps = this.#device.counters.bindOps;
  }

  /** See {@link Checker.afterEvent}. Allocations of the twin do not fail. */
  afterEvent(event: TraceEvent): void {
    if (event.kind !== "fault") this.twin.happen(event);
  }

  /** See {@link Checker.afterCall}. */
  afterCall({ ret, arg }: CheckedCall): void {
    // Behind an allocation that failed, what was made first may have stayed.
    if (this.#device.allocationsFailed > 0) return;
    const call = this.#memory.sent;
    const file = this.twin.file(call.file);
    const tested = this.#device.file(call.file);
    if (ret !== 0) this.#driver.carryOver?.(call, tested, file);
    const whole = ret === 0 || this.#driver.mustRepeat?.(call, tested, file) === true;
    const started = this.#device.counters.bindOps - this.#bindOps;
    const wanted = whole ? call : this.#driver.prefix(call, arg, started);
    if (wanted === null) return;
    const done = this.#place.put(wanted);
    this.#user.clear();
    for (const { addr, bytes } of done.buffers) this.#user.place(addr, bytes);
    const twinRet = file.ioctl(done.request, done.arg, this.#user);
    if (twinRet === (whole ? ret : 0)) return;
    const what = whole ? `the call returned ${ret}` : "the operations before the failing one succeeded";
    this.#report(
      "state",
      "none",
      `${what}, and the twin returned ${twinRet} ${file.lastError?.reason ?? ""}`,
    );
  }

  /** See {@link Checker.closed}. */
  closed(): void {
    this.twin.retire();
  }
}

/** Reports `state` where device and twin are not alike. */
export class StateChecker implements Checker {
  readonly #device: OpenDevice;
  readonly #twin: OpenDevice;
  readonly #report: Report;
  readonly #pace: Pace;

  /**
   * @param device - the device under test
   * @param twin - the twin, kept up by a {@link TwinChecker} that is asked before
   * @param report - takes what is wrong
   * @param every - look after so many calls, more rarely where much is mapped
   */
  constructor(device: OpenDevice, twin: OpenDevice, report: Report, every: number) {
    this.#device = device;
    this.#twin = twin;
    this.#report = report;
    this.#pace = new Pace(every);
  }

  /** See {@link Checker.afterCall}. */
  afterCall(): void {
    if (this.#pace.due(this.#device.counters["gpuvasLive"] ?? 0)) this.end();
  }

  /** See {@link Checker.end}. */
  end(): void {
    if (this.#device.allocationsFailed > 0) return;
    const text = difference(this.#device.files, this.#twin.files);
    if (text !== null) this.#report("state", "none", text);
  }
}
