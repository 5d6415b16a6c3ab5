/** Requests about programs and strategies that were typed. They have a worker of their own: it may have to be ended. */

import { answerOperations } from "./answer-operations.ts";
import { compareStrategies } from "./compare-strategies.ts";
import { listStrategies } from "./list-strategies.ts";

/** By kind, as in the page's own table. */
export const PROGRAM_HANDLERS = {
  "answer-operations": answerOperations,
  "compare-strategies": compareStrategies,
  "list-strategies": listStrategies,
};
