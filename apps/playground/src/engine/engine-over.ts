/** An engine at the other end of a worker, whichever requests that one serves. */

import { Caller } from "./caller.ts";
import type { Engine } from "./engine.ts";
import type { FromEngine } from "./protocol.ts";

/** An engine that can be ended in the middle of whatever it does. */
export interface StoppableEngine extends Engine {
  /**
   * End it: nothing is answered any more.
   *
   * @param why - what those who wait are told
   */
  stop(why: string): void;
}

/** @param worker - serves requests; belongs to the engine from now on */
export function engineOver(worker: Worker): StoppableEngine {
  const caller = new Caller((message) => worker.postMessage(message));
  worker.addEventListener("message", ({ data }: MessageEvent<FromEngine>) => caller.take(data));
  worker.addEventListener("error", ({ message }) => caller.fail(`the engine stopped: ${message}`));
  return {
    ask: (kind, request, options) => caller.ask(kind, request, options),
    stop(why) {
      worker.terminate();
      caller.fail(why);
    },
  };
}
