/**
 * `vmbind completion`: a shell learns the words.
 *
 * @module
 */

import type { CommandInput } from "../command.ts";
import { bashCompletion } from "../completion/bash.ts";
import { fishCompletion } from "../completion/fish.ts";
import { type OfferedCommand, offeredCommands } from "../completion/words.ts";
import { zshCompletion } from "../completion/zsh.ts";
import { EXIT, UsageError } from "../errors.ts";
import type { Io } from "../io.ts";
import { noSuchName } from "../text/nearest.ts";

const SCRIPTS: ReadonlyMap<string, (commands: readonly OfferedCommand[]) => string> = new Map([
  ["bash", bashCompletion],
  ["zsh", zshCompletion],
  ["fish", fishCompletion],
]);

/** Runs the command; see {@link COMMANDS} for what it does. */
export async function run({ operands, commands }: CommandInput, io: Io): Promise<number> {
  const shell = operands[0] as string;
  const script = SCRIPTS.get(shell);
  if (!script) throw new UsageError(noSuchName("shell", shell, SCRIPTS.keys()));
  io.out(script(await offeredCommands(commands)));
  return EXIT.ok;
}
