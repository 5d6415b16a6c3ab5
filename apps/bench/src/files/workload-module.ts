/**
 * Workloads that are code: a module whose default export yields steps, for streams that nobody writes down.
 *
 * @module
 */

import { basename } from "node:path";
import { checkSteps, inFile, parseSteps, type Step, type Workload, WorkloadError } from "@vmbind/lab";
import { type Budgets, InputError, valueInWords } from "@vmbind/trace";
import { loadModule } from "./user-module.ts";

const EXPECTED =
  "expected a function that yields steps, or an object with a function steps; it is given the driver's block in bytes";

/** What names have in workload files. */
const NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/;

/**
 * Load the workload of a module.
 *
 * @param path - of the module
 * @param budgets - amounts of work that it may ask for, other than the standard ones
 * @returns the workload; its `steps()` run the module's code, and throw InputError where a step breaks a rule
 * @throws InputError naming the file, the line and what is wrong
 */
export async function workloadOfModule(path: string, budgets?: Budgets): Promise<Workload> {
  const found: unknown = (await loadModule(path)).exports["default"];
  const { steps, name, description } = isObject(found) ? found : { steps: found };
  if (typeof steps !== "function") {
    throw new InputError(path, 0, `default: ${EXPECTED}; got ${valueInWords(found)}`);
  }
  if (name !== undefined && !(typeof name === "string" && NAME.test(name))) {
    throw new InputError(
      path,
      0,
      `default.name: expected letters, digits, dot, dash and underscore, at most 64`,
    );
  }
  const made = new Map<number, readonly Step[]>();
  return {
    name: name ?? basename(path).replace(/\.[^.]*$/, ""),
    description: typeof description === "string" ? description : `steps of ${path}`,
    seed: 0,
    steps(blockBytes) {
      const known =
        made.get(blockBytes) ?? stepsFrom(path, () => steps.call(found, blockBytes), blockBytes, budgets);
      made.set(blockBytes, known);
      return known;
    },
  };
}

function isObject(value: unknown): value is Readonly<Record<"steps" | "name" | "description", unknown>> {
  return typeof value === "object" && value !== null && "steps" in value;
}

function stepsFrom(path: string, run: () => unknown, blockBytes: number, budgets?: Budgets): readonly Step[] {
  return inFile(path, () => {
    const steps = parseSteps(iterated(path, run), budgets);
    checkSteps(steps, blockBytes);
    return steps;
  });
}

/** What the code yields; what it throws is the file's mistake. */
function* iterated(path: string, run: () => unknown): Generator<unknown> {
  try {
    const value = run();
    if (typeof value !== "object" || value === null || !(Symbol.iterator in value)) {
      throw new WorkloadError(`steps: expected something that can be iterated, got ${valueInWords(value)}`);
    }
    yield* value as Iterable<unknown>;
  } catch (error) {
    if (error instanceof WorkloadError) throw error;
    throw new InputError(path, 0, `steps: ${error instanceof Error ? error.message : String(error)}`);
  }
}
