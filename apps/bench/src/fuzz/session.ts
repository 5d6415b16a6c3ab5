/**
 * One session of a fuzz run: a fresh device, a few hundred calls. A finding is reproduced from its session alone, so
 * sessions are short.
 *
 * @module
 */

import type { Call } from "@vmbind/trace";
import { deviceFor, FUZZ_UMD, type Lens, type OpenDevice, type TraceHeader } from "@vmbind/trace";
import { copyOf, isEvent, type Step } from "./call.ts";
import { Draw } from "./draw.ts";
import { Examiner, type FuzzFinding, isSimulation } from "./examiner.ts";
import type { FuzzDriver } from "./fuzz-driver.ts";
import { mutate, randomCall } from "./mutate.ts";
import { specByNumber } from "./spec.ts";
import { STEPS } from "./step-log.ts";

/** Most calls of a session. */
export const SESSION_CALLS = 400;
/** Second open files make mistakes about whose handle it is visible. */
const OTHER_FILE_PERCENT = 8;
const MUTATED_PERCENT = 40;
const RECORDED_PERCENT = 6;
const RANDOM_PERCENT = 2;

/** A driver to fuzz: its model and what the fuzzer knows. */
export interface Target {
  /** How the model is set up. */
  readonly lens: Lens;
  /** The fuzzer's side. */
  readonly fuzz: FuzzDriver;
  /** Recorded calls to start from. */
  readonly seeds: readonly Call[];
}

/** A finding and the calls that led to it. */
export interface SessionFinding {
  /** What was found. */
  readonly finding: FuzzFinding;
  /** All steps of the session, the last one being that which showed it. */
  readonly steps: readonly Step[];
}

/** What a session came to. */
export interface SessionResult {
  /** The device. */
  readonly header: TraceHeader;
  /** Calls issued, and other steps. */
  readonly issued: number;
  /** Those that returned 0. */
  readonly succeeded: number;
  /** The first finding, null for none. */
  readonly found: SessionFinding | null;
}

/**
 * @param target - what is fuzzed
 * @param device - index in the driver's list
 * @param seed - of the run
 * @param more - members beside those of the list and in place of them
 * @returns header of a trace for a device of the fuzzer's
 */
export function headerFor(
  target: Target,
  device: number,
  seed: number,
  more: Readonly<Record<string, unknown>> = {},
): TraceHeader {
  const facts = target.fuzz.devices[device] as Readonly<Record<string, unknown>>;
  return {
    format: "drm-ioctl-trace",
    version: 1,
    driver: target.lens.name,
    uapi: "linux 7.3",
    umd: FUZZ_UMD,
    device: String(facts["device"]),
    workload: "fuzz",
    seed,
    ...facts,
    ...more,
  };
}

/** @returns a fresh device as a header describes it */
export function freshDevice({ lens }: Pick<Target, "lens">, header: TraceHeader): OpenDevice {
  return deviceFor(lens, { path: "fuzz", header });
}

/**
 * Run a session of random calls.
 *
 * @param target - what to fuzz
 * @param seed - of the run
 * @param session - number of the session
 * @param device - index in the driver's list
 * @param calls - most calls to issue
 * @param every - see `ExamineOptions`
 */
export function runSession(
  target: Target,
  seed: number,
  session: number,
  device: number,
  calls: number,
  every: number,
): SessionResult {
  const draw = new Draw(Math.imul(seed, 0x9e3779b1) + session);
  const header = headerFor(target, device, seed);
  const examiner = new Examiner(target.fuzz, () => freshDevice(target, header), { every, simulated: false });
  STEPS.clear();
  let succeeded = 0;
  let finding: FuzzFinding | null = null;
  while (STEPS.count < calls && finding === null) {
    const call = nextCall(draw, target, examiner);
    STEPS.add(call);
    const issued = examiner.issue(call);
    finding = issued.finding;
    if (issued.ret === 0 && finding === null) succeeded++;
  }
  finding ??= examiner.finish();
  const found = finding === null ? null : { finding, steps: STEPS.steps() };
  return { header, issued: STEPS.count, succeeded, found };
}

function nextCall(draw: Draw, { fuzz, seeds }: Target, examiner: Examiner): Call {
  const file = draw.chance(OTHER_FILE_PERCENT) ? 1 : 0;
  const how = draw.below(100);
  let call: Call;
  if (how < RANDOM_PERCENT) call = randomCall(draw, draw.pick(fuzz.specs));
  else if (how < RANDOM_PERCENT + RECORDED_PERCENT && seeds.length > 0) call = copyOf(draw.pick(seeds));
  else call = fuzz.valid(draw, examiner.file(file));
  call.file = file;
  if (draw.chance(MUTATED_PERCENT))
    mutate(draw, call, specByNumber(fuzz.specs, call.request) ?? draw.pick(fuzz.specs));
  fuzz.bound(call);
  return call;
}

/**
 * Take given steps on a fresh device.
 *
 * @param target - what is fuzzed
 * @param header - the device
 * @param steps - in order; not changed
 * @param every - see `ExamineOptions`; everything is looked at after each step unless given
 * @returns the finding with the steps up to it, null when there is none
 */
export function rerun(
  target: Target,
  header: TraceHeader,
  steps: readonly Step[],
  every = 1,
): SessionFinding | null {
  const options = { every, simulated: isSimulation(header) };
  const examiner = new Examiner(target.fuzz, () => freshDevice(target, header), options);
  for (const [i, step] of steps.entries()) {
    const { finding } = isEvent(step) ? examiner.happen(step) : examiner.issue(step);
    if (finding !== null) return { finding, steps: steps.slice(0, i + 1) };
  }
  const finding = examiner.finish();
  return finding === null ? null : { finding, steps };
}
