/**
 * Goal: a new answer is one file, and takes part in everything.
 * Method: the examples of the guide, compared, swept, lowered and in a report; modules that are broken in each way; and the guide itself.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Comparison, Sweep } from "@vmbind/lab";
import { beforeAll, describe, expect, it } from "vitest";
import { tempFolder } from "../../../test/temp.ts";
import { tempFile, vmbind, vmbindIn } from "./run.ts";

const EXAMPLES = ["repeat-tail", "read-only-zero", "null-entries"];
const NAMES = ["panthor-repeat-tail", "panthor-read-only-zero", "panthor-null"];
const path = (example: string): string => new URL(`../examples/${example}.ts`, import.meta.url).pathname;
const chosen = EXAMPLES.flatMap((example) => ["--strategy", path(example)]);

describe("the examples of the guide", () => {
  let found: Comparison;
  const answer = (strategy: string, id: string) =>
    found.lab.semantics.find((a) => a.strategy === strategy && a.id === id);

  beforeAll(async () => {
    const { status, out, err } = await vmbind("compare", ...chosen, "--workload", "buffer-100e6", "--json");
    expect({ status, err }).toEqual({ status: 0, err: expect.any(String) });
    found = JSON.parse(out) as Comparison;
  }, 300_000);

  it("create 100e6 bytes with few operations, leaves and tables", () => {
    const created = found.lab.costs.map(({ strategy, phases: { create: c } }) => [
      strategy,
      c?.bindOps,
      c?.pteWrites,
      c?.tablesAllocated,
    ]);
    expect(created).toEqual([
      ["panthor-repeat-tail", 2, 398, 3],
      ["panthor-read-only-zero", 1, 398, 3],
      ["panthor-null", 1, 398, 3],
    ]);
  });

  it("read 0; the read-only page faults when it is written to, null entries drop what is stored", () => {
    const said = NAMES.map((name) =>
      ["value-before-write", "write-faults", "value-after-write", "strict-honest"].map(
        (id) => answer(name, id)?.answer,
      ),
    );
    expect(said).toEqual([
      ["0", "no", "what was written", "reported no, observed no"],
      ["0", "yes, every page", "0", "reported no, observed no"],
      ["0", "no", "0", "reported yes, observed yes"],
    ]);
  });

  it("have accounts, verdicts and a place in the answer, where nothing of them is recorded", () => {
    expect(found.recorded).toEqual([]);
    expect(found.lab.accounting.map(({ strategy, sparse }) => [strategy, sparse.backingBytes])).toEqual([
      ["panthor-repeat-tail", 2 ** 21],
      ["panthor-read-only-zero", 2 ** 21],
      ["panthor-null", 0],
    ]);
    expect(found.lab.verdicts.map(({ strategy }) => strategy)).toEqual(NAMES);
    expect(found.answer.rows.map(({ strategy }) => strategy)).toEqual(NAMES);
  });

  it.each(EXAMPLES)("stand in the guide as they are: %s", (example) => {
    const guide = readFileSync(new URL("../../../docs/propose-an-operation.md", import.meta.url), "utf8");
    expect(guide).toContain(`\`\`\`typescript\n${readFileSync(path(example), "utf8")}\`\`\`\n`);
  });
});

describe("a strategy of one's own", () => {
  const tail = ["--strategy", path("repeat-tail")];

  it("stands behind the table's, and beside recorded ones is said to be generated", async () => {
    const { status, out } = await vmbindIn(
      { columns: 220 },
      "compare",
      ...tail,
      "--strategy",
      "panthor-sparse",
      "--workload",
      "buffer-100e6",
    );
    expect(status).toBe(0);
    expect(out).toMatch(/^panthor-sparse +1 +1 +72 +1 +398 +3 +1$/m);
    expect(out).toMatch(/^panthor-repeat-tail \(generated\) +2 +1 +160 +2 +398 +3 +2$/m);
  });

  it("is swept, in shards too, with an estimate that was measured", { timeout: 300_000 }, async () => {
    const few = ["sweep", ...tail, "--work-max", "64", "--json"];
    const whole = await vmbind(...few);
    expect(whole).toMatchObject({ status: 0 });
    const { rows, leftOut, growth } = JSON.parse(whole.out) as Sweep;
    expect(new Set([...rows, ...leftOut].map(({ strategy }) => strategy))).toEqual(
      new Set(["panthor-repeat-tail"]),
    );
    for (const { axis, figures } of rows) {
      if (axis === "size") expect(figures.pteWrites).toBeLessThanOrEqual(64);
    }
    expect(growth.find(({ axis, figure }) => axis === "size" && figure === "bindOps")?.words).toBe(
      "constant, 3",
    );
    const shards = await Promise.all(
      [1, 2].map(async (i) => tempFile(`own-${i}.jsonl`, (await vmbind(...few, "--shard", `${i}/2`)).out)),
    );
    expect((await vmbind("merge", ...shards)).out).toBe(whole.out);
  });

  it("is lowered", async () => {
    const { status, out } = await vmbind("lower", "unbound", ...tail, "--size", "5MiB");
    expect(status).toBe(0);
    expect(out).toMatch(/MAP REPEAT NOEXEC .* repeated +# buffer-0 \+ 0x0 -> dummy\n +MAP blackhole NOEXEC/);
  });

  it("is explained, with a warning where its device is one that no trace can name", async () => {
    const workload = tempFile(
      "explained.json",
      JSON.stringify({
        format: "vmbind-workload",
        version: 1,
        name: "w",
        parametric: { size: 2 ** 21, bound: 0 },
      }),
    );
    const repeat = await vmbind("explain", workload, ...tail);
    expect(repeat).toMatchObject({ status: 0, err: "" });
    expect(repeat.out).toContain("MAP REPEAT");
    const { err } = await vmbind("explain", workload, "--strategy", path("null-entries"));
    expect(err).toMatch(
      /^vmbind explain: warning: panthor-null changes options\.dummyPages, parts\.PageTable, parts\.format: [^\n]+\n$/,
    );
  });

  it("is drawn in the report with a colour of its own", { timeout: 300_000 }, async () => {
    const page = join(tempFolder(), "own.html");
    const args = ["compare", ...tail, "--size", "65536", "--report", page];
    expect(await vmbind(...args)).toMatchObject({ status: 0 });
    const html = readFileSync(page, "utf8");
    expect(html).toMatch(/--s-panthor-repeat-tail:#[0-9a-f]{6}/);
    expect(html).toContain("p-repeat-tail");
    expect(html).toContain("Kernel: ideal.");
  });

  it("is kept in the cache by its bytes: an edit counts its own figures anew", {
    timeout: 300_000,
  }, async () => {
    const cacheFolder = tempFolder();
    const text = readFileSync(path("repeat-tail"), "utf8");
    const module = tempFile("cached.ts", text);
    const run = async () =>
      (
        await vmbindIn(
          { cacheFolder, progressLines: true },
          "compare",
          "--strategy",
          module,
          "--strategy",
          "panthor-sparse",
          "--size",
          "65536",
        )
      ).err;
    expect(await run()).not.toContain("found in the cache");
    expect(await run()).toContain("2 of 2 found in the cache");
    writeFileSync(module, `${text}// The same, for a reader; other bytes.\n`);
    expect(await run()).toContain("1 of 2 found in the cache");
  });
});

describe("a broken module is one line with file and rule", () => {
  const head = 'import { panthorStrategy } from "@vmbind/lab/panthor";\n';
  const strategy = (members: string): string =>
    `${head}export default panthorStrategy({ name: "panthor-x", says: "x", ${members} });\n`;

  it.each<[string, string, RegExp]>([
    ["no default export", "export const x = 1;\n", /default: expected a strategy, .* got nothing$/],
    ["something else", "export default { name: 1 };\n", /default: expected a strategy, .* got an object$/],
    ["an empty list", "export default [];\n", /default: expected a strategy, .* an empty list$/],
    [
      "a name of the table",
      `${head}export default panthorStrategy({ name: "panthor-sparse", says: "x" });\n`,
      /:2: name: panthor-sparse is one of the table$/,
    ],
    [
      "another driver's name",
      `${head}export default panthorStrategy({ name: "xe-x", says: "x" });\n`,
      /:2: name: expected panthor-\.\.\. in kebab-case, got "xe-x"$/,
    ],
    ["a member that there is not", strategy("unbond: 1"), /:2: unbond: there is no such member$/],
    ["a member of another type", strategy("note: 1"), /:2: note: expected a string, got 1$/],
    [
      "an option of no device",
      strategy('options: { driverVersion: "9.9" }'),
      /panthor-x: driverVersion: "9\.9" is none of 1\.0, .*, 1\.9$/,
    ],
    [
      "a quirk that there is not",
      strategy("options: { quirks: { nope: true } }"),
      /panthor-x: quirks\.nope: there are /,
    ],
    [
      "what the driver refuses",
      strategy("unbound: (op) => [{ ...op, va: op.va + 1 }]"),
      /panthor-x: creating a resource: .*PANTHOR_VM_BIND: EINVAL: ops\[0\]/,
    ],
    [
      "what throws while it runs",
      strategy("unbound: (op) => op.none.size"),
      /:2: panthor-x: Cannot read properties of undefined/,
    ],
    [
      "two of a name",
      `${strategy("")}`.replace("export default", "const a =").concat("export default [a, a];\n"),
      /default\[1\]\.name: panthor-x is there twice$/,
    ],
    ["no TypeScript", "export default {\n  b: ,\n};\n", /:2: Unexpected token, column \d+$/],
  ])("%s", async (_, text, message) => {
    const module = tempFile("broken.ts", text);
    for (const argv of [["compare", "--size", "65536"], ["sweep"], ["lower", "unbound"]]) {
      const { status, out, err } = await vmbind(...argv, "--strategy", module);
      expect({ status, out }).toEqual({ status: 2, out: "" });
      expect(err.split("\n")[0]).toMatch(message);
      expect(err).toContain(module);
      expect(err.trimEnd().split("\n")).toHaveLength(1);
    }
  });

  it("also when it breaks only later, in a bind", async () => {
    const text = strategy(
      "umd: (own) => ({ create: (va, size) => own.create(va, size), bind: () => { throw new Error('not yet'); }, destroy: (va, size) => own.destroy(va, size) })",
    );
    const module = tempFile("later.ts", text);
    for (const argv of [
      ["compare", "--workload", "random"],
      ["lower", "random"],
    ]) {
      const { status, err } = await vmbind(...argv, "--strategy", module);
      expect(status).toBe(2);
      expect(err).toContain(`${module}:2: panthor-x: not yet`);
      expect(err.trimEnd().split("\n")).toHaveLength(1);
    }
  });
});

describe("the kernel", () => {
  it("is ideal unless told, stands in every caption, and is one of three", async () => {
    const args = ["compare", "--strategy", "panthor-repeat", "--strategy", "xe-null", "--workload", "random"];
    for (const kernel of ["ideal", "linux-7.3"]) {
      const { out } = await vmbind(...args, ...(kernel === "ideal" ? [] : ["--kernel", kernel]));
      expect(out).toContain(`(kernel ${kernel})`.replace(" ", " "));
      expect(out).toContain(`Kernel ${kernel}: `);
    }
    expect((await vmbind(...args, "--kernel", "linux-6")).err).toMatch(/--kernel: no kernel "linux-6"/);
  });

  it("with the REPEAT patches as posted refuses the second call of binds: the VM is unusable", async () => {
    const args = ["compare", "--kernel", "as-posted-v5", "--workload", "random"];
    const { status, out } = await vmbind(
      ...args,
      "--strategy",
      "panthor-repeat",
      "--strategy",
      "panthor-sparse",
    );
    expect(status).toBe(1);
    expect(out.replace(/\s+/g, " ")).toContain(
      "Left out: random generated, panthor-repeat: steps[2]: PANTHOR_VM_BIND: EINVAL: ops[0]: the VM is unusable",
    );
  });
});
