/**
 * Work that several machines share: the option that takes one's part of it, and the command that puts the parts together.
 *
 * @module
 */

import type { CommandSpec, OptionSpec } from "./command.ts";

/** Of every command whose work can be divided. */
export const SHARD_OPTION: OptionSpec = {
  type: "string",
  value: "I/N|auto",
  help: "do only part I of N, and print a file for vmbind merge; auto: as Slurm, Kubernetes or the CI says",
};

/** What the option is about. */
export const SHARD_HELP: string =
  "With --shard standard output is a file for `vmbind merge`, and the exit status is 0 when that is whole, whatever was found.";

/** See `COMMANDS`. */
export const MERGE_COMMAND: CommandSpec = {
  name: "merge",
  summary: "put together what --shard has printed on several machines",
  operands: "FILE...",
  operandIs: "file",
  min: 1,
  max: Number.POSITIVE_INFINITY,
  options: {
    json: { type: "boolean", help: "print JSON, whatever the shards were made with" },
    csv: { type: "boolean", help: "print comma-separated values" },
    markdown: { type: "boolean", help: "print Markdown tables" },
    mail: { type: "boolean", help: "print plain text for a mailing list" },
    sarif: { type: "boolean", help: "print SARIF 2.1.0" },
    details: { type: "boolean", help: "as in the command that made them" },
  },
  details: [
    "Prints, and writes, byte for byte what the command would have without --shard. A FILE is what one shard printed, plain or gzip, in any " +
      "order; a folder is all .json, .jsonl, .json.gz and .jsonl.gz files in it. The exit status is that of the command, too.",
    "A shard that is missing, cut or damaged is named with the command line that runs it again, alone. One that is there twice is no harm; " +
      "two that differ are named, and so is one of other options, another build or another input.",
    "Every command that has --shard deals its parts by estimated work. The part is I/N, or with auto as the engine says: of a Slurm " +
      "array (SLURM_ARRAY_TASK_ID, wherever it begins and whatever its step), of a Kubernetes Indexed Job (JOB_COMPLETION_INDEX, with " +
      "VMBIND_SHARDS for its completions), of a parallel job of GitLab or a matrix (CI_NODE_INDEX from 1, CI_NODE_TOTAL). Without " +
      "--shard all of the work is done, wherever the command runs. The folder deploy/ has a file for each engine.",
  ],
  examples: [
    { line: "vmbind merge shards/", does: "what one machine would have printed" },
    { line: "vmbind merge --markdown 1.jsonl 2.jsonl 3.jsonl", does: "the same in another format" },
  ],
  exits: { 0: "as the command that the shards are of", 1: "as that command" },
  asCompiled: "always",
  load: () => import("./commands/merge.ts"),
};
