/**
 * One run of the command, without a process: arguments in, exit status out.
 *
 * @module
 */

import { parseArguments } from "./arguments.ts";
import type { CommandSpec, Stretch } from "./command.ts";
import { COMMANDS } from "./commands.ts";
import { EXIT, NotBrief, UsageError } from "./errors.ts";
import { programVersion } from "./files/version.ts";
import { commandHelp, commandUsage, programHelp } from "./help.ts";
import { complainOf, guarded, type Io } from "./io.ts";
import { asksForHelp } from "./quick.ts";
import { divisionOf } from "./shard/command-line.ts";
import { noSuchName } from "./text/nearest.ts";

/**
 * Run the command.
 *
 * Whatever goes wrong becomes one line on standard error, and a status of {@link EXIT}.
 *
 * @param argv - the words after the program's name
 * @param world - where to write
 * @param onLoaded - called once the command's code is there, before any of it runs
 * @param stretch - of the command's files, if not all
 * @returns the exit status
 * @throws {@link NotBrief} where the stretch ends before the files do, and nothing else
 */
export async function main(
  argv: readonly string[],
  world: Io,
  onLoaded: () => void = () => {},
  stretch?: Stretch,
): Promise<number> {
  const io = guarded(world);
  const command = COMMANDS.find(({ name }) => name === (argv[0] === "help" ? argv[1] : argv[0])) ?? null;
  try {
    const status = await run(argv, command, io, onLoaded, stretch);
    io.flush();
    return status;
  } catch (error) {
    flushWhatIsLeft(io);
    if (error instanceof NotBrief) throw error;
    const { status, usage } = complainOf(io, command?.name ?? "", error);
    if (usage && command) io.err(`${commandUsage(command)}\n`);
    return status;
  }
}

/** What was found before something went wrong is worth reading; that it cannot be written is not the first trouble. */
function flushWhatIsLeft(io: Io): void {
  try {
    io.flush();
  } catch {}
}

async function run(
  argv: readonly string[],
  command: CommandSpec | null,
  io: Io,
  onLoaded: () => void,
  stretch: Stretch | undefined,
): Promise<number> {
  const [name, ...rest] = argv;
  if (name === "--help" || name === "-h" || (name === "help" && rest.length === 0)) {
    io.out(programHelp(COMMANDS));
    return EXIT.ok;
  }
  if (name === "--version") {
    io.out(`${await programVersion()}\n`);
    return EXIT.ok;
  }
  if (name === undefined) {
    io.err(programHelp(COMMANDS));
    return EXIT.usage;
  }
  if (!command) {
    throw new UsageError(unknownCommand(name === "help" ? String(rest[0]) : name));
  }
  if (name === "help" || asksForHelp(rest)) {
    io.out(await commandHelp(command));
    return EXIT.ok;
  }
  const words = parseArguments(command, rest);
  const division = divisionOf(command, words, process.env);
  const input = { ...words, division, commands: COMMANDS, ...(stretch && { stretch }) };
  const code = await command.load();
  onLoaded();
  return code.run(input, io);
}

function unknownCommand(word: string): string {
  const names = COMMANDS.map(({ name }) => name);
  if (!word.startsWith("-")) return noSuchName("command", word, [...names, "help"]);
  const known = COMMANDS.some((command) => word.replace(/^--/, "") in command.options);
  if (known) return `${word} stands behind the name of a command: vmbind COMMAND ${word}`;
  return noSuchName("option", word, ["--help", "--version"]);
}
