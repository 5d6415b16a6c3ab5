/**
 * What figures were taken on.
 *
 * @module
 */

import { cpus, release, totalmem, type } from "node:os";

/** Machine and engine. */
export interface Machine {
  /** Model of the CPU. */
  cpu: string;
  /** Its cores, as the system counts them. */
  cores: number;
  /** Main memory, bytes. */
  memoryBytes: number;
  /** Kernel and release. */
  os: string;
  /** Version of Node.js. */
  node: string;
  /** Version of its engine. */
  v8: string;
}

/** @returns this machine and this process's engine */
export function thisMachine(): Machine {
  const all = cpus();
  const { node, v8 } = process.versions;
  return {
    cpu: all[0]?.model.trim() ?? "unknown",
    cores: all.length,
    memoryBytes: totalmem(),
    os: `${type()} ${release()}`,
    node,
    v8,
  };
}
