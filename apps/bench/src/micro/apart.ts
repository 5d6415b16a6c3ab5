/**
 * Each scenario in a process of its own: what one teaches the engine about the shapes of objects, and what it leaves on
 * the heap, would change the figures of the next by a quarter and more.
 *
 * @module
 */

import { fork } from "node:child_process";
import type { MicroResult } from "./harness.ts";
import type { PairResult, PairTask } from "./pair.ts";
import { measureTask, type Task } from "./task.ts";

/**
 * V8 compiles beside the program by default, and what is copied into which function depends on which of them is done first: by that alone,
 * one build took 205 ns in one process and 240 in the next. When the program waits for the compiler, each process comes to the same code.
 */
const COMPILE_IN_TURN = "--no-concurrent-recompilation";

/** What a measuring process is told: one build's scenario, or that of two builds. */
export type Order = { alone: Task } | { pair: PairTask };

/** What a measuring process says: the step that it begins, and in the end the figures or why there are none. */
export type Answer =
  | { step: string }
  | { results: MicroResult[] }
  | { pairs: PairResult[] }
  | { error: string };

/**
 * Measure a scenario in a fresh process.
 *
 * @param task - what
 * @param onStep - told before each step of each run
 * @throws Error, in one line, when the process ends without figures
 */
export async function measureApart(task: Task, onStep: (id: string) => void): Promise<MicroResult[]> {
  // Node 20 cannot run the TypeScript sources that tests are run from: no processes there.
  if (!import.meta.url.endsWith(".js")) return measureTask(task, onStep);
  const answer = await inProcess({ alone: task }, onStep);
  return "results" in answer ? answer.results : [];
}

/**
 * Measure a scenario of two builds in a fresh process.
 *
 * @param task - what
 * @param onStep - told before each step of each run
 * @throws Error, in one line, when the process ends without figures
 */
export async function measurePairApart(task: PairTask, onStep: (id: string) => void): Promise<PairResult[]> {
  const answer = await inProcess({ pair: task }, onStep);
  return "pairs" in answer ? answer.pairs : [];
}

function inProcess(order: Order, onStep: (id: string) => void): Promise<Answer> {
  return new Promise((resolve, reject) => {
    // From the bundle, as a replay runs the models: there V8 knows what a function of another module is.
    const child = fork(new URL("../quick/measure.js", import.meta.url), {
      execArgv: [...process.execArgv, COMPILE_IN_TURN],
    });
    child.on("message", (answer: Answer) => {
      if ("step" in answer) return onStep(answer.step);
      if ("error" in answer) reject(new Error(answer.error));
      else resolve(answer);
      child.disconnect();
    });
    child.once("error", reject);
    // Without effect behind an answer.
    child.once("exit", (code, signal) =>
      reject(new Error(`the measuring process ended with ${signal ?? code}`)),
    );
    child.send(order);
  });
}
