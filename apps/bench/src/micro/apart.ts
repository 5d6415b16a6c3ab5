/**
 * Each scenario in a process of its own: what one teaches the engine about the shapes of objects, and what it leaves on
 * the heap, would change the figures of the next by a quarter and more.
 *
 * @module
 */

import { fork } from "node:child_process";
import type { MicroResult } from "./harness.ts";
import { measureTask, type Task } from "./task.ts";

/** What a measuring process says: the step that it begins, and in the end the figures or why there are none. */
export type Answer = { step: string } | { results: MicroResult[] } | { error: string };

/**
 * Measure a scenario in a fresh process.
 *
 * @param task - what
 * @param onStep - told before each step of each run
 * @throws Error, in one line, when the process ends without figures
 */
export function measureApart(task: Task, onStep: (id: string) => void): Promise<MicroResult[]> {
  // Node 20 cannot run the TypeScript sources that tests are run from: no processes there.
  if (!import.meta.url.endsWith(".js")) return measureTask(task, onStep);
  return new Promise((resolve, reject) => {
    const child = fork(new URL("./child.js", import.meta.url));
    child.on("message", (answer: Answer) => {
      if ("step" in answer) return onStep(answer.step);
      if ("results" in answer) resolve(answer.results);
      else reject(new Error(answer.error));
      child.disconnect();
    });
    child.once("error", reject);
    // Without effect behind an answer.
    child.once("exit", (code, signal) =>
      reject(new Error(`the measuring process ended with ${signal ?? code}`)),
    );
    child.send(task);
  });
}
