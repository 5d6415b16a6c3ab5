/**
 * From what is typed to what runs: types go, imports become calls of `require`, lines stay where they are. sucrase does it: 40 kB against 3 MB
 * and more of a whole compiler, because it checks nothing; what is wrong shows when the text runs.
 */

import { transform } from "sucrase";

/** What came of it. */
export type Stripped = { readonly code: string } | { readonly line: number | null; readonly message: string };

/**
 * @param text - TypeScript
 * @returns JavaScript, or where it is no TypeScript
 */
export function stripTypes(text: string): Stripped {
  try {
    const { code } = transform(text, { transforms: ["typescript", "imports"], disableESTransforms: true });
    // What it puts in front goes to the first line.
    return { code };
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    const [, words = message, line] =
      /^(?:Error transforming [^:]*: )?(.*?)(?: \((\d+):\d+\))?$/s.exec(message) ?? [];
    return { line: line === undefined ? null : Number(line), message: words };
  }
}
