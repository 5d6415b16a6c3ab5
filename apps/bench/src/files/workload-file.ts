/**
 * Finding a workload: one that comes with the program, or a user's file.
 *
 * @module
 */

import { open } from "node:fs/promises";
import {
  BUILTIN_WORKLOADS,
  inFile,
  parseWorkload,
  type Workload,
  type WorkloadFile,
  workloadOfFile,
} from "@vmbind/lab";
import { InputError } from "@vmbind/trace";
import { UsageError } from "../errors.ts";

/** What can be said about a workload beside its name. */
export interface WorkloadChoice {
  /** Seed of the draws; 1 unless told. */
  seed?: number | undefined;
  /** Bytes of the resource, for workloads with a size of their own choice. */
  size?: number | undefined;
}

/**
 * Find a workload.
 *
 * @param operand - a name of {@link BUILTIN_WORKLOADS}, or the path of a JSON file
 * @param choice - seed and size
 * @throws {@link UsageError} for a size that the workload does not take
 * @throws {@link InputError} for a file that cannot be read or breaks a rule of the format
 */
export async function findWorkload(operand: string, choice: WorkloadChoice = {}): Promise<Workload> {
  const { seed = 1, size } = choice;
  const builtin = BUILTIN_WORKLOADS.get(operand);
  if (!builtin && !isWorkloadFile(operand)) {
    const names = [...BUILTIN_WORKLOADS.keys()].join(", ");
    throw new UsageError(`no workload ${JSON.stringify(operand)}; there are ${names}, and JSON files`);
  }
  if (size !== undefined && !builtin?.sized) throw new UsageError(`--size: ${operand} has sizes of its own`);
  return builtin ? builtin.make(seed, size) : workloadOfFile(operand, await readWorkload(operand), seed);
}

/**
 * @param operand - what a user typed
 * @returns whether it is a path and no name
 */
export function isWorkloadFile(operand: string): boolean {
  return /[./]/.test(operand);
}

/** Largest file that is read, bytes. */
const FILE_BYTES_MAX = 2 ** 26;

/**
 * Read a workload file.
 *
 * @param path - of a JSON file as `schema/workload.schema.json` describes it
 * @throws {@link InputError} naming the file, the place and the rule
 */
export async function readWorkload(path: string): Promise<WorkloadFile> {
  const value = await readJson(path);
  return inFile(path, () => parseWorkload(value));
}

async function readJson(path: string): Promise<unknown> {
  const text = await readText(path);
  try {
    return JSON.parse(text);
  } catch (error) {
    const line = lineOf(text, error as Error);
    throw new InputError(path, line, `not JSON: ${(error as Error).message}`);
  }
}

/** The line that JSON.parse complains about, 0 when it does not say. */
function lineOf(text: string, error: Error): number {
  const at = /at position (\d+)/.exec(error.message)?.[1];
  return at === undefined ? 0 : text.slice(0, Number(at)).split("\n").length;
}

/** Reads no more than the limit, whatever the file is: a size can lie, as those of devices do. */
async function readText(path: string): Promise<string> {
  try {
    const file = await open(path);
    try {
      const chunks: Buffer[] = [];
      let bytes = 0;
      for await (const chunk of file.createReadStream({ autoClose: false })) {
        bytes += (chunk as Buffer).length;
        if (bytes > FILE_BYTES_MAX) throw new InputError(path, 0, `larger than ${FILE_BYTES_MAX} bytes`);
        chunks.push(chunk as Buffer);
      }
      return Buffer.concat(chunks)
        .toString("utf8")
        .replace(/^\ufeff/, "");
    } finally {
      await file.close();
    }
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (code === undefined || error instanceof InputError) throw error;
    throw new InputError(path, 0, code === "ENOENT" ? "no such file" : message);
  }
}
