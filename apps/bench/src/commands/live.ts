/**
 * `vmbind live`: a program on a driver model.
 *
 * @module
 */

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  CannotStart,
  checkCalls,
  DEFAULT_DEVICE,
  type Hardware,
  type HardwareDriver,
  hardwareDriver,
  headerOf,
  LIVE_DRIVERS,
  LiveSession,
  liveDevices,
  logCalls,
  NoShim,
  Recorder,
  recordCalls,
  type ServerObserver,
  type SessionOptions,
  TraceFile,
  watchLeftovers,
} from "@vmbind/live";
import { type Budgets, InputError } from "@vmbind/trace";
import { cacheFolder } from "../cache/cache-folder.ts";
import type { CommandInput } from "../command.ts";
import { tuneEngine } from "../engine.ts";
import { EXIT, OutputError, UsageError } from "../errors.ts";
import { columnsIn, type Io } from "../io.ts";
import { checkOutput } from "../output/whole-file.ts";
import { bytesOf } from "../text/amounts.ts";
import { noSuchName } from "../text/nearest.ts";
import { LiveEnd } from "./live-end.ts";

/** Memory is handed out in pages of up to 2 MiB. */
const MEMORY_UNIT = 2 ** 21;

/** Runs the command; see {@link COMMANDS} for what it does. */
export async function run({ options, operands, budgets }: CommandInput, io: Io): Promise<number> {
  const given = (name: string) => (typeof options[name] === "string" ? options[name] : undefined);
  tuneEngine();
  const { driver, device } = await deviceOf(given("device") ?? DEFAULT_DEVICE);
  const trace = given("trace");
  const report = given("report");
  if (trace !== undefined) await checkOutput({ option: "--trace", path: trace }, []);
  if (report !== undefined) await checkOutput({ option: "--report", path: report }, []);
  const lints = options["lint"] === true;
  const own =
    (report !== undefined || lints) && trace === undefined
      ? mkdtempSync(join(tmpdir(), "vmbind-live-"))
      : null;
  try {
    const recording = own === null ? trace : join(own, "recording.jsonl");
    const end = new LiveEnd(io, options["log"] === true);
    const status = await runOn({
      session: {
        driver,
        device,
        cache: io.cacheFolder ?? cacheFolder(),
        memoryFolder: given("memory-folder"),
        vramBytes: memoryOf("vram", given("vram")),
        systemBytes: memoryOf("system", given("system")),
        debugBuild: options["debug-build"] === true,
      },
      command: operands,
      recording,
      checks: options["check"] === true,
      end,
    });
    if (recording === undefined) return status;
    const wrong = lints && (await findsErrors(recording, budgets, end, io));
    // The program's status is what its caller waits for, unless that hides what was found.
    const ending = wrong && status === EXIT.ok ? EXIT.difference : status;
    if (report === undefined) return ending;
    // Imported here: a program that is only run does not wait for it.
    const { writeExplorer } = await import("./explore.ts");
    const { openTrace } = await import("../files/trace-files.ts");
    try {
      const open = () => openTrace(recording, budgets, { command: "explore", io });
      await writeExplorer({ open, isFile: true, output: { option: "--report", path: report }, io });
    } catch (error) {
      if (!(error instanceof InputError)) throw error;
      end.complain(`--report: there is no page: ${error.message}`);
    }
    return ending;
  } finally {
    if (own !== null) rmSync(own, { recursive: true, force: true });
  }
}

/** Lints a recording and says what is wrong; true where that is an error. */
async function findsErrors(path: string, budgets: Budgets, end: LiveEnd, io: Io): Promise<boolean> {
  // Imported here, as the page below.
  const { lintTrace, tally } = await import("@vmbind/trace");
  const { lensOf } = await import("@vmbind/lab");
  const { openTrace } = await import("../files/trace-files.ts");
  const { lintText } = await import("../lint/text.ts");
  try {
    const trace = await openTrace(path, budgets, { command: "lint", io });
    const result = await lintTrace(trace, await lensOf(trace));
    io.err(lintText(result, columnsIn(io)));
    return tally(result.findings).error > 0;
  } catch (error) {
    if (!(error instanceof InputError)) throw error;
    end.complain(`--lint: nothing was looked at: ${error.message}`);
    return false;
  }
}

