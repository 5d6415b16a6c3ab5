/**
 * The program of a measuring process: it measures one scenario and ends.
 *
 * @module
 */

import { tuneEngine } from "../engine.ts";
import type { Answer, Order } from "./apart.ts";
import { measurePairTask } from "./pair.ts";
import { measureTask } from "./task.ts";

tuneEngine();
const send = (answer: Answer): void => void process.send?.(answer, undefined, undefined, endWithoutCommand);
process.once("disconnect", () => process.exit());
process.once("message", (order: Order) => {
  const onStep = (step: string): void => send({ step });
  measured(order, onStep)
    .then(send)
    .catch((error) => send({ error: String(error) }));
});

async function measured(order: Order, onStep: (step: string) => void): Promise<Answer> {
  if ("alone" in order) return { results: await measureTask(order.alone, onStep) };
  return { pairs: await measurePairTask(order.pair, onStep) };
}

/** Nobody waits for the figures any more. */
function endWithoutCommand(error: Error | null): void {
  if (error) process.exit();
}
