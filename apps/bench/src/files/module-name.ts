/**
 * Which operands name a module of the user's; asked before anything that runs one is imported.
 *
 * @module
 */

/** Endings by which a module is told from other files. */
const ENDINGS = /\.[cm]?[jt]s$/;

/**
 * @param operand - what a user typed
 * @returns whether it names a module
 */
export function isModule(operand: string): boolean {
  return ENDINGS.test(operand);
}
