/** A program of operations, and what every strategy that was chosen answers to it. */

import type { QuirkProfile } from "@vmbind/drm";
import {
  type AgreementRow,
  agreement,
  answerOperations as answersOf,
  type Operation,
  OperationScript,
  Proposal,
  RefusedError,
  type SparseStrategy,
  type StrategyAnswer,
  sparseStrategy,
} from "@vmbind/lab";
import type { Turn } from "../turn.ts";
import { operationLabel } from "./operation-label.ts";
import { placeIn, problemOf, runText, type TextPlace, type TextProblem } from "./run-text.ts";

/** What is asked. */
export interface OperationsRequest {
  /** The program: JavaScript, imports as calls of `require`. */
  readonly program: string;
  /** A strategy module in the same form; null for none. */
  readonly strategy: string | null;
  /** Names of strategies of the table. */
  readonly strategies: readonly string[];
  /** Devices of strategies that do not run on their first one, by name of the strategy. */
  readonly devices: Readonly<Record<string, string>>;
  /** The kernel of all of them. */
  readonly kernel: QuirkProfile;
}

/** One operation of the program. */
interface OperationRow extends TextPlace {
  /** In words. */
  readonly label: string;
  /** Where the driver's operation is that all of it is for; null for all. */
  readonly driver: string | null;
}

/** One strategy. */
interface OperationColumn {
  readonly name: string;
  readonly driver: string;
  readonly says: string;
  /** It is from the strategy module. */
  readonly isOwn: boolean;
  readonly answer: StrategyAnswer;
}

/** What is answered. */
export interface OperationsAnswer {
  /** What the texts get wrong; what could be run before is answered all the same. */
  readonly problems: readonly TextProblem[];
  readonly operations: readonly OperationRow[];
  readonly columns: readonly OperationColumn[];
  readonly rows: readonly AgreementRow[];
}

/**
 * @param request - the program, and whom it is for
 * @param turn - strategies are answered one by one
 * @throws RangeError for a strategy or a device that does not exist
 */
export async function answerOperations(request: OperationsRequest, turn: Turn): Promise<OperationsAnswer> {
  const problems: TextProblem[] = [];
  const program = await programOf(request.program, problems);
  turn.progress("program read");
  const chosen = request.strategies.map((name) => sparseStrategy(name));
  const own = request.strategy === null ? [] : await ownStrategies(request.strategy, problems);
  const columns: OperationColumn[] = [];
  for (const strategy of [...own, ...chosen]) {
    turn.progress(strategy.name);
    await turn.pause();
    const isOwn = own.includes(strategy);
    const { name, driver, says } = strategy;
    const wanted = request.devices[name];
    const device = wanted !== undefined && strategy.devices.includes(wanted) ? wanted : strategy.devices[0];
    try {
      const answer = await answersOf(program.operations, strategy, { device, kernel: request.kernel });
      columns.push({ name, driver, says, isOwn, answer });
    } catch (error) {
      // What goes wrong in a strategy of the table is a fault of ours, and no sentence about the user's text.
      if (!isOwn) throw error;
      problems.push(problemOf("strategy.ts", error));
    }
  }
  return {
    problems,
    operations: program.rows,
    columns,
    rows: agreement(columns.map(({ answer }) => answer)),
  };
}

async function programOf(
  code: string,
  problems: TextProblem[],
): Promise<{ operations: readonly Operation[]; rows: OperationRow[] }> {
  const file = "operations.ts";
  const lines = code.split("\n");
  const places: TextPlace[] = [];
  const here = (): TextPlace => placeIn(file, new Error().stack) ?? { line: 1, column: 1 };
  const script = new OperationScript({
    added: () => void places.push(here()),
    nameFor: (call) => {
      const { line, column } = here();
      const made = [...(lines[line - 1] ?? "").matchAll(/([\p{L}_$][\p{L}\p{N}_$]*)\s*=\s*(\w+)\s*\(/gu)];
      const found = made.filter(({ index, 2: name }) => name === call && index < column);
      return found.at(-1)?.[1];
    },
  });
  try {
    await runText(file, code, script.scope);
  } catch (error) {
    problems.push(problemOf(file, error));
  }
  const rows = script.operations.map((operation, i): OperationRow => {
    const driver = operation.op === "vm-bind" ? operation.driver : null;
    return { label: operationLabel(operation), driver, ...(places[i] as TextPlace) };
  });
  return { operations: script.operations, rows };
}

const EXPECTED =
  "expected export default with a strategy, as the functions of @vmbind/lab/DRIVER make it, or a list of them";

/** The strategies of a module, with what they do not say of themselves measured. */
async function ownStrategies(code: string, problems: TextProblem[]): Promise<SparseStrategy[]> {
  const file = "strategy.ts";
  const found: SparseStrategy[] = [];
  try {
    const { default: value } = await runText(file, code);
    const list: unknown[] = Array.isArray(value) ? value : [value];
    for (const item of list) {
      if (!(item instanceof Proposal)) throw new RangeError(EXPECTED);
      const strategy = await item.strategy(found.length, { path: file, digest: String(found.length) });
      if (found.some(({ name }) => name === strategy.name)) {
        throw new RangeError(`name: ${strategy.name} is there twice`);
      }
      found.push(strategy);
    }
  } catch (error) {
    const refused =
      error instanceof RefusedError ? new RangeError(`creating a resource: ${error.message}`) : error;
    problems.push(problemOf(file, refused));
  }
  return found;
}
