/**
 * What only the thread of the process knows of its terminal.
 *
 * @module
 */

import { isatty } from "node:tty";

/** @returns columns of the terminal that standard output is; undefined where it is none */
export function terminalColumns(): number | undefined {
  return isatty(1) ? process.stdout.columns : undefined;
}
