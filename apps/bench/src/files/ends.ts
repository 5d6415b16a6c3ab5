/**
 * Whether a file is whole: its end line says so, and who reads a file without one is told that nobody knows.
 *
 * @module
 */

import { createHash } from "node:crypto";
import { type EndOptions, type FileEnd, type NewDigest, oneLine } from "@vmbind/trace";
import { complain, type Io } from "../io.ts";

/** Longest path in a warning, UTF-16 units. */
const PATH_MAX = 120;

const WARNINGS: ReadonlyMap<FileEnd, string> = new Map([
  ["open", "has no end line, so nobody knows whether it is whole"],
  ["cut", "says of itself that it is cut: what is behind its last line is not known"],
]);

/** Begins a SHA-256. */
export const newDigest: NewDigest = () => createHash("sha256");

/**
 * @param path - of a file of lines
 * @param command - that reads it
 * @param io - where a warning goes
 * @returns what holds the file against its end line, and warns, once, where it has none
 */
export function endOf(path: string, command: string, io: Pick<Io, "err">): EndOptions {
  let told = false;
  return {
    digest: newDigest,
    ended: (end) => {
      const warning = WARNINGS.get(end);
      if (warning === undefined || told) return;
      told = true;
      complain(io, command, `warning: ${oneLine(path, PATH_MAX)}: ${warning}`);
    },
  };
}
