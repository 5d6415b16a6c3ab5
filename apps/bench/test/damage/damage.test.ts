/**
 * Damaged files of every kind: each command ends, in time and memory, with a status that says what it is and a message that fits
 * on a line.
 *
 * A sample runs by default. `VMBIND_DAMAGE=2000 vitest run apps/bench/test/damage` runs so many of each kind,
 * `VMBIND_DAMAGE_SEED` begins elsewhere, `-t traces` runs one kind.
 */
import { spawnSync } from "node:child_process";
import { rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { oneLine, visibleLines } from "@vmbind/trace";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { tempFolder } from "../../../../test/temp.ts";
import { corpus, type Kind } from "./corpus.ts";
import { damage, drawsOf } from "./damage.ts";
import { type Death, type Outcome, Server } from "./server.ts";

const COUNT = Number(process.env["VMBIND_DAMAGE"] ?? 40);
const SEED = Number(process.env["VMBIND_DAMAGE_SEED"] ?? 1);

const CPU_MS_MAX = 10_000;
const RSS_MIB_MAX = 1024;
/** Other work may have the processor. */
const WAIT_MS = 12 * CPU_MS_MAX;

const root = fileURLToPath(new URL("../../../..", import.meta.url));
const folder = tempFolder();

/** What is wrong with an outcome; null for nothing. */
function faultOf(outcome: Outcome | Death): string | null {
  if ("death" in outcome) return `died: ${outcome.death}`;
  const { status, out, err, cpuMs, rssMib } = outcome;
  if (![0, 1, 2].includes(status)) return `status ${status}: ${err}`;
  if (/\n\s+at .+:\d+/.test(out + err)) return `a stack trace: ${err}`;
  const lines = err.split("\n");
  if (lines.length > 2) return `${lines.length - 1} lines: ${err.slice(0, 600)}`;
  const long = lines.find((line) => line.length > 300);
  if (long !== undefined) return `a line of ${long.length}: ${long.slice(0, 100)}`;
  if (status === 2 && lines.length < 2) return "status 2 without a word";
  if (visibleLines(out + err) !== out + err) return "control characters in the output";
  if (cpuMs > CPU_MS_MAX) return `${Math.round(cpuMs)} ms of CPU`;
  return rssMib > RSS_MIB_MAX ? `${Math.round(rssMib)} MiB` : null;
}

/** Runs the files of one kind; gives the faults, each with what makes it again. */
async function attack(
  kind: Kind,
  server: Server,
): Promise<{ runs: Record<string, number>; faults: string[] }> {
  const runs: Record<string, number> = {};
  const faults: string[] = [];
  for (let seed = SEED; seed < SEED + COUNT; seed++) {
    const draw = drawsOf(seed ^ 0x55aa55);
    const { names, bytes } = damage(kind.texts[draw(kind.texts.length)] as string, seed);
    const path = join(folder, `${kind.name}-${seed}.jsonl`);
    writeFileSync(path, bytes);
    for (const argv of kind.commands(path, draw)) {
      const outcome = await server.run(argv);
      const result = "death" in outcome ? "died" : `status ${outcome.status}`;
      runs[result] = (runs[result] ?? 0) + 1;
      const fault = faultOf(outcome);
      if (fault !== null)
        faults.push(`${kind.name} seed ${seed} (${names.join(", ")}): ${argv.join(" ")}: ${fault}`);
    }
    rmSync(path, { force: true });
    rmSync(`${path}.html`, { force: true });
  }
  return { runs, faults };
}

describe("damaged files", { timeout: COUNT * 60_000 }, () => {
  const server = new Server(WAIT_MS, RSS_MIB_MAX);

  beforeAll(() => {
    const tsc = spawnSync("node_modules/.bin/tsc", ["-b", "apps/bench"], { cwd: root, encoding: "utf8" });
    expect(tsc.stdout).toBe("");
  }, 300_000);

  afterAll(() => {
    server.stop();
  });

  it.each(corpus())("$name", async (kind) => {
    const { runs, faults } = await attack(kind, server);
    if (process.env["VMBIND_DAMAGE"] !== undefined)
      console.log(`${kind.name}: ${COUNT} files,`, runs, `${faults.length} faults`);
    expect(faults).toEqual([]);
  });
});

it("a seed gives the same file, another seed another", () => {
  const text = corpus()[0]?.texts[0] ?? "";
  expect(damage(text, 7)).toEqual(damage(text, 7));
  expect(
    new Set(
      Array.from({ length: 50 }, (_, seed) =>
        oneLine(Buffer.from(damage(text, seed).bytes).toString("latin1"), 9999),
      ),
    ).size,
  ).toBeGreaterThan(40);
});
