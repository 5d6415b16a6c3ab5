/**
 * Issues ioctls on a model and watches what must hold whatever the bytes are:
 *
 * - `exception`: nothing is thrown out of `ioctl()`;
 * - `errno`: the result is 0 or a negative errno that the specification allows for this ioctl;
 * - `memory`: bytes around the argument and the buffers stay as they are, and so does an argument that the kernel only
 *   reads;
 * - `invariant`: the driver's invariants hold, the TLB included, for which some mapped addresses are translated;
 * - `state`: a refused ioctl leaves what the real driver would leave. A second device, the *twin*, is given the same calls
 *   without the refused ones, or with only those of their operations that count as done; the two must stay alike.
 *
 * @module
 */

import { decodeIoctl, EINVAL, ENOTTY, UserMemory } from "@vmbind/drm";
import type { Machine, ModelFile, TraceIoctl } from "@vmbind/trace";
import { copyOf, type FuzzCall } from "./call.ts";
import { difference, stateOf } from "./digest.ts";
import type { FuzzDriver } from "./fuzz-driver.ts";
import type { IoctlSpec } from "./spec.ts";

/** Something that must not be. */
export interface FuzzFinding {
  /** Which rule is broken. */
  kind: "exception" | "errno" | "memory" | "invariant" | "state";
  /** What happened. */
  text: string;
}

/** How one ioctl went. */
export interface Outcome {
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

const GUARD_BYTES = 32;
const GUARD = 0xa5;
const TYPE_DRM = 0x64;
/** Mappings of a VM whose first and last pages are translated, so that the TLB has something to forget. */
const TOUCHED_MAX = 32;

/** Watches over one device. */
export class Examiner {
  readonly #driver: FuzzDriver;
  readonly #machine: Machine;
  readonly #twin: Machine;
  readonly #every: number;
  readonly #specs = new Map<number, IoctlSpec>();
  readonly #files: ModelFile[];
  readonly #twinFiles: ModelFile[];
  readonly #user = new UserMemory();
  #issued = 0;

  /**
   * @param driver - knows the ioctls
   * @param make - makes equal devices
   * @param options - see {@link ExamineOptions}
   * @param machine - the device under test, if there is one already
   */
  constructor(driver: FuzzDriver, make: () => Machine, options: ExamineOptions, machine: Machine = make()) {
    this.#driver = driver;
    this.#machine = machine;
    this.#twin = make();
    this.#every = options.every;
    this.#files = [this.#machine.file];
    this.#twinFiles = [this.#twin.file];
    for (const spec of driver.specs) this.#specs.set(decodeIoctl(spec.request).nr, spec);
  }

  /** Open files of the device under test. */
  get files(): readonly ModelFile[] {
    return this.#files;
  }

  /**
   * @param index - number of an open file; one that is not open is opened, on both devices
   * @returns the file of the device under test
   */
  file(index: number): ModelFile {
    while (this.#files.length <= index) {
      this.#files.push(this.#machine.openFile());
      this.#twinFiles.push(this.#twin.openFile());
    }
    return this.#files[index] as ModelFile;
  }

  /**
   * Do on both devices what ioctls that recordings leave out must have done before a call.
   *
   * @param record - the next recorded ioctl
   */
  before(record: TraceIoctl): void {
    this.#machine.before?.(record, this.#machine.file);
    this.#twin.before?.(record, this.#twin.file);
  }

