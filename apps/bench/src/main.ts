/**
 * One run of the command, without a process: arguments in, exit status out.
 *
 * @module
 */

import { parseArgs } from "node:util";
import { InputError } from "@vmbind/trace";
import type { CommandInput, CommandSpec } from "./command.ts";
import { COMMANDS } from "./commands.ts";
import { EXIT, UsageError } from "./errors.ts";
import { commandHelp, commandUsage, programHelp } from "./help.ts";
import type { Io } from "./io.ts";

/**
 * Run the command.
 *
 * @param argv - the words after the program's name
 * @param io - where to write
 * @returns the exit status: 0 ok, 1 a difference or a failed vector, 2 wrong usage or unreadable input
 */
export async function main(argv: readonly string[], io: Io): Promise<number> {
  const [name, ...rest] = argv;
  if (name === "--help" || name === "-h" || (name === "help" && rest.length === 0)) {
    io.out(programHelp());
    return EXIT.ok;
  }
  if (name === "--version") {
    io.out(`${await version()}\n`);
    return EXIT.ok;
  }
  if (name === undefined) {
    io.err(programHelp());
    return EXIT.usage;
  }
  const wanted = name === "help" ? rest[0] : name;
  const command = COMMANDS.find((c) => c.name === wanted);
  if (!command) {
    io.err(
      `vmbind: no command ${JSON.stringify(wanted)}; there are ${COMMANDS.map((c) => c.name).join(", ")}\n`,
    );
    return EXIT.usage;
  }
  if (name === "help" || rest.includes("--help") || rest.includes("-h")) {
    io.out(commandHelp(command));
    return EXIT.ok;
  }
  return runCommand(command, rest, io);
}

async function runCommand(command: CommandSpec, args: readonly string[], io: Io): Promise<number> {
  try {
    const input = parse(command, args);
    const { run } = await command.load();
    return await run(input, io);
  } catch (error) {
    if (error instanceof InputError) {
      io.err(`vmbind ${command.name}: ${error.message}\n`);
      return EXIT.usage;
    }
    if (error instanceof UsageError) {
      io.err(`vmbind ${command.name}: ${error.message}\n${commandUsage(command)}\n`);
      return EXIT.usage;
    }
    throw error;
  }
}

function parse(command: CommandSpec, args: readonly string[]): CommandInput {
  const options = Object.fromEntries(
    Object.entries(command.options).map(([name, { type, multiple }]) => [
      name,
      { type, multiple: multiple ?? false },
    ]),
  );
  try {
    const { values, positionals } = parseArgs({
      args: [...args],
      options,
      allowPositionals: true,
      strict: true,
    });
    if (positionals.length < command.min) throw new UsageError(`${command.operands} is missing`);
    if (positionals.length > command.max) {
      throw new UsageError(`unexpected operand ${JSON.stringify(positionals[command.max])}`);
    }
    return { options: values, operands: positionals };
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code?.startsWith("ERR_PARSE_ARGS_")) {
      throw new UsageError((error as Error).message.split(". ")[0] as string);
    }
    throw error;
  }
}

async function version(): Promise<string> {
  const { readFile } = await import("node:fs/promises");
  const manifest = await readFile(new URL("../package.json", import.meta.url), "utf8");
  return (JSON.parse(manifest) as { version: string }).version;
}
