/**
 * One run of a command on a model: folder, shared file, server and shim are made, the command runs, everything goes again.
 *
 * @module
 */

import { existsSync } from "node:fs";
import { tmpdir } from "node:os";
import type { Hardware, HardwareDriver } from "./hardware.ts";
import { type CommandEnd, runCommand } from "./launch.ts";
import { fillFolder, makeFolder, removeFolder, sweepBehind } from "./node-folder.ts";
import type { ServerObserver } from "./observer.ts";
import { LiveServer } from "./server.ts";
import { roomIn, SharedMemory } from "./shared-memory.ts";
import { shimFile } from "./shim.ts";

/** What a session is to be. */
export interface SessionOptions {
  /** The driver. */
  readonly driver: HardwareDriver;
  /** Which of its devices. */
  readonly device: string;
  /** Folder in which the shim is kept between runs. */
  readonly cache: string;
  /** Folder for the shared file; memory unless given. */
  readonly memoryFolder?: string | undefined;
  /** Bytes of the GPU's own memory. */
  readonly vramBytes?: number | undefined;
  /** Bytes of system memory for objects. */
  readonly systemBytes?: number | undefined;
  /** See `HardwareOptions.debugBuild`; false unless given. */
  readonly debugBuild?: boolean | undefined;
  /** Who looks on, once the device is there. */
  observers?(hardware: Hardware): readonly ServerObserver[];
  /** See `HardwareOptions.note`; nobody is told unless given. */
  note?(text: string): void;
}

/** Bytes that the folder of the shared file should have. */
const ROOM_WANTED = 2 ** 30;

/** A server that runs, and what belongs to it. */
export class LiveSession {
  /** The GPU. */
  readonly hardware: Hardware;
  /** The server. */
  readonly server: LiveServer;
  /** The folder that programs find it by: `VMBIND_LIVE` of their environment. */
  readonly folder: string;
  /** The shim's file, for `LD_PRELOAD`. */
  readonly shim: string;
  readonly #memory: SharedMemory;
  readonly #stopSweeping: () => void;
  #closed = false;

  private constructor(
    parts: Pick<LiveSession, "hardware" | "server" | "folder" | "shim">,
    memory: SharedMemory,
    stopSweeping: () => void,
  ) {
    this.hardware = parts.hardware;
    this.server = parts.server;
    this.folder = parts.folder;
    this.shim = parts.shim;
    this.#memory = memory;
    this.#stopSweeping = stopSweeping;
  }

  /**
   * Begin to serve.
   *
   * @param options - see {@link SessionOptions}
   * @throws NoShim where there can be no shim
   */
  static async start(options: SessionOptions): Promise<LiveSession> {
    const { driver, device, cache, note = () => {} } = options;
    const shim = await shimFile("live", cache);
    const memory = new SharedMemory(options.memoryFolder ?? memoryFolder());
    const folder = makeFolder();
    const stopSweeping = sweepBehind(folder);
    const { vramBytes, systemBytes, debugBuild } = options;
    const hardware = driver.create(device, {
      backing: memory,
      pages: memory,
      ...(vramBytes !== undefined && { vramBytes }),
      ...(systemBytes !== undefined && { systemBytes }),
      ...(debugBuild && { debugBuild }),
      note,
    });
    fillFolder(folder, hardware);
    const server = new LiveServer({
      hardware,
      folder,
      memory,
      observers: options.observers?.(hardware) ?? [],
    });
    await server.listen();
    return new LiveSession({ hardware, server, folder, shim }, memory, stopSweeping);
  }

  /**
   * Run a command on the device.
   *
   * @param command - a program and its arguments
   * @throws CannotStart
   */
  run(command: readonly string[]): Promise<CommandEnd> {
    return runCommand(command, { shim: this.shim, env: { VMBIND_LIVE: this.folder } });
  }

  /** Whether the folder of the shared file is full, in words; null while it is not. */
  get fullText(): string | null {
    return this.#memory.room < 2 ** 20 ? this.#memory.roomText : null;
  }

  /** End: connections are cut, files closed, the folder goes. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.server.close();
    this.#memory.close();
    removeFolder(this.folder);
    this.#stopSweeping();
  }
}

/** Memory where the system has a folder for it; a container's may be too small for any GPU. */
function memoryFolder(): string {
  const folders = ["/dev/shm", tmpdir()].filter((folder) => existsSync(folder));
  return folders.find((folder) => roomIn(folder) >= ROOM_WANTED) ?? folders[0] ?? tmpdir();
}