  /**
   * Issue a call. After a finding that is an exception the device may be in any state.
   *
   * @param call - not changed
   */
  issue(call: FuzzCall): Outcome {
    const file = this.file(call.file);
    const issued = new Guarded(call);
    const { counters } = this.#machine;
    const { bindOps } = counters;
    let ret: number;
    try {
      ret = file.ioctl(call.request, issued.arg, issued.user(this.#user));
    } catch (error) {
      const text = (error as Error).stack?.split("\n").slice(0, 3).join(" ") ?? String(error);
      return { ret: 0, argOut: issued.arg.slice(), finding: { kind: "exception", text } };
    }
    const argOut = issued.arg.slice();
    const finding =
      this.#errno(call, ret, file) ??
      this.#memory(call, issued) ??
      this.#repeatOnTwin(call, ret, argOut, counters.bindOps - bindOps) ??
      this.#lookAround();
    return { ret, argOut, finding };
  }

  /** Check everything now. */
  finish(): FuzzFinding | null {
    return this.#invariants() ?? this.#compare();
  }

  #errno(call: FuzzCall, ret: number, file: ModelFile): FuzzFinding | null {
    if (ret === 0) return null;
    const { type, nr } = decodeIoctl(call.request);
    const spec = type === TYPE_DRM ? this.#specs.get(nr) : undefined;
    const allowed = spec === undefined ? [EINVAL, ENOTTY] : spec.errnos;
    if (allowed.includes(-ret) || this.#driver.defectErrnos?.(file).includes(-ret)) return null;
    const name = spec?.name ?? `request 0x${call.request.toString(16)}`;
    return { kind: "errno", text: `${name} returned ${ret}, which its specification does not know` };
  }

  #memory(call: FuzzCall, issued: Guarded): FuzzFinding | null {
    const place = issued.damaged();
    if (place !== null) return { kind: "memory", text: `bytes around ${place} changed` };
    const spec = this.#specs.get(call.request & 0xff);
    const readOnly = spec !== undefined && (decodeIoctl(spec.request).dir & 2) === 0;
    if (readOnly && issued.arg.some((byte, i) => byte !== call.arg[i])) {
      return { kind: "memory", text: `${spec.name} is write-only, and its argument changed` };
    }
    return null;
  }

  #repeatOnTwin(call: FuzzCall, ret: number, argOut: Uint8Array, started: number): FuzzFinding | null {
    const file = this.#twinFiles[call.file] as ModelFile;
    const tested = this.#files[call.file] as ModelFile;
    if (ret !== 0) this.#driver.carryOver?.(call, tested, file);
    const whole = ret === 0 || this.#driver.mustRepeat?.(call, tested, file) === true;
    const done = whole ? copyOf(call) : this.#driver.prefix(call, argOut, started);
    if (done === null) return null;
    this.#user.clear();
    for (const { addr, bytes } of done.buffers) this.#user.place(addr, bytes);
    const twinRet = file.ioctl(done.request, done.arg, this.#user);
    if (twinRet === (whole ? ret : 0)) return null;
    const what = whole ? `the call returned ${ret}` : "the operations before the failing one succeeded";
    return {
      kind: "state",
      text: `${what}, and the twin returned ${twinRet} ${file.lastError?.reason ?? ""}`,
    };
  }

  /** Every so many ioctls: check and fill the TLB; one ioctl later: check again, now that it had the chance to go stale. */
  #lookAround(): FuzzFinding | null {
    const phase = this.#issued++ % this.#every;
    if (phase > 1) return null;
    const finding = this.#invariants();
    if (finding !== null) return finding;
    if (phase === 0) {
      this.#touch();
      return this.#compare();
    }
    return null;
  }

  #touch(): void {
    for (const file of this.#files) {
      for (const [, vm] of file.vms()) {
        let left = TOUCHED_MAX;
        for (const { addr, range } of vm.mappings()) {
          if (left-- === 0) break;
          vm.addressSpace.translate(addr);
          if (range > 0) vm.addressSpace.translate(addr + range - 1);
        }
      }
    }
  }

  #invariants(): FuzzFinding | null {
    try {
      this.#machine.checkInvariants();
      return null;
    } catch (error) {
      return { kind: "invariant", text: (error as Error).message };
    }
  }

  #compare(): FuzzFinding | null {
    const text = difference(stateOf(this.#files), stateOf(this.#twinFiles));
    return text === null ? null : { kind: "state", text };
  }
}

/** The memory of one call, with guards around each piece. */
class Guarded {
  readonly arg: Uint8Array;
  readonly #call: FuzzCall;
  readonly #buffers: Uint8Array[];

  constructor(call: FuzzCall) {
    this.#call = call;
    this.arg = guarded(call.arg);
    this.#buffers = call.buffers.map(({ bytes }) => guarded(bytes));
  }

  user(user: UserMemory): UserMemory {
    user.clear();
    for (const [i, { addr }] of this.#call.buffers.entries())
      user.place(addr, this.#buffers[i] as Uint8Array);
    return user;
  }

  damaged(): string | null {
    if (isDamaged(this.arg)) return "the argument";
    const i = this.#buffers.findIndex(isDamaged);
    return i < 0 ? null : `the buffer ${this.#call.buffers[i]?.field}`;
  }
}

function guarded(bytes: Uint8Array): Uint8Array {
  const whole = new Uint8Array(bytes.length + 2 * GUARD_BYTES);
  whole.fill(GUARD, 0, GUARD_BYTES);
  whole.fill(GUARD, GUARD_BYTES + bytes.length);
  whole.set(bytes, GUARD_BYTES);
  return whole.subarray(GUARD_BYTES, GUARD_BYTES + bytes.length);
}

function isDamaged(bytes: Uint8Array): boolean {
  const whole = new Uint8Array(bytes.buffer);
  for (let i = 0; i < GUARD_BYTES; i++) {
    if (whole[i] !== GUARD || whole[whole.length - 1 - i] !== GUARD) return true;
  }
  return false;
}
