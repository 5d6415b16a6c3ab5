/** The engine in the page's own thread: for tests, and the same queue as in a worker. */

import { Caller } from "./caller.ts";
import type { Engine } from "./engine.ts";
import { HANDLERS } from "./handlers.ts";
import { PROGRAM_HANDLERS } from "./programs/handlers.ts";
import { buffersOf } from "./protocol.ts";
import { EngineQueue } from "./queue.ts";

/** An engine without a worker, for all requests; what travels is copied as a worker would get it. */
export function engineInProcess(): Engine {
  const queue = new EngineQueue({ ...HANDLERS, ...PROGRAM_HANDLERS }, (message) =>
    caller.take(structuredClone(message, { transfer: "answer" in message ? buffersOf(message.answer) : [] })),
  );
  const caller = new Caller((message) => queue.take(structuredClone(message)));
  return caller;
}
