/**
 * `vmbind lift`: what a trace's application asked for, step by step, each with the ioctls that it came from.
 *
 * @module
 */

import { counted, hex, size } from "@vmbind/drm";
import { lensOf, stepsOfLifted } from "@vmbind/lab";
import { type Lifted, type LiftedElement, type LiftedFrom, type LiftedStep, liftTrace } from "@vmbind/trace";
import type { CommandInput } from "../command.ts";
import { EXIT } from "../errors.ts";
import { openTrace } from "../files/trace-files.ts";
import { type Io, listing } from "../io.ts";

/** Elements shown of one call unless --ops asks for all. */
const SHOWN = 4;

/** Runs the command; see {@link COMMANDS} for what it does. */
export async function run({ options, operands, budgets }: CommandInput, io: Io): Promise<number> {
  const trace = await openTrace(operands[0] as string, budgets, { command: "lift", io });
  const lifted = await liftTrace(trace, await lensOf(trace));
  if (options["json"]) {
    const { umd, device } = trace.header;
    const { steps } = stepsOfLifted(lifted);
    const description = `lifted from a trace of ${umd} on ${device}`;
    const name = trace.name.replace(/[^A-Za-z0-9._-]+/g, "-").slice(0, 64);
    io.out(
      `${JSON.stringify({ format: "vmbind-workload", version: 1, name, description, fine: true, steps })}\n`,
    );
    return EXIT.ok;
  }
  const say = (text: string): void => io.out(listing(io, `${text}\n`));
  for (const step of lifted.steps) for (const line of linesOf(step, options["ops"] === true)) say(line);
  for (const line of endOf(lifted)) say(line);
  return EXIT.ok;
}

function linesOf(step: LiftedStep, all: boolean): string[] {
  const at = placeOf(step.from);
  switch (step.step) {
    case "create": {
      const { name, va, bytes } = step.resource;
      return [`${at} create ${name}, ${size(bytes)} at ${hex(va)}`];
    }
    case "destroy":
      return [`${at} destroy ${step.resource.name}`];
    case "allocate":
      return [
        `${at} allocate ${step.memory.name}, ${size(step.memory.bytes)}${step.va === null ? "" : ` at ${hex(step.va)}`}`,
      ];
    case "free":
      return [`${at} free ${step.memory.name}`];
    case "map": {
      const what = step.memory ? `${step.memory.object.name} + ${hex(step.memory.offset)}` : "user memory";
      return [`${at} map ${size(step.size)} at ${hex(step.va)} -> ${what}`];
    }
    case "unmap":
      return [`${at} unmap ${size(step.size)} at ${hex(step.va)}`];
    case "hole": {
      const why = step.because === "range" ? "its range was unmapped" : "an object was unmapped everywhere";
      return [`${at} hole in ${step.resource.name} + ${hex(step.offset)}, ${size(step.size)}: ${why}`];
    }
    case "bind": {
      const { binds, resource } = step;
      const shown = all ? binds : binds.slice(0, SHOWN);
      const more = binds.length - shown.length;
      return [
        `${at} bind ${resource.name}, ${counted(binds.length, "element")}`,
        ...shown.map((element) => `    ${elementOf(element, resource.name)}`),
        ...(more > 0 ? [`    ... ${counted(more, "more element")}`] : []),
      ];
    }
  }
}

function elementOf({ offset, size: bytes, memory, seq, op }: LiftedElement, name: string): string {
  const what = memory === null ? "unbound" : `-> ${memory.object.name} + ${hex(memory.offset)}`;
  return `${name} + ${hex(offset)}, ${size(bytes)} ${what}  # #${seq} op ${op}`;
}

function placeOf({ file, first, last }: LiftedFrom): string {
  const ioctls = first === last ? `#${first}` : `#${first}-${last}`;
  return file === 0 ? ioctls : `${ioctls} (file ${file})`;
}

/** What has no step. */
function* endOf({ left, refused }: Lifted): Generator<string> {
  if (left.length > 0) yield `left at the end: ${left.map(({ name }) => name).join(", ")}`;
  if (refused.length > 0)
    yield `refused, and so without a step: ${refused.map((seq) => `#${seq}`).join(", ")}`;
}
