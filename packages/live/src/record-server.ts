/**
 * The server of `vmbind record`: it looks on while programs use a real driver. Before an ioctl it reads what is to be kept,
 * behind it it writes the record; the call itself runs in the program.
 *
 * An open file is told from others by what the kernel says of the descriptor: the client number that DRM drivers print in
 * `fdinfo`, or the inode of a socket where the driver is a model behind a shim of its own.
 *
 * @module
 */

import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import { createServer, type Server, type Socket } from "node:net";
import { join } from "node:path";
import { ClientProcess } from "./client-process.ts";
import type { ProcessMemory } from "./process-memory.ts";
import type { BegunCall, Recorder } from "./recorder.ts";
import { readFrom } from "./socket-reader.ts";
import { type Ask, AskReader, OP, readNumber, type Tell, tellBytes } from "./wire.ts";

const KEPT = 1;

/** What the server is told. */
export interface RecordServerOptions {
  /** Where it listens, from `makeFolder`. */
  readonly folder: string;
  /**
   * Asked for each ioctl.
   *
   * @param key - tells its open file from others
   * @param memory - of the process that makes it
   * @param fd - its file descriptor
   * @param request - its number
   * @returns what records it, null for one of a driver that is not recorded
   */
  recorderFor(key: string, memory: ProcessMemory, fd: number, request: number): Recorder | null;
  /** Gets how long each kept ioctl took. */
  timed?(name: string, ns: number): void;
  /** Something went wrong with the recording. */
  fault?(error: unknown): void;
  /** A program has the shim. */
  connected?(pid: number): void;
}

interface Recording {
  readonly call: BegunCall;
  readonly key: string;
}

/** The server. */
export class RecordServer {
  readonly #options: RecordServerOptions;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  readonly #clients = new Map<number, ClientProcess>();
  /** Which processes are known to have used a file. */
  readonly #users = new Map<string, Set<number>>();
  #recorder: Recorder | null = null;
  /** What was said before the first ioctl. */
  readonly #marks: string[] = [];

  /** @param options - see {@link RecordServerOptions} */
  constructor(options: RecordServerOptions) {
    this.#options = options;
    this.#server = createServer({ pauseOnConnect: true }, (socket) => this.#connected(socket));
  }

  /** What records, null while nothing was to be recorded. */
  get recorder(): Recorder | null {
    return this.#recorder;
  }

  /** Begin to listen. */
  listen(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#server.once("error", reject);
      this.#server.listen(join(this.#options.folder, "socket"), () => resolve());
    });
  }

  /** End: every connection is cut. */
  close(): void {
    this.#server.close();
    for (const socket of this.#sockets) socket.destroy();
    for (const client of this.#clients.values()) client.close();
    for (const key of this.#users.keys()) this.#recorder?.closed(key);
  }

  #connected(accepted: Socket): void {
    const reader = new AskReader();
    const state: { begun: Recording | null; pid: number } = { begun: null, pid: 0 };
    const socket = readFrom(accepted, (bytes) =>
      reader.take(bytes, (ask) => {
        const tell = this.#guarded(state, ask);
        if (socket.writable) socket.write(tellBytes(tell));
      }),
    );
    this.#sockets.add(socket);
    socket.on("error", () => {});
    socket.on("close", () => {
      this.#sockets.delete(socket);
      if (state.pid !== 0) this.#processEnded(state.pid);
    });
  }

  /** Whatever goes wrong with the recording, the program goes on. */
  #guarded(state: { begun: Recording | null; pid: number }, ask: Ask): Tell {
    try {
      return this.#answer(state, ask);
    } catch (error) {
      this.#options.fault?.(error);
      return { ret: 0 };
    }
  }

  #answer(state: { begun: Recording | null; pid: number }, ask: Ask): Tell {
    switch (ask.op) {
      case OP.hello:
        return this.#hello(state, ask);
      case OP.before:
        state.begun = this.#begin(ask);
        return { ret: state.begun === null ? 0 : KEPT };
      case OP.after:
        this.#finish(state.begun, ask);
        state.begun = null;
        return { ret: 0 };
      case OP.closed:
        this.#closedIn(ask.pid);
        return { ret: 0 };
      case OP.mark:
        this.#mark(new TextDecoder().decode(ask.body));
        return { ret: 0 };
      default:
        return { ret: -22 };
    }
  }

  #hello(state: { pid: number }, { pid }: Ask): Tell {
    state.pid = pid;
    this.#clients.get(pid)?.close();
    this.#clients.set(pid, new ClientProcess(pid, null));
    this.#options.connected?.(pid);
    const body = Buffer.alloc(128);
    body.writeUInt32LE(process.pid, 0);
    return { ret: 0, body };
  }

  #begin({ pid, value: fd, request, body }: Ask): Recording | null {
    const client = this.#clients.get(pid);
    if (client === undefined) return null;
    const key = fileKey(pid, fd);
    const recorder = this.#options.recorderFor(key, client.memory, fd, request);
    if (recorder === null) return null;
    if (this.#recorder === null) {
      this.#recorder = recorder;
      for (const text of this.#marks.splice(0)) recorder.mark(text);
    }
    const call = recorder.begin(key, request, body, client.memory);
    if (call === undefined) return null;
    const users = this.#users.get(key) ?? new Set();
    this.#users.set(key, users.add(pid));
    return { call, key };
  }

  #mark(text: string): void {
    if (this.#recorder === null) this.#marks.push(text);
    else this.#recorder.mark(text);
  }

  #finish(begun: Recording | null, { body }: Ask): void {
    if (begun === null) return;
    const ret = new DataView(body.buffer, body.byteOffset).getInt32(0, true);
    if (!this.#recorder?.finish(begun.call, ret, body.subarray(16))) return;
    this.#options.timed?.(begun.call.row.name, readNumber(body, 8));
  }

  /** A process has closed a descriptor: it may have been the last one of its file there. */
  #closedIn(pid: number): void {
    const open = filesOf(pid);
    for (const [key, users] of this.#users) {
      if (users.has(pid) && !open.has(key)) this.#unused(key, users, pid);
    }
  }

  #unused(key: string, users: Set<number>, pid: number): void {
    users.delete(pid);
    if (users.size > 0) return;
    this.#users.delete(key);
    this.#recorder?.closed(key);
  }

  #processEnded(pid: number): void {
    this.#clients.get(pid)?.close();
    this.#clients.delete(pid);
    for (const [key, users] of this.#users) if (users.has(pid)) this.#unused(key, users, pid);
  }
}

/** What tells an open file from others, in any process that has it. */
function fileKey(pid: number, fd: number): string {
  try {
    const link = readlinkSync(`/proc/${pid}/fd/${fd}`);
    if (link.startsWith("socket:")) return link;
    const client = /^drm-client-id:\s*(\d+)/m.exec(readFileSync(`/proc/${pid}/fdinfo/${fd}`, "latin1"))?.[1];
    return client === undefined ? `${pid} ${fd} ${link}` : `${link} ${client}`;
  } catch {
    return `${pid} ${fd}`;
  }
}

/** The files of DRM nodes that a process has open. */
function filesOf(pid: number): ReadonlySet<string> {
  try {
    return new Set(readdirSync(`/proc/${pid}/fd`).map((fd) => fileKey(pid, Number(fd))));
  } catch {
    return new Set();
  }
}
