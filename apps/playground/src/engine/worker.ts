/** The inside of the worker. */

import { buffersOf, type ToEngine } from "./protocol.ts";
import { EngineQueue } from "./queue.ts";

const queue = new EngineQueue((message) =>
  self.postMessage(message, { transfer: "answer" in message ? buffersOf(message.answer) : [] }),
);
self.addEventListener("message", ({ data }: MessageEvent<ToEngine>) => queue.take(data));
