/**
 * Recordings of a server: its calls to a file, as they come.
 *
 * @module
 */

import { closeSync, openSync, writeSync } from "node:fs";
import { machine } from "node:os";
import { basename } from "node:path";
import { gzipSync } from "node:zlib";
import { frameBytes } from "@vmbind/mmu";
import type { TraceHeader } from "@vmbind/trace";
import type { Hardware, HardwareDriver } from "./hardware.ts";
import type { ServerObserver } from "./observer.ts";
import type { Recorder } from "./recorder.ts";

/** Characters that are written at a time. */
const CHUNK = 2 ** 16;

/** Writes lines to a file; gzip where its name ends so, in members that make one file. */
export class TraceFile {
  readonly #fd: number;
  readonly #zips: boolean;
  #held = "";
  /** Why it could not be written, null while it could; the recording is cut there. */
  error: unknown = null;

  /**
   * @param path - of the file, which is replaced
   * @throws Error what the file system says
   */
  constructor(path: string) {
    this.#fd = openSync(path, "w");
    this.#zips = path.endsWith(".gz");
  }

  /** Write a line, sooner or later. */
  write(line: string): void {
    this.#held += line;
    if (this.#held.length >= CHUNK) this.flush();
  }

  /** Write what is held back. */
  flush(): void {
    if (this.#held === "") return;
    const bytes = Buffer.from(this.#held);
    this.#held = "";
    const out = this.#zips ? gzipSync(bytes) : bytes;
    if (this.error !== null) return;
    try {
      for (let done = 0; done < out.length; ) done += writeSync(this.#fd, out, done);
    } catch (error) {
      this.error = error;
    }
  }

  /** Nothing comes any more. */
  close(): void {
    this.flush();
    closeSync(this.#fd);
  }
}

/**
 * @param driver - whose ioctls
 * @param hardware - the device, whose facts the header has
 * @param command - what is run
 * @returns the first line of a recording
 */
export function headerOf(
  driver: HardwareDriver,
  hardware: Hardware,
  command: readonly string[],
): TraceHeader {
  const { frames } = hardware.device.options.memory;
  return {
    format: "drm-ioctl-trace",
    version: 1,
    driver: driver.name,
    uapi: "linux 7.3",
    umd: `live: ${basename(command[0] ?? "")}`,
    device: hardware.title,
    arch: machine(),
    workload: command.join(" "),
    ...(frames && { system_memory_bytes: frameBytes(frames) }),
    ...hardware.header,
  };
}

/**
 * @param recorder - takes the calls
 * @returns who looks on for it
 */
export function recordCalls(recorder: Recorder): ServerObserver {
  return {
    ioctl({ client, fileNumber, request, arg }) {
      if (fileNumber < 0) return undefined;
      const call = recorder.begin(fileNumber, request, arg, client.memory);
      return call && (({ ret, standIns }) => void recorder.finish(call, ret, arg, standIns));
    },
    closed: (fileNumber) => recorder.closed(fileNumber),
    mark: (text) => recorder.mark(text),
  };
}
