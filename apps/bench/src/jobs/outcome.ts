/**
 * A job's result on its way between threads. Threads copy errors without their class, and the class decides what the
 * command makes of an error: so the expected ones travel as data.
 *
 * @module
 */

import { RefusedError, WorkloadError } from "@vmbind/lab";
import { InputError } from "@vmbind/trace";
import { UsageError } from "../errors.ts";

/** An error of a class that the commands know. */
interface Failure {
  name: "InputError" | "UsageError" | "RefusedError" | "WorkloadError";
  message: string;
  file: string;
  line: number;
}

/** What came of a job. */
export type Outcome<T> = { value: T } | { failure: Failure };

/**
 * Run a job.
 *
 * @param job - what to do
 * @returns its value, or the error if it is an expected one
 * @throws everything else
 */
export async function outcomeOf<T>(job: () => Promise<T>): Promise<Outcome<T>> {
  try {
    return { value: await job() };
  } catch (error) {
    if (error instanceof InputError) {
      const { name, file, line, rule } = error;
      return { failure: { name, message: rule, file, line } };
    }
    if (error instanceof UsageError || error instanceof RefusedError || error instanceof WorkloadError) {
      return { failure: { name: error.name, message: error.message, file: "", line: 0 } };
    }
    throw error;
  }
}

/**
 * @param outcome - what came of a job
 * @returns its value
 * @throws the error that it ended with, of its own class
 */
export function unwrap<T>(outcome: Outcome<T>): T {
  if ("value" in outcome) return outcome.value;
  const { name, message, file, line } = outcome.failure;
  switch (name) {
    case "InputError":
      throw new InputError(file, line, message);
    case "UsageError":
      throw new UsageError(message);
    case "RefusedError":
      throw new RefusedError(message);
    case "WorkloadError":
      throw new WorkloadError(message);
  }
}
