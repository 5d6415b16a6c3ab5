/**
 * `vmbind merge`: what one machine would have printed, from what shards on several have done.
 *
 * @module
 */

import { InputError } from "@vmbind/trace";
import { parseArguments } from "../arguments.ts";
import type { CommandInput, CommandSpec } from "../command.ts";
import { EXIT, UsageError } from "../errors.ts";
import { filesOf, WORKLOAD_FILES } from "../files/folders.ts";
import { asKind } from "../files/kinds.ts";
import { complain, type Io } from "../io.ts";
import { mergeShards } from "../shard/merge.ts";
import { ownCode, readShard, type ShardFile, type ShardHeader } from "../shard/shard-file.ts";

/** Ways to show a result, of which there can be one. */
const FORMATS = ["json", "csv", "markdown", "mail", "sarif"];

/** Most shards that are named with their commands. */
const NAMED_MAX = 64;

/** Runs the command; see {@link COMMANDS} for what it does. */
export async function run({ options, operands, commands }: CommandInput, io: Io): Promise<number> {
  if (operands.length === 0) throw new UsageError("FILE... is missing");
  const found = mergeShards(await shardsIn(operands, io));
  if ("missing" in found) {
    for (const line of found.missing.slice(0, NAMED_MAX)) io.err(`vmbind merge: ${line}\n`);
    const more = found.missing.length - NAMED_MAX;
    if (more > 0) complain(io, "merge", `and ${more} more`);
    return EXIT.usage;
  }
  for (const line of found.spare) complain(io, "merge", `note: ${line}`);
  const { header, merged } = found;
  const command = commands.find(({ name }) => name === header.command);
  if (command?.shows === undefined) {
    throw new InputError(merged.path, 1, `header.command: ${JSON.stringify(header.command)} has no shards`);
  }
  if (header.code !== ownCode()) {
    throw new InputError(
      merged.path,
      1,
      `header.code: made by another build of vmbind ${header.program} than this`,
    );
  }
  const input = parseArguments(command, [
    ...shownAs(command, options),
    ...wordsLeft(command, header, options),
  ]);
  const { run: show } = await command.load();
  return show({ ...input, division: merged, commands }, io);
}

/** A file without a byte is what is left of a task that died at once: which one it was shows in what is missing. */
async function shardsIn(paths: readonly string[], io: Io): Promise<ShardFile[]> {
  const found: ShardFile[] = [];
  let empty: InputError | null = null;
  for (const path of paths.flatMap((operand) => filesOf(operand, WORKLOAD_FILES))) {
    try {
      found.push(await asKind("shard", path, () => readShard(path)));
    } catch (error) {
      if (!(error instanceof InputError) || !error.rule.includes("the file is empty")) throw error;
      empty ??= error;
      complain(io, "merge", `note: ${error.message}`);
    }
  }
  if (found.length === 0 && empty !== null) throw empty;
  return found;
}

/** Options of this command line, which stand in place of those that the shards were made with. */
function shownAs(command: CommandSpec, options: CommandInput["options"]): string[] {
  const given = [...FORMATS, "details"].filter((name) => options[name] === true);
  const senseless = given.find((name) => !command.shows?.includes(name));
  if (senseless !== undefined)
    throw new UsageError(`--${senseless}: shards of ${command.name} are not shown so`);
  return given.map((name) => `--${name}`);
}

function wordsLeft(
  command: CommandSpec,
  { words }: ShardHeader,
  options: CommandInput["options"],
): readonly string[] {
  if (!FORMATS.some((name) => options[name] === true)) return words;
  const others = FORMATS.filter((name) => command.shows?.includes(name)).map((name) => `--${name}`);
  const end = words.indexOf("--");
  return words.filter((word, i) => !others.includes(word) || (end >= 0 && i > end));
}
