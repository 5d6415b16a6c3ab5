/**
 * Who looks on while a server works: a log, a recording, a checker of invariants.
 *
 * @module
 */

import type { StandIn } from "./call.ts";
import type { ClientProcess } from "./client-process.ts";
import type { LiveFile } from "./hardware.ts";

/** An ioctl that a client has made, for those who look on. */
export interface SeenIoctl {
  /** Who made it. */
  readonly client: ClientProcess;
  /** Number of the open file in the order of opening, from 0; -1 for a descriptor that is no file of a node. */
  readonly fileNumber: number;
  /** 32-bit request number. */
  readonly request: number;
  /** The argument; before the call, and changed by it. */
  readonly arg: Uint8Array;
}

/** What is told after an ioctl. */
export interface IoctlResult {
  /** 0 or more, or a negative errno. */
  readonly ret: number;
  /** Why it was refused, null when it was not. */
  readonly reason: string | null;
  /** What recordings have in place of numbers of the process. */
  readonly standIns: readonly StandIn[];
}

/** Who looks on. What one of these throws is told as a fault, and changes no answer. */
export interface ServerObserver {
  /** A file is opened. */
  opened?(file: LiveFile, fileNumber: number, client: ClientProcess): void;
  /** An ioctl begins; what is returned is called when it is answered. */
  ioctl?(seen: SeenIoctl): ((result: IoctlResult) => void) | undefined;
  /** A file is closed: the last descriptor of it is gone. */
  closed?(fileNumber: number): void;
  /** A client has said where it is. */
  mark?(text: string): void;
  /** Something went wrong that no client has caused. */
  fault?(error: unknown): void;
  /** A connection came: a program has the shim. */
  connected?(pid: number): void;
}
