/**
 * Examples of rules: a trace in a few words, on no driver in particular.
 *
 * ```
 * object 1 64KiB                              an object, its handle and its size
 * sparse 0x200000 2MiB                        nothing is bound there: a resource begins
 * bind 0x210000 8KiB object 1 + 0x2000        memory of the object, in a resource
 * unbind 0x210000 8KiB                        nothing is bound there any more
 * map 0x800000 64KiB object 1                 the object at an address of its own
 * filler 0x400000 2MiB object 1               a window of the object that stands for nothing
 * unmap 0x200000 2MiB                         whatever is mapped there goes
 * close 1                                     the handle
 * call                                        one VM_BIND of all the indented lines that follow
 *   bind 0x210000 4KiB object 1
 *   bind 0x212000 4KiB object 1 + 0x1000
 * mark wait-idle                              what the client does next
 * destroy                                     the VM
 * ```
 *
 * `view 0x10000000` behind an operation: it keeps up a second view, so far from the first. `leaf=4KiB`: page-table leaves are that large
 * from then on. `refused "reason"`: the driver does not take it. A `call` may say `invalidations=8`, `writes=2048`, `entries=512`.
 * `grow 0x1000000 object 1 calls=16 writes=all`: so many calls, each binding one page more and writing all that are bound (`own`: its own).
 *
 * @module
 */

import { ENOENT } from "@vmbind/drm";
import type { Action, BindOp } from "../lens.ts";
import type { LintFinding } from "./finding.ts";
import { Linter } from "./linter.ts";
import type { LintRule } from "./rule.ts";

const UNITS: Readonly<Record<string, number>> = { KiB: 2 ** 10, MiB: 2 ** 20, GiB: 2 ** 30 };
const OP =
  /^(sparse|unbind|bind|map|filler|unmap) (0x[0-9a-f]+) (\d+[KMG]iB)(?: object (\d+)(?: \+ (0x[0-9a-f]+))?)?(.*)$/;
const PAGE = 4096;

/** What a call costs, as an example says it. */
interface Costs {
  readonly writes: number;
  readonly entries: number;
  readonly invalidations: number;
}

/**
 * Run an example.
 *
 * @param text - its lines, see the module
 * @param rules - which are asked
 * @returns what they say
 * @throws Error for a line that nobody understands
 */
export function lintExample(text: string, rules: readonly LintRule[]): LintFinding[] {
  const example = new Example(rules);
  const lines = text.split("\n").filter((line) => line.trim() !== "");
  for (let i = 0; i < lines.length; i++) {
    const line = (lines[i] as string).trim();
    const inner: string[] = [];
    if (/^call\b/.test(line))
      while (lines[i + 1]?.startsWith("  ")) inner.push((lines[++i] as string).trim());
    example.step(line, inner);
  }
  return example.finish();
}

class Example {
  readonly #linter: Linter;
  #seq = 0;
  #leafBytes = 0;
  /** Growing so far. */
  #grown = 0;

  constructor(rules: readonly LintRule[]) {
    this.#linter = new Linter(rules, { closeUnmaps: false }, () => this.#leafBytes);
    this.#call("VM_CREATE", { kind: "vm-create", vm: 1, text: "" });
  }

  finish(): LintFinding[] {
    return this.#linter.finish(true);
  }

  step(line: string, inner: readonly string[]): void {
    const [word = "", first = "", second = ""] = line.split(" ");
    switch (word) {
      case "object":
        this.#call("OBJECT", { kind: "bo-create", handle: Number(first), size: bytesOf(second), text: "" });
        return;
      case "close":
        this.#call("CLOSE", { kind: "bo-close", handle: Number(first), text: "" });
        return;
      case "destroy":
        this.#call("VM_DESTROY", { kind: "vm-destroy", vm: 1, text: "" });
        return;
      case "mark":
        this.#linter.mark(line.slice("mark ".length));
        return;
      case "call":
        this.#bind(inner, {
          writes: of(line, "writes"),
          entries: of(line, "entries"),
          invalidations: of(line, "invalidations"),
        });
        return;
      case "grow":
        this.#grow(line);
        return;
      default:
        this.#bind([line], { writes: 0, entries: 0, invalidations: 0 });
    }
  }

  #grow(line: string): void {
    const [, addr = "", handle = "", calls = "", writes = ""] =
      /^grow (0x[0-9a-f]+) object (\d+) calls=(\d+) writes=(all|own)$/.exec(line) ?? [];
    if (writes === "") throw new Error(`example: ${line}`);
    for (let i = 0; i < Number(calls); i++) {
      const at = Number(addr) + 2 * PAGE * this.#grown;
      const op = `bind 0x${at.toString(16)} 4KiB object ${handle} + 0x${(PAGE * this.#grown).toString(16)}`;
      this.#grown++;
      this.#bind([op], { writes: writes === "all" ? this.#grown : 1, entries: 1, invalidations: 0 });
    }
  }

  #bind(lines: readonly string[], costs: Costs): void {
    const ops = lines.map(opOf);
    const refused = / refused "(.*)"$/.exec(lines.join(" "));
    const leaf = / leaf=(\d+[KMG]iB)/.exec(lines.join(" "));
    if (leaf !== null) this.#leafBytes = bytesOf(leaf[1] as string);
    this.#call("VM_BIND", { kind: "bind", vm: 1, ops, text: "" }, refused?.[1] ?? null, costs);
  }

  #call(ioctl: string, action: Action, reason: string | null = null, costs?: Costs): void {
    const seq = this.#seq++;
    this.#linter.call({
      ref: { seq, line: 0, file: 0, ioctl },
      action,
      ret: reason === null ? 0 : -ENOENT,
      recordedRet: 0,
      reason,
      cost: { pteWrites: costs?.writes ?? 0, tlbInvalidations: costs?.invalidations ?? 0 },
      handleMoved: false,
      entriesThere: costs === undefined ? null : costs.entries,
      phase: "run",
    });
  }
}

function opOf(line: string): BindOp {
  const [, word = "", addr = "", size = "", object = "0", offset = "0", rest = ""] = OP.exec(line) ?? [];
  if (word === "") throw new Error(`example: ${line}`);
  const distance = / view (0x[0-9a-f]+)/.exec(rest)?.[1];
  const view = distance === undefined ? {} : { view: Number(distance) };
  const isUnbound = word === "sparse" || word === "unbind" || word === "filler";
  const says = isUnbound ? { says: "unbound" as const } : {};
  return {
    heading: word === "unbind" ? "SPARSE" : word.toUpperCase(),
    effect: word === "unmap" ? "unmap" : "map",
    addr: Number(addr),
    range: bytesOf(size),
    handle: Number(object),
    offset: Number(offset),
    flags: 0,
    ...((isUnbound || distance !== undefined) && { sparse: { ...says, ...view } }),
  };
}

function of(line: string, name: string): number {
  return Number(new RegExp(`\\b${name}=(\\d+)`).exec(line)?.[1] ?? 0);
}

function bytesOf(text: string): number {
  const [, count = "", unit = ""] = /^(\d+)([KMG]iB)$/.exec(text) ?? [];
  const bytes = Number(count) * (UNITS[unit] ?? Number.NaN);
  if (!(bytes > 0)) throw new Error(`example: ${text} is no size`);
  return bytes;
}
