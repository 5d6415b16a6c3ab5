/** The worker that runs programs, in which all packages are. */

import { engineOver, type StoppableEngine } from "../engine/engine-over.ts";
import ProgramWorker from "../engine/programs/worker.ts?worker&inline";

/** @returns a fresh one, of which whoever starts it is to take care */
export function programEngine(): StoppableEngine {
  return engineOver(new ProgramWorker());
}
