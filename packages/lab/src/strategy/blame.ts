/**
 * Whose fault an error is that is thrown while a strategy runs: of a module of its user, unless a driver or a workload says otherwise.
 *
 * @module
 */

import { InputError } from "@vmbind/trace";
import { RefusedError } from "./refused.ts";

/**
 * @param error - what was thrown while a strategy of a module was run
 * @param path - of the module
 * @param name - of the strategy
 * @returns the error, or what it says as an error in the module
 */
export function blamed(error: unknown, path: string, name: string): unknown {
  if (error instanceof InputError || error instanceof RefusedError) return error;
  if (!(error instanceof Error)) return new InputError(path, 0, `${name}: ${String(error)}`);
  // Errors of a workload have their own class, which callers know; it is told by name, as where classes are lost.
  if (error.name === "WorkloadError") return error;
  const file = path.replace(/^.*[/\\]/, "").replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
  const line = new RegExp(`[/\\\\]${file}:(\\d+):\\d+`).exec(error.stack ?? "")?.[1];
  return new InputError(path, Number(line ?? 0), `${name}: ${error.message}`);
}
