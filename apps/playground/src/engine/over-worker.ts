/** The engine in a worker, whose code the page carries: no second file is loaded. */

import { Caller } from "./caller.ts";
import type { Engine } from "./engine.ts";
import type { FromEngine } from "./protocol.ts";
import EngineWorker from "./worker.ts?worker&inline";

/** Start the worker. */
export function engineOverWorker(): Engine {
  const worker = new EngineWorker();
  const caller = new Caller((message) => worker.postMessage(message));
  worker.addEventListener("message", ({ data }: MessageEvent<FromEngine>) => caller.take(data));
  worker.addEventListener("error", ({ message }) => caller.fail(`the engine stopped: ${message}`));
  return caller;
}
