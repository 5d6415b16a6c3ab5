import { readFileSync } from "node:fs";
import { type CostFigures, measurePoint, SPARSE_STRATEGIES, type Sweep, sparseStrategy } from "@vmbind/lab";
import { formatNumber } from "@vmbind/trace";
import { describe, expect, it } from "vitest";
import { tempFile, vmbind, vmbindIn } from "./run.ts";

async function size(strategy: string, x: number): Promise<CostFigures> {
  return (await measurePoint(sparseStrategy(strategy), { axis: "size", x })).figures;
}

/** A workload of somebody's. */
const OWN = { format: "vmbind-workload", version: 1, name: "mine", description: "tiles in no order" };

describe("vmbind sweep", () => {
  const few = ["sweep", "--strategy", "panthor-sparse", "--work-max", "8192"];

  it("turns the knobs of one's own workload, in shards, too", { timeout: 300_000 }, async () => {
    const knobs = { size: 2 ** 21, tile: 2 ** 16, order: "random", bound: 0.5, bindsPerCall: 8 };
    const path = tempFile("mine.json", JSON.stringify({ ...OWN, parametric: knobs }));
    const own = ["sweep", "--workload", path, "--strategy", "xe-null", "--work-max", "2048"];
    const whole = await vmbind(...own, "--json");
    expect(whole).toMatchObject({ status: 0, err: "" });
    const { rows, leftOut, knobs: asked } = JSON.parse(whole.out) as Sweep;
    expect(asked).toMatchObject({
      boundFraction: 0.5,
      sizeBytes: 2 ** 21,
      workload: { name: "mine", knobs },
    });
    const half = rows.filter(({ axis, x }) => axis === "size" && (x === 2 ** 20 || x === 2 ** 22));
    // Half of 16 and of 64 tiles, eight a call; create, memory at an address of its own, destroy, and a wait without operations.
    expect(half.map(({ figures }) => figures.bindIoctls)).toEqual([1 + 4, 4 + 4]);
    expect(rows.find(({ axis, x }) => axis === "fraction" && x === 1)?.figures.bindOps).toBe(32 + 3);
    expect(leftOut.some(({ why }) => why === "more than 2048 binds (--work-max)")).toBe(true);
    const shards: string[] = [];
    for (const i of [1, 2]) {
      const { out } = await vmbind(...own, "--json", "--shard", `${i}/2`);
      shards.push(tempFile(`own-${i}.jsonl`, out));
    }
    expect((await vmbind("merge", ...shards)).out).toBe(whole.out);
    tempFile("mine.json", JSON.stringify({ ...OWN, parametric: { ...knobs, bound: 0.25 } }));
    expect((await vmbind("merge", ...shards)).err).toMatch(/mine\.json: is not the file that .*own-1/);
    const fixed = tempFile(
      "fixed.json",
      JSON.stringify({ ...OWN, steps: [{ step: "create", resource: "r", size: 65536 }] }),
    );
    const refused = await vmbind("sweep", "--workload", fixed);
    expect([refused.status, refused.err]).toEqual([
      2,
      expect.stringMatching(/its steps are fixed: expected parametric/),
    ]);
  });

  it("shards merge into the whole, in any format", { timeout: 300_000 }, async () => {
    const whole = await vmbind(...few, "--json");
    expect(whole).toMatchObject({ status: 0, err: "" });
    const paths: string[] = [];
    for (const i of [3, 1, 2]) {
      const { status, out, err } = await vmbind(...few, "--json", "--shard", `${i}/3`);
      expect([status, err]).toEqual([
        0,
        expect.stringMatching(`^vmbind sweep: shard ${i}/3 \\(--shard\\): `),
      ]);
      paths.push(tempFile(`shard-${i}.jsonl`, out));
    }
    expect(await vmbind("merge", ...paths)).toEqual(whole);
    expect((await vmbind("sweep", "--merge", ...paths)).out).toBe(whole.out);
    const table = await vmbind("merge", "--csv", ...paths);
    expect(table.out).toBe((await vmbind(...few, "--csv")).out);
    const narrow = await vmbindIn({ columns: 80 }, "merge", "--markdown", ...paths);
    expect(narrow.out).toMatch(
      /^\| panthor-sparse \| leaf entries written \| 1 per 4 KiB up to 1 MiB, then 1 per 2 MiB \|$/m,
    );
  });

  it("as CSV has a row for each strategy, point and figure", async () => {
    const { out } = await vmbind("sweep", "--strategy", "panthor-sparse", "--work-max", "64", "--csv");
    const rows = out.trimEnd().split("\n");
    expect(rows[0]).toBe("strategy,axis,x,figure,value,kernel");
    expect(rows.length).toBeGreaterThan(100);
    for (const row of rows.slice(1)) {
      expect(row).toMatch(/^panthor-sparse,(size|fraction|offset),[\d.]+,[a-zA-Z]+,\d+,ideal$/);
    }
  });

  it("said what docs/counted-work.md says, of every strategy", { timeout: 300_000 }, async () => {
    const text = readFileSync(new URL("../../../docs/counted-work.md", import.meta.url), "utf8");
    const sectionOf = (title: string): string[][] =>
      (text.split(`## ${title}\n`)[1]?.split("\n## ")[0] ?? "")
        .split("\n")
        .filter((line) => line.startsWith("|"))
        .map((line) => line.split("|").map((cell) => cell.trim()));
    const names = SPARSE_STRATEGIES.map(({ name }) => name);
    const tables: readonly [keyof CostFigures, string[][]][] = [
      ["bindOps", sectionOf("Operations by size")],
      ["pteWrites", sectionOf("Leaf entries written by size")],
      ["tablesPeak", sectionOf("Table pages, peak by size")],
      ["tlbInvalidations", sectionOf("TLB invalidations by size")],
    ];
    for (const [, [titles]] of tables) expect(titles?.slice(3, -1)).toEqual(names);
    for (const axis of [
      "Size of the resource, nothing bound",
      "Part of the resource that is bound",
      "Where the resource may begin",
    ]) {
      const rows = sectionOf(`${axis}: how costs grow`).slice(2);
      expect([...new Set(rows.map(([, strategy]) => strategy))]).toEqual(names);
    }
    const [, , ...rows] = tables[0]?.[1] ?? [];
    expect(rows.length).toBeGreaterThan(70);
    for (const [i, row] of rows.entries()) {
      if (i % 9 !== 0 && row[2] !== "1 TiB") continue;
      const bytes = Number(row[1]?.replaceAll(",", ""));
      for (const [s, strategy] of names.entries()) {
        // What takes long is left to the command.
        if (Object.values(sparseStrategy(strategy).workOf(bytes)).some((work) => work > 2 ** 16)) continue;
        const said = tables.map(([figure, lines]) => [figure, lines[i + 2]?.[s + 3]]);
        if (said.every(([, cell]) => cell === "-")) continue;
        const figures = await size(strategy, bytes);
        expect([strategy, bytes, ...said]).toEqual([
          strategy,
          bytes,
          ...tables.map(([figure]) => [figure, formatNumber(figures[figure])]),
        ]);
      }
    }
  });

  it.each([
    [["--shard", "0/3"], /--shard: expected auto, or I\/N/],
    [["--shard", "4/3", "--json"], /--shard: expected auto, or I\/N/],
    [["--shard", "1"], /--shard: expected auto, or I\/N/],
    [["--work-max", "many"], /--work-max: expected a whole number/],
    [["--strategy", "hope"], /--strategy: no strategy "hope"/],
    [["file.json"], /unexpected operand "file\.json"/],
    [["--merge"], /FILE\.\.\. is missing/],
    [["--merge", "--shard", "1/2", "x"], /--shard has no meaning with --merge/],
  ])("refuses %j", async (wrong, message) => {
    const { status, out, err } = await vmbind("sweep", ...wrong);
    expect({ status, out }).toEqual({ status: 2, out: "" });
    expect(err).toMatch(message);
  });
});
