/**
 * One run of the command, without a process: arguments in, exit status out.
 *
 * @module
 */

import { parseArgs } from "node:util";
import { type Budget, type Budgets, STANDARD_BUDGETS } from "@vmbind/trace";
import type { CommandInput, CommandSpec } from "./command.ts";
import { COMMANDS } from "./commands.ts";
import { EXIT, failureOf, UsageError } from "./errors.ts";
import { commandHelp, commandUsage, optionsOf, programHelp } from "./help.ts";
import { complain, guarded, type Io } from "./io.ts";

/**
 * Run the command.
 *
 * Nothing is thrown, whatever goes wrong: it becomes one line on standard error, and a status of {@link EXIT}.
 *
 * @param argv - the words after the program's name
 * @param world - where to write
 * @returns the exit status
 */
export async function main(argv: readonly string[], world: Io): Promise<number> {
  const io = guarded(world);
  const command = COMMANDS.find(({ name }) => name === (argv[0] === "help" ? argv[1] : argv[0])) ?? null;
  try {
    const status = await run(argv, command, io);
    io.flush();
    return status;
  } catch (error) {
    const { status, message, usage } = failureOf(error);
    flushWhatIsLeft(io);
    if (message !== null) complain(io, command?.name ?? "", message);
    if (usage && command) io.err(`${commandUsage(command)}\n`);
    if (status === EXIT.internal && process.env["VMBIND_STACK"] && error instanceof Error) {
      io.err(`${error.stack}\n`);
    }
    return status;
  }
}

/** What was found before something went wrong is worth reading; that it cannot be written is not the first trouble. */
function flushWhatIsLeft(io: Io): void {
  try {
    io.flush();
  } catch {}
}

async function run(argv: readonly string[], command: CommandSpec | null, io: Io): Promise<number> {
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
  if (!command) {
    const wanted = name === "help" ? rest[0] : name;
    const known = COMMANDS.map((c) => c.name).join(", ");
    throw new UsageError(`no command ${JSON.stringify(wanted)}; there are ${known}`);
  }
  if (name === "help" || rest.includes("--help") || rest.includes("-h")) {
    io.out(commandHelp(command));
    return EXIT.ok;
  }
  const input = parse(command, rest);
  const code = await command.load();
  return code.run(input, io);
}

function parse(command: CommandSpec, args: readonly string[]): CommandInput {
  const options = Object.fromEntries(
    Object.entries(optionsOf(command)).map(([name, { type, multiple }]) => [
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
    return {
      options: values,
      operands: positionals,
      budgets: budgetsOf(command.budgets ?? [], values["budget"]),
    };
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code?.startsWith("ERR_PARSE_ARGS_")) {
      throw new UsageError((error as Error).message.split(". ")[0] as string);
    }
    throw error;
  }
}

function budgetsOf(known: readonly Budget[], given: CommandInput["options"][string]): Budgets {
  if (!Array.isArray(given)) return STANDARD_BUDGETS;
  return new Map(
    given.map((text) => {
      const [, name, amount] = /^([a-z]+)=([0-9]{1,15})$/.exec(String(text)) ?? [];
      if (known.some((budget) => budget.name === name)) return [String(name), Number(amount)];
      const names = known.map((budget) => budget.name).join(", ");
      throw new UsageError(`--budget: expected NAME=N, NAME one of ${names}; got ${JSON.stringify(text)}`);
    }),
  );
}

async function version(): Promise<string> {
  const { readFile } = await import("node:fs/promises");
  const manifest = await readFile(new URL("../package.json", import.meta.url), "utf8");
  return (JSON.parse(manifest) as { version: string }).version;
}
