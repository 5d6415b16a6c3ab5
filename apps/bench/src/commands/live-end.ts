/**
 * What is said of a program that ran on a model: while it runs, with `--log`, and when it has ended.
 *
 * @module
 */

import { counted, size } from "@vmbind/drm";
import { type Hardware, type Leftover, MemoryFull, type ServerObserver } from "@vmbind/live";
import { visible } from "@vmbind/trace";
import { EXIT } from "../errors.ts";
import { columnsIn, complain, type Io } from "../io.ts";
import { renderTable } from "../text/table.ts";

/** Files whose leftovers are told one by one. */
const FILES_SHOWN = 8;

/** Keeps what there is to say. */
export class LiveEnd {
  /** What closed files had left to the kernel. */
  readonly leftovers: Leftover[] = [];
  /** Every call is told. */
  readonly logs: boolean;
  readonly #io: Io;
  #connected = 0;
  #broken = false;

  /**
   * @param io - where to say it
   * @param logs - see {@link LiveEnd.logs}
   */
  constructor(io: Io, logs: boolean) {
    this.#io = io;
    this.logs = logs;
  }

  /** Sees programs come, and faults of the model. */
  observer(): ServerObserver {
    return {
      connected: () => this.#connected++,
      fault: (error) => {
        if (error instanceof MemoryFull) {
          this.complain(`ENOMEM for the program: ${error.message}; --memory-folder names another one`);
          return;
        }
        const text = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
        this.complain(`a fault of the model, EIO for the program: ${text}`);
        if (process.env["VMBIND_STACK"] && error instanceof Error) this.#io.err(`${error.stack}\n`);
      },
    };
  }

  /** One line of the log. */
  say(line: string): void {
    this.#io.err(`${visible(line)}\n`);
  }

  /** One line that has to be said. */
  complain(text: string): void {
    complain(this.#io, "live", text);
  }

  /** Something that the GPU did. */
  note(text: string): void {
    if (this.logs) this.say(`-- ${text}`);
  }

  /** An invariant does not hold. */
  isBroken(error: Error): void {
    this.#broken = true;
    this.complain(`--check: ${error.message}`);
  }

  /**
   * The command has ended, and everything is closed.
   *
   * @param hardware - what it ran on
   * @param status - of the command
   * @param signal - that ended it
   * @param full - the folder of the memory file is full, in words; null while it is not
   * @returns the exit status: the command's, unless that hides a broken invariant
   */
  report(hardware: Hardware, status: number, signal: string | null, full: string | null): number {
    if (this.#connected === 0) {
      this.complain(
        "no program has opened a GPU; 32-bit programs, static binaries and raw system calls are not caught",
      );
    }
    if (signal === "SIGBUS" && full !== null) {
      this.complain(
        `SIGBUS: the program's mapped memory cannot be kept, ${full}; --memory-folder names another one`,
      );
    }
    if (this.logs) this.#io.err(this.#sheet(hardware));
    return this.#broken && status === EXIT.ok ? EXIT.internal : status;
  }

  #sheet({ device }: Hardware): string {
    const counters: readonly (readonly [string, number])[] = Object.entries(device.counters);
    const rows = counters.filter(([, value]) => value !== 0);
    const columns = columnsIn(this.#io);
    const table = renderTable({ columns: ["counter", "total"], rows }, "text", columns);
    const shown = this.leftovers.slice(0, FILES_SHOWN).map(leftoverText);
    const more = this.leftovers.length - shown.length;
    const left = [
      ...shown,
      ...(more > 0 ? [`and ${counted(more, "more file")}`] : []),
      ...(this.leftovers.length === 0 ? ["nothing was left to the end of a file"] : []),
    ];
    return `${table}${left.join("\n")}\n`;
  }
}

function leftoverText({ file, vms, mappings, objects, bytes }: Leftover): string {
  const what = [
    vms > 0 ? `${counted(vms, "VM")} with ${counted(mappings, "mapping")}` : "",
    objects > 0 ? `${counted(objects, "object")} of ${size(bytes)}` : "",
  ];
  return `file ${file} was closed with ${what.filter(Boolean).join(" and ")}`;
}
