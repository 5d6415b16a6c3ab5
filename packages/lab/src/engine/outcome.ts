/**
 * A job's result on its way between threads. Threads copy errors without their class, and the class decides what a caller
 * makes of an error: so the expected ones travel as data.
 *
 * @module
 */

import { InputError } from "@vmbind/trace";
import { RefusedError } from "../strategy/refused.ts";
import { WorkloadError } from "../workload/workload.ts";

/** An error as data. */
export interface JobFailure {
  /** Its class, as far as callers know it. */
  name: "InputError" | "RefusedError" | "WorkloadError" | "Error";
  /** What it says, without file and line; of an error that nobody expects also its stack. */
  message: string;
  /** The file that is wrong; empty for all but InputError. */
  file: string;
  /** Its line, 0 for the whole. */
  line: number;
}

/** What came of a job. */
export type JobOutcome<T> =
  | {
      /** What the job gave. */
      value: T;
    }
  | {
      /** How it failed. */
      failure: JobFailure;
    };

/**
 * Run a job.
 *
 * @param job - what to do
 * @returns its value, or its error; one that nobody expects with its stack in the message
 */
export async function outcomeOf<T>(job: () => Promise<T>): Promise<JobOutcome<T>> {
  try {
    return { value: await job() };
  } catch (error) {
    return { failure: asData(error) };
  }
}

function asData(error: unknown): JobFailure {
  const failure = { file: "", line: 0 };
  if (error instanceof InputError) {
    const { name, file, line, rule } = error;
    return { name, message: rule, file, line };
  }
  if (error instanceof RefusedError || error instanceof WorkloadError) {
    return { ...failure, name: error.name, message: error.message };
  }
  const message = error instanceof Error ? `${error.message}\n${error.stack ?? ""}` : String(error);
  return { ...failure, name: "Error", message };
}

/**
 * @param outcome - what came of a job
 * @returns its value
 * @throws the error that it ended with, of its own class where callers know that
 */
export function unwrap<T>(outcome: JobOutcome<T>): T {
  if ("value" in outcome) return outcome.value;
  const { name, message, file, line } = outcome.failure;
  switch (name) {
    case "InputError":
      throw new InputError(file, line, message);
    case "RefusedError":
      throw new RefusedError(message);
    case "WorkloadError":
      throw new WorkloadError(message);
    case "Error":
      throw new Error(message);
  }
}
