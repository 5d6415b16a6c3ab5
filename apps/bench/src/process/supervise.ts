/**
 * Watching over a command, which runs in a thread of its own.
 *
 * So one thread is always awake: it says in one line that memory has run out, which V8 otherwise answers by aborting the process,
 * and it takes half-written files away when a signal comes, however busy the command is.
 *
 * @module
 */

import { Worker } from "node:worker_threads";
import { YOUNG_MIB } from "../engine.ts";
import { terminalColumns } from "../output/terminal.ts";
import { commandOf, isAsCompiled } from "../quick.ts";
import { isThisBehind } from "./bundle.ts";
import type { Orders, Report, Saved } from "./messages.ts";

/**
 * Run a command.
 *
 * @param argv - the words after the program's name
 * @param done - how many of its files are done already
 * @returns its exit status
 */
export function supervise(argv: readonly string[], done = 0): Promise<number> {
  return new Promise((resolve) => {
    let status: number | null = null;
    let failed: Promise<number> | null = null;
    const thread = new Worker(threadFile(argv), {
      workerData: { argv, columns: terminalColumns(), done } satisfies Orders,
      resourceLimits: { maxYoungGenerationSizeMb: commandOf(argv)?.youngMib ?? YOUNG_MIB },
    });
    thread.on("message", (report: Report) => {
      if ("status" in report) status = report.status;
      else void save(report.save).then((saved) => thread.postMessage(saved));
    });
    thread.on("error", (error) => {
      failed = explain(error, argv[0] ?? "");
    });
    thread.on("exit", () => {
      failed ??=
        status === null ? explain(new Error("the command ended without a status"), argv[0] ?? "") : null;
      resolve(failed ?? status ?? 0);
    });
  });
}

/**
 * In the bundle `thread.js` beside this module is the bundled one; as compiled, both are the same file.
 *
 * Who compiles a package of a clone without bundling the program again, as `tsc -b` does, gets what was compiled.
 */
function threadFile(argv: readonly string[]): URL {
  const compiled = new URL("../process/thread.js", import.meta.url);
  const bundled = new URL("./thread.js", import.meta.url);
  return isAsCompiled(argv) || isThisBehind() ? compiled : bundled;
}

// What is imported here is seldom needed: the command starts sooner without it.

async function explain(error: unknown, command: string): Promise<number> {
  const [{ failureOf }, { complain, processIo }] = await Promise.all([
    import("../errors.ts"),
    import("../io.ts"),
  ]);
  const { status, message } = failureOf(error);
  if (message !== null) complain(processIo(), command, message);
  return status;
}

async function save({
  id,
  path,
  content,
}: {
  id: number;
  path: string;
  content: string | Uint8Array;
}): Promise<Saved> {
  const { saveFile } = await import("../output/whole-file.ts");
  try {
    await saveFile(path, content);
    return { id, error: null };
  } catch (error) {
    const { message, code } = error as NodeJS.ErrnoException;
    return { id, error: { message, code } };
  }
}
