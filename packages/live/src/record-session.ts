/**
 * One run of a command in front of a real driver, with its ioctls recorded.
 *
 * @module
 */

import { counted } from "@vmbind/drm";
import { LIVE_DRIVERS } from "./drivers/table.ts";
import type { HardwareDriver } from "./hardware.ts";
import { type CommandEnd, runCommand } from "./launch.ts";
import { makeFolder, removeFolder, sweepBehind } from "./node-folder.ts";
import { driverNameOf, loadDrivers, realDevice } from "./real-device.ts";
import { RecordServer, type RecordServerOptions } from "./record-server.ts";
import { Recorder } from "./recorder.ts";
import { shimFile } from "./shim.ts";
import { headerOf, TraceFile } from "./trace-file.ts";

/** What a recording is to be. */
export interface RecordOptions {
  /** A program and its arguments. */
  readonly command: readonly string[];
  /** The recording. */
  readonly output: string;
  /** Folder in which the shim is kept between runs. */
  readonly cache: string;
}

/** How long ioctls of one name took in the kernel. */
export interface IoctlTimes {
  /** Name of the ioctl. */
  readonly name: string;
  /** Nanoseconds of each, ascending. */
  readonly ns: readonly number[];
}

/** A GPU of which there is no model. */
export interface StrangeGpu {
  /** What it is, as far as sysfs says. */
  readonly is: string;
  /** Which one the recording's header tells of in its place. */
  readonly taken: string;
}

/** How it went. */
export interface RecordEnd extends CommandEnd {
  /** Why nothing was recorded, null where something was. */
  readonly nothing: string | null;
  /** The GPU, where no model is of it; null where there is one. */
  readonly stranger: StrangeGpu | null;
  /** Why the recording is cut, null where it is whole. */
  readonly error: unknown;
  /** Ioctls in the recording. */
  readonly calls: number;
  /** How long they took. */
  readonly times: readonly IoctlTimes[];
}

/**
 * Run a command and record it.
 *
 * @param options - see {@link RecordOptions}
 * @throws NoShim, CannotStart; what the file system says of the output
 */
export async function recordCommand({ command, output, cache }: RecordOptions): Promise<RecordEnd> {
  const shim = await shimFile("record", cache);
  const drivers = await loadDrivers(LIVE_DRIVERS);
  const folder = makeFolder();
  const sweep = sweepBehind(folder);
  const times = new Map<string, number[]>();
  const files: TraceFile[] = [];
  let connected = 0;
  let fault: unknown = null;
  let other: string | null = null;
  let stranger: StrangeGpu | null = null;
  const driverOf = new Map<string, HardwareDriver | undefined>();
  let recorded: { readonly driver: HardwareDriver; readonly recorder: Recorder } | null = null;
  /** The first call that is to be kept decides which driver is recorded: programs open every node to look what it is. */
  const recorderFor: RecordServerOptions["recorderFor"] = (key, { pid }, fd, request) => {
    if (!driverOf.has(key)) {
      const name = driverNameOf(pid, fd);
      driverOf.set(key, name === null ? undefined : drivers.get(name));
      if (driverOf.get(key) === undefined) other = name ?? "unknown";
    }
    const driver = driverOf.get(key);
    if (driver === undefined) return null;
    if (recorded !== null) return recorded.driver === driver ? recorded.recorder : null;
    const row = driver.rows.find((one) => (one.request & 0xff) === (request & 0xff));
    if (row === undefined || !driver.recording.keeps.includes(row.name)) return null;
    const trace = new TraceFile(output);
    files.push(trace);
    const real = realDevice(pid, fd, driver);
    if (real.stranger !== null) stranger = { is: real.stranger, taken: real.hardware.title };
    const header = { ...headerOf(driver, real.hardware, command), ...real.header };
    const recorder = new Recorder({ driver, header, write: (line) => trace.write(line) });
    recorded = { driver, recorder };
    return recorder;
  };
  const server = new RecordServer({
    folder,
    recorderFor,
    timed(name, ns) {
      const list = times.get(name);
      if (list === undefined) times.set(name, [ns]);
      else list.push(ns);
    },
    fault: (error) => {
      fault ??= error;
    },
    connected: () => connected++,
  });
  await server.listen();
  try {
    const end = await runCommand(command, { shim, env: { VMBIND_RECORD: folder } });
    server.close();
    const { recorder } = server;
    recorder?.end();
    for (const file of files) file.flush();
    const calls = recorder?.calls ?? 0;
    return {
      ...end,
      calls,
      error: fault ?? files.find((file) => file.error !== null)?.error ?? null,
      nothing: calls > 0 ? null : whyNothing(connected, other),
      stranger,
      times: [...times].map(([name, ns]) => ({ name, ns: ns.sort((a, b) => a - b) })),
    };
  } finally {
    server.close();
    for (const file of files) file.close();
    removeFolder(folder);
    sweep();
  }
}

function whyNothing(connected: number, other: string | null): string {
  if (connected === 0) {
    return "no program made a DRM ioctl that the shim has seen; 32-bit programs, static binaries and raw system calls are not caught";
  }
  if (other !== null) return `the driver is ${other}; ${LIVE_DRIVERS.join(", ")} are known`;
  return `${counted(connected, "process")} used the GPU, none of their ioctls is about memory`;
}
