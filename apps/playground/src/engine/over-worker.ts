/** The engine in a worker, whose code the page carries: no second file is loaded. */

import type { Engine } from "./engine.ts";
import { engineOver } from "./engine-over.ts";
import EngineWorker from "./worker.ts?worker&inline";

/** Start the page's worker. */
export function engineOverWorker(): Engine {
  return engineOver(new EngineWorker());
}
