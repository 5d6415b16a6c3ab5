/**
 * The thread that runs the command. Files are written by the thread that watches over it: that one is there when a signal comes.
 *
 * @module
 */

import { parentPort, workerData } from "node:worker_threads";
import { tuneCommand } from "../engine.ts";
import { processIo } from "../io.ts";
import { main } from "../main.ts";
import type { Orders, Report, Saved } from "./messages.ts";

interface Waiting {
  resolve(): void;
  reject(error: Error): void;
}

const waiting = new Map<number, Waiting>();
let sent = 0;

function tell(report: Report): void {
  parentPort?.postMessage(report);
}

parentPort?.on("message", ({ id, error }: Saved) => {
  const { resolve, reject } = waiting.get(id) as Waiting;
  waiting.delete(id);
  if (waiting.size === 0) parentPort?.unref();
  if (error === null) resolve();
  else reject(Object.assign(new Error(error.message), { code: error.code }));
});
parentPort?.unref();

const { argv, columns, done } = workerData as Orders;
const io = processIo(
  (path, content) =>
    new Promise((resolve, reject) => {
      const id = sent++;
      waiting.set(id, { resolve, reject });
      parentPort?.ref();
      tell({ save: { id, path, content } });
    }),
  columns,
);

// No `await` at the top: bundled, this is no module that could.
void main(argv, io, () => tuneCommand(false), { done, shortOnly: false }).then((status) => tell({ status }));
