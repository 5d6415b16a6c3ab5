/** The engine in the page's own thread: for tests, and the same queue as in a worker. */

import { Caller } from "./caller.ts";
import type { Engine } from "./engine.ts";
import { buffersOf } from "./protocol.ts";
import { EngineQueue } from "./queue.ts";

/** An engine without a worker; what travels is copied as a worker would get it. */
export function engineInProcess(): Engine {
  const queue = new EngineQueue((message) =>
    caller.take(structuredClone(message, { transfer: "answer" in message ? buffersOf(message.answer) : [] })),
  );
  const caller = new Caller((message) => queue.take(structuredClone(message)));
  return caller;
}