interface Run {
  readonly session: Omit<SessionOptions, "observers" | "note">;
  readonly command: readonly string[];
  readonly recording: string | undefined;
  readonly checks: boolean;
  readonly end: LiveEnd;
}

async function runOn({ session: about, command, recording, checks, end }: Run): Promise<number> {
  const { driver } = about;
  const opened: Recording[] = [];
  const observers = (hardware: Hardware): ServerObserver[] => {
    const all = [end.observer(), watchLeftovers((leftover) => end.leftovers.push(leftover))];
    if (recording !== undefined) {
      const one = openRecording(recording, driver, hardware, command);
      opened.push(one);
      all.push(recordCalls(one.recorder));
    }
    if (end.logs) all.push(logCalls(driver, (line) => end.say(line)));
    if (checks) all.push(checkCalls(driver, hardware.device, (error) => end.isBroken(error)));
    return all;
  };
  const session = await start({ ...about, observers, note: (text) => end.note(text) });
  try {
    const { status, signal } = await session.run(command);
    const full = session.fullText;
    session.close();
    return end.report(session.hardware, status, signal, full);
  } catch (error) {
    if (!(error instanceof CannotStart)) throw error;
    end.complain(error.message);
    return error.status;
  } finally {
    session.close();
    for (const one of opened) one.close();
  }
}

interface Recording {
  readonly recorder: Recorder;
  close(): void;
}

function openRecording(
  path: string,
  driver: HardwareDriver,
  hardware: Hardware,
  command: readonly string[],
): Recording {
  let file: TraceFile;
  try {
    file = new TraceFile(path);
  } catch (error) {
    throw new OutputError(`--trace: ${path}`, error);
  }
  const recorder = new Recorder({
    driver,
    header: headerOf(driver, hardware, command),
    write: (line) => file.write(line),
  });
  const close = () => {
    recorder.end();
    file.close();
    if (file.error !== null) throw new OutputError(`--trace: ${path}`, file.error, "; the recording is cut");
  };
  return { recorder, close };
}

async function start(options: SessionOptions): Promise<LiveSession> {
  try {
    return await LiveSession.start(options);
  } catch (error) {
    if (error instanceof NoShim) throw new UsageError(error.message);
    throw error;
  }
}

async function deviceOf(text: string): Promise<{ driver: HardwareDriver; device: string }> {
  const [name = "", wanted] = text.split(":");
  const driver = await hardwareDriver(name);
  if (driver === undefined) {
    const gpu = await sameGpu(text);
    const problem = noSuchName("driver", name, LIVE_DRIVERS);
    throw new UsageError(
      `--device: ${gpu === undefined ? problem : `no driver ${JSON.stringify(name)}; did you mean ${gpu}?`}`,
    );
  }
  const device = wanted ?? [...driver.devices.keys()][0] ?? "";
  if (driver.devices.has(device)) return { driver, device };
  throw new UsageError(`--device: ${noSuchName(`GPU of ${name}`, device, driver.devices.keys())}`);
}

/** Who names a GPU without its driver, or with something else between the two, means one that there is. */
async function sameGpu(text: string): Promise<string | undefined> {
  const names = text.split(/[^A-Za-z0-9-]+/);
  return (await liveDevices()).find((device) =>
    names.length === 1 ? device.endsWith(`:${text}`) : device === names.join(":"),
  );
}

function memoryOf(option: string, text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const bytes = bytesOf(text);
  if (bytes >= MEMORY_UNIT && bytes % MEMORY_UNIT === 0 && bytes <= 2 ** 44) return bytes;
  throw new UsageError(`--${option}: expected a multiple of 2MiB up to 16TiB, got ${JSON.stringify(text)}`);
}
