/**
 * The program of a measuring process: it measures one scenario and ends.
 *
 * @module
 */

import { tuneEngine } from "../engine.ts";
import type { Answer } from "./apart.ts";
import { measureTask, type Task } from "./task.ts";

tuneEngine();
const send = (answer: Answer): void => void process.send?.(answer, undefined, undefined, endWithoutCommand);
process.once("disconnect", () => process.exit());
process.once("message", (task) => {
  measureTask(task as Task, (step) => send({ step }))
    .then((results) => send({ results }))
    .catch((error) => send({ error: String(error) }));
});

/** Nobody waits for the figures any more. */
function endWithoutCommand(error: Error | null): void {
  if (error) process.exit();
}
