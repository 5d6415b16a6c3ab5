/** A client of the core's ioctls without a process: its memory, and the descriptors that it was given. */

import { DrmError, UserMemory } from "@vmbind/drm";
import { DataPages } from "@vmbind/mmu";
import { LiveCall } from "../src/call.ts";
import { ClientProcess } from "../src/client-process.ts";
import { CORE_IOCTLS } from "../src/core/drm-ioctls.ts";
import { descriptorIoctl } from "../src/core/sync-file-ioctls.ts";
import { type Descriptor, Descriptors } from "../src/descriptors.ts";
import { HARDWARE } from "../src/drivers/msm/hardware.ts";
import type { Answer, Hardware, LiveFile } from "../src/hardware.ts";
import { ProcessMemory } from "../src/process-memory.ts";
import { Scheduler } from "../src/scheduler.ts";

class Memory extends ProcessMemory {
  readonly places = new UserMemory();

  override view(addr: number, length: number): DataView {
    return this.places.view(addr, length);
  }

  override write(addr: number, bytes: Uint8Array): void {
    this.places.write(addr, bytes);
  }
}

class Call extends LiveCall {
  readonly #client: CoreClient;

  constructor(client: CoreClient, descriptors: Descriptors, scheduler: Scheduler) {
    super(new ClientProcess(process.pid, null), { descriptors, scheduler });
    this.#client = client;
  }

  override get user(): ProcessMemory {
    return this.#client.memory;
  }

  override descriptorOf(fd: number): Descriptor | undefined {
    return this.#client.fds.get(fd);
  }
}

export class CoreClient {
  readonly hardware: Hardware;
  readonly file: LiveFile;
  readonly memory: Memory = new Memory(process.pid);
  /** By number. */
  readonly fds: Map<number, Descriptor> = new Map();
  readonly #descriptors = new Descriptors();
  readonly #scheduler: Scheduler;

  constructor(other?: CoreClient) {
    this.hardware =
      other?.hardware ??
      HARDWARE.create("a750", { backing: new DataPages(), pages: { processPage: null }, note: () => {} });
    this.file = this.hardware.open();
    this.#scheduler = new Scheduler(() => false);
  }

  call(): LiveCall {
    return new Call(this, this.#descriptors, this.#scheduler);
  }

  /** An ioctl of the core: 0, a negative errno, or a promise of that. */
  ask(name: string, arg: Uint8Array): Answer {
    const row = [...CORE_IOCTLS.values()].find((one) => one.name === name);
    if (row === undefined) throw new Error(`no ioctl ${name}`);
    return refused((call) => row.run(this.file, call, viewOf(arg), this.hardware), this.call());
  }

  /** An ioctl of a descriptor that is no file of the node. */
  askDescriptor(from: Exclude<Descriptor, { what: "file" }>, request: number, arg: Uint8Array): Answer {
    return refused((call) => descriptorIoctl(from, call, request, viewOf(arg)), this.call());
  }

  /** Put numbers of 32 or 64 bits into memory. */
  place(addr: number, values: readonly number[] | readonly bigint[]): Uint8Array {
    const words = values.map((value) => value);
    const wide = typeof words[0] === "bigint";
    const bytes = new Uint8Array(values.length * (wide ? 8 : 4));
    words.forEach((value, i) => {
      if (typeof value === "bigint") viewOf(bytes).setBigUint64(8 * i, value, true);
      else viewOf(bytes).setUint32(4 * i, value, true);
    });
    this.memory.places.place(addr, bytes);
    return bytes;
  }

  close(): void {
    this.file.close();
    this.#scheduler.close();
  }
}

function refused(run: (call: LiveCall) => Answer, call: LiveCall): Answer {
  try {
    return run(call);
  } catch (error) {
    if (error instanceof DrmError) return -error.errno;
    throw error;
  }
}

export function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
}
