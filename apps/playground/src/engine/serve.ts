/** The inside of a worker, whichever requests it answers. */

import { buffersOf, type ToEngine } from "./protocol.ts";
import { EngineQueue, type HandlerTable } from "./queue.ts";

/**
 * Answer whoever started this worker.
 *
 * @param handlers - by kind
 */
export function serve(handlers: HandlerTable): void {
  const queue = new EngineQueue(handlers, (message) =>
    self.postMessage(message, { transfer: "answer" in message ? buffersOf(message.answer) : [] }),
  );
  self.addEventListener("message", ({ data }: MessageEvent<ToEngine>) => queue.take(data));
}
