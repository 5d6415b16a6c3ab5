/**
 * The server: the kernel of its clients. It listens in a folder, gives every connection its answers, and knows which processes,
 * descriptors and mappings there are. What a call means is decided elsewhere: ioctls of the DRM core in `core/`, those of a driver
 * in its room, and below that in the model.
 *
 * A fault of the model is EIO for the client that found it; the server lives on.
 *
 * @module
 */

import { createServer, type Server, type Socket } from "node:net";
import { join } from "node:path";
import { DrmError, EBADF, EINVAL, EIO, ENOMEM, ENOTTY, fail, size as sizeText, TYPE_DRM } from "@vmbind/drm";
import { copyBytes } from "./byte-pool.ts";
import { LiveCall } from "./call.ts";
import { ClientProcess } from "./client-process.ts";
import { CORE_IOCTLS } from "./core/drm-ioctls.ts";
import { SwSyncTimeline } from "./core/sw-sync.ts";
import { descriptorIoctl } from "./core/sync-file-ioctls.ts";
import { Descriptors } from "./descriptors.ts";
import type { Answer, Hardware, LiveFile } from "./hardware.ts";
import { mmapTarget, seekDmaBuf } from "./mmap-target.ts";
import { SW_SYNC_MINOR } from "./node-folder.ts";
import type { IoctlResult, SeenIoctl, ServerObserver } from "./observer.ts";
import type { Span } from "./ranges.ts";
import { Scheduler } from "./scheduler.ts";
import { MemoryFull, type SharedMemory } from "./shared-memory.ts";
import { readFrom } from "./socket-reader.ts";
import { type Ask, AskReader, OP, readNumber, type Tell, tellBytes } from "./wire.ts";

const PAGE_BYTES = 4096;

interface OpenNode {
  readonly file: LiveFile;
  readonly number: number;
}

/** One connection of a client. */
interface Connection {
  readonly socket: Socket;
  /** The descriptor that it is, 0 for one that asks. */
  object: number;
  /** The process whose life it stands for, null for none. */
  client: ClientProcess | null;
  /** What it waits for an answer to. */
  call: LiveCall | null;
}

/** What a server is made of. */
export interface ServerOptions {
  /** The GPU. */
  readonly hardware: Hardware;
  /** Where it listens, from `makeFolder`. */
  readonly folder: string;
  /** The shared file. */
  readonly memory: SharedMemory;
  /** Who looks on. */
  readonly observers?: readonly ServerObserver[];
}

/** The server. */
export class LiveServer {
  readonly #hardware: Hardware;
  readonly #folder: string;
  readonly #memory: SharedMemory;
  readonly #observers: readonly ServerObserver[];
  readonly #descriptors = new Descriptors();
  readonly #scheduler: Scheduler;
  readonly #processes = new Map<number, ClientProcess>();
  readonly #nodes = new Map<number, OpenNode>();
  readonly #connections = new Set<Connection>();
  readonly #server: Server;
  #opened = 0;

  /** @param options - see {@link ServerOptions} */
  constructor({ hardware, folder, memory, observers = [] }: ServerOptions) {
    this.#hardware = hardware;
    this.#folder = folder;
    this.#memory = memory;
    this.#observers = observers;
    this.#scheduler = new Scheduler(() => this.#progress());
    this.#server = createServer({ pauseOnConnect: true }, (socket) => this.#connected(socket));
  }

