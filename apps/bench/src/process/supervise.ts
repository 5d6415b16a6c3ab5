/**
 * Watching over a command, which runs in a thread of its own.
 *
 * So one thread is always awake: it says in one line that memory has run out, which V8 otherwise answers by aborting the process,
 * and it takes half-written files away when a signal comes, however busy the command is.
 *
 * @module
 */

import { Worker } from "node:worker_threads";
import type { Orders, Report, Saved } from "./messages.ts";

/** What a thread comes to that has not said so. */
const DIED = 3;

/**
 * Run a command.
 *
 * @param argv - the words after the program's name
 * @returns its exit status
 */
export function supervise(argv: readonly string[]): Promise<number> {
  return new Promise((resolve) => {
    let status: number = DIED;
    let failed = Promise.resolve();
    const thread = new Worker(new URL("./thread.js", import.meta.url), {
      workerData: { argv } satisfies Orders,
    });
    thread.on("message", (report: Report) => {
      if ("status" in report) status = report.status;
      else void save(report.save).then((saved) => thread.postMessage(saved));
    });
    thread.on("error", (error) => {
      failed = explain(error, argv[0] ?? "").then((found) => {
        status = found;
      });
    });
    thread.on("exit", () => void failed.then(() => resolve(status)));
  });
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

async function save({ id, path, content }: { id: number; path: string; content: string }): Promise<Saved> {
  const { saveFile } = await import("../output/whole-file.ts");
  try {
    await saveFile(path, content);
    return { id, error: null };
  } catch (error) {
    const { message, code } = error as NodeJS.ErrnoException;
    return { id, error: { message, code } };
  }
}
