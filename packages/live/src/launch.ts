/**
 * Run a command below a shim, and pass on how it ends.
 *
 * @module
 */

import { type ChildProcess, spawn } from "node:child_process";
import { constants } from "node:os";

/** How a command ended. */
export interface CommandEnd {
  /** Exit status as a shell has it: 128 and the signal's number where a signal ended it. */
  readonly status: number;
  /** Name of the signal, e.g. `SIGKILL`, or null. */
  readonly signal: string | null;
}

/** The command cannot be started. */
export class CannotStart extends Error {
  /** `CannotStart`, as stack traces print it. */
  override readonly name: string = "CannotStart";
  /** Exit status as a shell has it: 127 for a command that is not there, 126 for one that cannot be run. */
  readonly status: number;

  /**
   * @param message - what is wrong
   * @param status - see {@link CannotStart.status}
   */
  constructor(message: string, status: number) {
    super(message);
    this.status = status;
  }
}

/** What a command runs with. */
export interface CommandOptions {
  /** The shim's file. */
  readonly shim: string;
  /** Further variables of its environment. */
  readonly env: Readonly<Record<string, string>>;
}

/**
 * Run a command with a shim in it. It has this process's terminal; signals that a terminal sends to both end the command,
 * and with it this function. TERM and HUP that only this process gets are passed on.
 *
 * @param command - a program and its arguments
 * @param options - see {@link CommandOptions}
 * @throws CannotStart
 */
export async function runCommand(
  command: readonly string[],
  { shim, env }: CommandOptions,
): Promise<CommandEnd> {
  const [file = "", ...args] = command;
  const preload = [shim, process.env["LD_PRELOAD"]].filter(Boolean).join(":");
  const child = started(file, args, { ...process.env, ...env, LD_PRELOAD: preload });
  const stop = listen(child);
  try {
    return await ended(child, file);
  } finally {
    stop();
  }
}

/** Some errors of starting a program are thrown, the others come as an event. */
function started(file: string, args: readonly string[], env: NodeJS.ProcessEnv): ChildProcess {
  try {
    return spawn(file, args, { stdio: "inherit", env });
  } catch (error) {
    throw cannotStart(file, error as NodeJS.ErrnoException);
  }
}

function cannotStart(file: string, { code, message }: NodeJS.ErrnoException): CannotStart {
  const missing = code === "ENOENT" || code === "ENOTDIR";
  return new CannotStart(`${file}: ${missing ? "no such program" : message}`, missing ? 127 : 126);
}

function ended(child: ChildProcess, file: string): Promise<CommandEnd> {
  return new Promise((resolve, reject) => {
    child.once("error", (error: NodeJS.ErrnoException) => reject(cannotStart(file, error)));
    child.once("exit", (status, signal) => {
      resolve({ status: status ?? 128 + (signal === null ? 0 : constants.signals[signal]), signal });
    });
  });
}

function listen(child: ChildProcess): () => void {
  const stay = () => {};
  const pass = (signal: NodeJS.Signals) => void child.kill(signal);
  process.on("SIGINT", stay);
  process.on("SIGQUIT", stay);
  process.on("SIGTERM", pass);
  process.on("SIGHUP", pass);
  return () => {
    process.off("SIGINT", stay);
    process.off("SIGQUIT", stay);
    process.off("SIGTERM", pass);
    process.off("SIGHUP", pass);
  };
}
