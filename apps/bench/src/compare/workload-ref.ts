/**
 * Workloads that can be named to another thread.
 *
 * @module
 */

import { LAB_WORKLOADS, parametric, type Workload } from "@vmbind/lab";
import { findWorkload } from "../files/workload-file.ts";

/** Where a workload comes from. */
export type WorkloadRef =
  /** One of the laboratory's. */
  | { lab: string }
  /** A name of the program's, or a JSON file. */
  | { operand: string }
  /** One buffer of so many bytes, nothing bound. */
  | { bytes: number };

/**
 * @param ref - where it comes from
 * @throws UsageError for an unknown name
 * @throws InputError for a file that breaks its format
 */
export async function resolveWorkload(ref: WorkloadRef): Promise<Workload> {
  if ("operand" in ref) return findWorkload(ref.operand);
  if ("bytes" in ref) return parametric(`buffer-${ref.bytes}`, 0, { size: ref.bytes, bound: 0 });
  const found = LAB_WORKLOADS.find(({ name }) => name === ref.lab);
  if (!found) throw new Error(`the laboratory has no workload ${ref.lab}`);
  return found;
}