  /** Open files of nodes, in the order of opening. */
  get files(): LiveFile[] {
    return [...this.#nodes.values()].map(({ file }) => file);
  }

  /** Begin to listen. */
  listen(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#server.once("error", reject);
      this.#server.listen(join(this.#folder, "socket"), () => resolve());
    });
  }

  /** End: every connection is cut, every file closed. */
  close(): void {
    this.#server.close();
    for (const connection of [...this.#connections]) {
      connection.socket.destroy();
      this.#gone(connection);
    }
    for (const process of this.#processes.values()) process.close();
    this.#processes.clear();
    this.#scheduler.close();
  }

  #progress(): boolean {
    try {
      return this.#hardware.progress();
    } catch (error) {
      this.#fault(error);
      return false;
    }
  }

  /** Whoever looks on cannot break a call. */
  #guarded<T>(look: () => T): T | undefined {
    try {
      return look();
    } catch (error) {
      this.#fault(error);
      return undefined;
    }
  }

  #fault(error: unknown): void {
    for (const observer of this.#observers) observer.fault?.(error);
  }

  // -- connections

  #connected(accepted: Socket): void {
    const reader = new AskReader();
    const serve = (ask: Ask) => this.#serve(connection, ask);
    const socket = readFrom(accepted, (bytes) => reader.take(bytes, serve));
    const connection: Connection = { socket, object: 0, client: null, call: null };
    this.#connections.add(connection);
    socket.on("error", () => {});
    // Clients never close one half: the end of what they say is their last close.
    socket.on("end", () => this.#gone(connection));
    socket.on("close", () => this.#gone(connection));
  }

  #gone(connection: Connection): void {
    if (!this.#connections.delete(connection)) return;
    try {
      connection.call?.cancel();
      this.#memory.leave(connection);
      if (connection.object !== 0) this.#closeDescriptor(connection.object);
      if (connection.client !== null) this.#processGone(connection.client);
    } catch (error) {
      this.#fault(error);
    }
  }

  /** The process has ended, or it runs another program and has said hello again. */
  #processGone(client: ClientProcess): void {
    client.close();
    for (const object of client.promised) this.#closeDescriptor(object);
    if (this.#processes.get(client.memory.pid) === client) this.#processes.delete(client.memory.pid);
  }

  #closeDescriptor(object: number): void {
    const descriptor = this.#descriptors.remove(object);
    if (descriptor?.what === "dma-buf") descriptor.dmaBuf.put();
    else if (descriptor?.what === "sw-sync") descriptor.timeline.end(-2);
    const node = this.#nodes.get(object);
    if (node === undefined) return;
    this.#nodes.delete(object);
    for (const observer of this.#observers) observer.closed?.(node.number);
    node.file.close();
    this.#scheduler.run();
  }

  #client(pid: number): ClientProcess {
    let client = this.#processes.get(pid);
    if (client === undefined) {
      client = new ClientProcess(pid, null);
      this.#processes.set(pid, client);
    }
    return client;
  }

  #tell({ socket }: Connection, tell: Tell): void {
    if (socket.writable) socket.write(tellBytes(tell));
  }

  // -- questions

  #serve(connection: Connection, ask: Ask): void {
    let tell: Tell | null;
    try {
      tell = this.#answer(connection, ask);
    } catch (error) {
      tell = { ret: this.#refusal(error) };
    }
    if (tell !== null) this.#tell(connection, tell);
  }

  /** The answer, null for one that is given later, or was given already. */
  #answer(connection: Connection, ask: Ask): Tell | null {
    const { op, pid, body } = ask;
    switch (op) {
      case OP.ioctl:
        this.#ioctl(connection, ask);
        return null;
      case OP.hello:
        return this.#hello(connection, ask);
      case OP.open:
        return this.#open(connection, ask);
      case OP.adopt:
        this.#adopt(connection, ask);
        return null;
      case OP.what:
        return { ret: 0, object: this.#descriptors.objectAt(readNumber(body, 0)) };
      case OP.mmap:
        return this.#mmap(connection, ask);
      case OP.munmap:
        this.#processes.get(pid)?.unmap(readNumber(body, 0), readNumber(body, 8));
        return { ret: 0 };
      case OP.seek:
        return { ret: 0, body: seekDmaBuf(this.#descriptors.get(ask.object), body) };
      case OP.punched:
        this.#memory.punched(connection);
        return { ret: 0 };
      case OP.closed:
        // What was closed before this was asked is known once all sockets were looked at.
        setImmediate(() => setImmediate(() => this.#tell(connection, { ret: 0 })));
        return null;
      case OP.mark:
        for (const observer of this.#observers) observer.mark?.(new TextDecoder().decode(body));
        return { ret: 0 };
      default:
        return fail(EINVAL, `wire: no op ${op}`);
    }
  }

  /** What an exception is to a client. */
  #refusal(error: unknown): number {
    if (error instanceof DrmError) return -error.errno;
    this.#fault(error);
    return error instanceof MemoryFull ? -ENOMEM : -EIO;
  }

  #hello(connection: Connection, { pid, value }: Ask): Tell {
    connection.client = new ClientProcess(pid, this.#processes.get(value) ?? null);
    this.#processes.set(pid, connection.client);
    for (const observer of this.#observers) observer.connected?.(pid);
    const body = Buffer.alloc(128);
    body.writeUInt32LE(process.pid, 0);
    body.write(this.#memory.path, 8);
    return { ret: 0, body };
  }

  #open(connection: Connection, { pid, object: minor, body }: Ask): Tell {
    const client = this.#client(pid);
    if (minor === SW_SYNC_MINOR) {
      connection.object = this.#descriptors.add({ what: "sw-sync", timeline: new SwSyncTimeline() }, minor);
    } else {
      const file = this.#hardware.open();
      const number = this.#opened++;
      connection.object = this.#descriptors.add({ what: "file", model: file.model }, minor);
      this.#nodes.set(connection.object, { file, number });
      for (const observer of this.#observers) observer.opened?.(file, number, client);
    }
    this.#descriptors.settle(connection.object, readNumber(body, 0));
    return { ret: 0, object: connection.object };
  }

  #adopt(connection: Connection, { pid, object, body }: Ask): void {
    const descriptor = this.#descriptors.get(object) ?? fail(EBADF, "adopt: no such descriptor");
    connection.object = object;
    this.#processes.get(pid)?.promised.delete(object);
    this.#descriptors.settle(object, readNumber(body, 0));
    this.#tell(connection, { ret: 0, object });
    // A sync file is readable once its fence has signalled.
    if (descriptor.what === "sync-file") {
      descriptor.fence.onSignal(() =>
        setImmediate(() => connection.socket.writable && connection.socket.write("!")),
      );
    }
  }

  // -- ioctl

  #ioctl(connection: Connection, { pid, object, request, body }: Ask): void {
    const client = this.#client(pid);
    client.memory.forgetMaps();
    const node = this.#nodes.get(object);
    const call = new LiveCall(client, { descriptors: this.#descriptors, scheduler: this.#scheduler });
    const seen: SeenIoctl = { client, fileNumber: node?.number ?? -1, request, arg: body };
    const after: ((result: IoctlResult) => void)[] = [];
    for (const observer of this.#observers) {
      const then = this.#guarded(() => observer.ioctl?.(seen));
      if (then !== undefined) after.push(then);
    }
    const sent = copyBytes(body);
    connection.call = call;
    const finish = (ret: number, reason: string | null) => {
      connection.call = null;
      for (const then of after) this.#guarded(() => then({ ret, reason, standIns: call.standIns }));
      const spans = this.#memory.holesFor(connection);
      // The shim takes what follows the header for the argument.
      const comes = spans.length > 0 || Buffer.compare(sent, body) !== 0;
      const made = ret < 0 ? null : call.made;
      if (made !== null) client.promised.add(made.object);
      else if (call.made !== null) this.#closeDescriptor(call.made.object);
      this.#tell(connection, {
        ret,
        ...(comes && { body }),
        ...(made !== null && { object: made.object, objectAt: made.at, objectFlags: made.flags }),
        spans,
      });
    };
    const refuse = (error: unknown) =>
      finish(this.#refusal(error), error instanceof Error ? error.message : `${error}`);
    let answer: Answer;
    try {
      answer = this.#run(call, object, node?.file, request, body);
      this.#scheduler.run();
    } catch (error) {
      refuse(error);
      return;
    }
    const end = (ret: number) => finish(ret, ret < 0 ? (node?.file.model.lastError?.message ?? null) : null);
    if (typeof answer === "number") end(answer);
    else answer.then(end, refuse);
  }

  #run(call: LiveCall, object: number, file: LiveFile | undefined, request: number, arg: Uint8Array): Answer {
    if (file === undefined) {
      const descriptor = this.#descriptors.get(object);
      if (descriptor === undefined || descriptor.what === "file")
        return fail(EBADF, "ioctl: the descriptor is gone");
      return descriptorIoctl(descriptor, call, request, viewOf(arg));
    }
    const type = (request >>> 8) & 0xff;
    if (type !== TYPE_DRM)
      return fail(ENOTTY, `ioctl: 0x${(request >>> 0).toString(16)} is not a DRM request`);
    const core = CORE_IOCTLS.get(request & 0xff);
    if (core === undefined) return file.ioctl(call, request, arg);
    const whole = new Uint8Array(Math.max(arg.length, core.layout?.size ?? 0));
    whole.set(arg);
    const answer = core.run(file, call, viewOf(whole), this.#hardware);
    const copyOut = (ret: number) => {
      arg.set(whole.subarray(0, arg.length));
      return ret;
    };
    return typeof answer === "number" ? copyOut(answer) : answer.then(copyOut);
  }

  // -- mmap

  #mmap(connection: Connection, ask: Ask): Tell | null {
    const { pid, object, body } = ask;
    const offset = readNumber(body, 0);
    const bytes = Math.ceil(readNumber(body, 8) / PAGE_BYTES) * PAGE_BYTES;
    const addr = readNumber(body, 32);
    const found = mmapTarget(this.#descriptors.get(object), this.#nodes.get(object)?.file, offset);
    if (found === null) return { ret: 0 };
    const { gem, at } = found;
    if (at + bytes > gem.size) {
      fail(EINVAL, `mmap: ${bytes} bytes at ${at} leave an object of ${gem.size}`);
    }
    const pieces: Span[] = [...gem.segments(at, bytes)].map((piece) => ({
      at: piece.pa,
      bytes: piece.bytes,
    }));
    const ready = this.#memory.prepare(pieces, connection);
    if (ready === "wait") {
      this.#memory.onPunched(() => this.#serve(connection, ask));
      return null;
    }
    if (ready !== "ready") return { ret: 0, spans: ready, holes: true };
    const { room } = this.#memory;
    if (bytes > room) {
      throw new MemoryFull(`mmap of ${sizeText(bytes)}: ${this.#memory.roomText}`);
    }
    this.#client(pid).map(addr, bytes, gem);
    return { ret: 0, spans: this.#memory.placed(pieces) };
  }
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
}
