/**
 * `vmbind diff`: two traces, compared by meaning.
 *
 * @module
 */

import { counted, hex } from "@vmbind/drm";
import { lensOf } from "@vmbind/lab";
import {
  type DiffInput,
  type DiffItem,
  diffTraces,
  type StateDifference,
  type TraceChange,
  type TraceChangeKind,
  type TraceDiff,
  visible,
} from "@vmbind/trace";
import type { CommandInput } from "../command.ts";
import { EXIT, UsageError } from "../errors.ts";
import { STANDARD_INPUT } from "../files/standard-input.ts";
import { openTrace } from "../files/trace-files.ts";
import { columnsIn, type Io } from "../io.ts";
import { paragraph } from "../text/wrap.ts";

/** Differences that are told; the others are counted. */
const SHOWN = 20;

const WORDS: Readonly<Record<TraceChangeKind, string>> = {
  missing: "missing",
  new: "new",
  elsewhere: "elsewhere",
  "other-memory": "other memory",
  "other-size": "other size",
  moved: "earlier or later",
};

/** Runs the command; see {@link COMMANDS} for what it does. */
export async function run({ options, operands, budgets }: CommandInput, io: Io): Promise<number> {
  const [first = "", second = ""] = operands;
  if (first === STANDARD_INPUT && second === STANDARD_INPUT)
    throw new UsageError("only one of A and B can be -");
  const open = async (operand: string): Promise<DiffInput> => {
    const trace = await openTrace(operand, budgets, { command: "diff", io });
    return { trace, lens: await lensOf(trace) };
  };
  const a = await open(first);
  const b = await open(second);
  const diff = await diffTraces(a, b, options["resources"] === true);
  io.out(options["json"] ? `${JSON.stringify(diff)}\n` : textOf(diff, [a.trace.name, b.trace.name], io));
  return diff.changes.length > 0 || diff.state !== null ? EXIT.difference : EXIT.ok;
}

function textOf(
  { changes, state, compared, resourcesOnly }: TraceDiff,
  names: readonly string[],
  io: Io,
): string {
  const columns = columnsIn(io);
  const line = (text: string, indent: string): string => paragraph(visible(text), columns, indent);
  const shown = changes.slice(0, SHOWN).map((change) => changeText(change, line));
  const more = changes.length - shown.length;
  return [
    line(`A is ${names[0]}, B is ${names[1]}`, "  "),
    ...shown,
    more > 0 ? `  and ${counted(more, "more difference")}\n` : "",
    state === null ? "" : stateText(state, line),
    line(answer(changes, compared, resourcesOnly, state), "  "),
  ].join("");
}

function changeText({ kind, a, b }: TraceChange, line: (text: string, indent: string) => string): string {
  const sides = [
    ["A", a],
    ["B", b],
  ] as const;
  const told = sides.flatMap(([name, item]) =>
    item === null ? [] : [line(`    ${name} ${refText(item)} ${item.text}`, "      ")],
  );
  return `  ${WORDS[kind]}\n${told.join("")}`;
}

function refText({ seq, op }: DiffItem): string {
  return op === null ? `#${seq}` : `#${seq} op ${op}`;
}

function stateText(
  { resource, offset, a, b }: StateDifference,
  line: (text: string, indent: string) => string,
): string {
  return (
    `  first difference in state: ${resource} + ${hex(offset)}\n` +
    line(`    A after #${a.seq}: ${a.shows}`, "      ") +
    line(`    B after #${b.seq}: ${b.shows}`, "      ")
  );
}

function answer(
  changes: readonly TraceChange[],
  [inA, inB]: readonly [number, number],
  resourcesOnly: boolean,
  state: StateDifference | null,
): string {
  const what = resourcesOnly ? "things about resources" : "things";
  const compared = inA === inB ? `${inA} ${what}` : `${inA} ${what} in A and ${inB} in B`;
  if (changes.length === 0) return `no difference in ${compared}`;
  const counts = new Map<TraceChangeKind, number>();
  for (const { kind } of changes) counts.set(kind, (counts.get(kind) ?? 0) + 1);
  const kinds = [...counts].map(([kind, count]) => `${count} ${WORDS[kind]}`).join(", ");
  // Of a resource that only one of them has there is no state to compare.
  const paired = changes.every(({ a, b }) => (a ?? b)?.step !== "create");
  const same = state === null && paired ? "; the state of resources never differs" : "";
  return `${counted(changes.length, "difference")} in ${compared}: ${kinds}${same}`;
}
