import { readdirSync, readFileSync } from "node:fs";
import { SPARSE_STRATEGIES } from "@vmbind/lab";
import { describe, expect, test } from "vitest";
import { stripTypes } from "../src/editor/strip-types.ts";
import { engineInProcess } from "../src/engine/in-process.ts";
import type { OperationsAnswer } from "../src/engine/programs/answer-operations.ts";

const ALL = SPARSE_STRATEGIES.map(({ name }) => name);
/** The last strategy of each driver, as the pane begins with. */
const ONE_EACH = [...new Map(SPARSE_STRATEGIES.map(({ driver, name }) => [driver, name])).values()];
const EXAMPLES = new URL("../examples/", import.meta.url);
const OWN_STRATEGIES = new URL("../../bench/examples/", import.meta.url);

function codeOf(text: string): string {
  const stripped = stripTypes(text);
  if (!("code" in stripped)) throw new Error(stripped.message);
  return stripped.code;
}

async function answered(
  program: string,
  { strategy = null, strategies = ALL }: { strategy?: string | null; strategies?: string[] } = {},
): Promise<OperationsAnswer> {
  return engineInProcess().ask("answer-operations", {
    program: codeOf(program),
    strategy: strategy === null ? null : codeOf(strategy),
    strategies,
    devices: {},
    kernel: "ideal",
  });
}

test("a typed program is answered by every strategy, each operation with its line and its name", async () => {
  const text = [
    "const pages: number = 16;",
    "const buf = sparse(6 * MiB), mine = memory(2 * MiB);",
    "for (let i = 0; i < 2; i++) {",
    "  bind(buf.at(i * MiB), pages * 4 * KiB, mine);",
    "}",
    "read(buf.at(MiB));",
  ].join("\n");
  const { operations, columns, rows, problems } = await answered(text);
  expect(problems).toEqual([]);
  expect(operations.map(({ line, label }) => `${line} ${label}`)).toEqual([
    "2 buf = sparse(6 MiB)",
    "2 mine = memory(2 MiB)",
    "4 bind(buf, 64 KiB, mine)",
    "4 bind(buf + 0x100000, 64 KiB, mine)",
    "6 read(buf + 0x100000)",
  ]);
  expect(columns.map(({ name }) => name)).toEqual(ALL);
  expect(rows[4]?.words.map(({ word }) => word)).toEqual(ALL.map(() => "mine + 0x0"));
  expect(rows.some(({ differs }) => differs)).toBe(false);
});

describe("what is wrong with a program is told at its line, and what was before it is answered", () => {
  const wrong: [text: string, line: number, message: string | RegExp][] = [
    ["const buf = sparse(MiB);\nread(buf);\nread(buff);", 3, "ReferenceError: buff is not defined"],
    ["const buf = sparse(MiB);\nread(buf);\n\nread(buf + 4);", 4, /where it lies is for each driver/],
    ["const buf = sparse(MiB);\nread(buf);\nbind(buf.at(0), 4096, 5);", 3, /bind: memory: expected/],
    ["const buf = sparse(MiB);\nread(buf);\nthrow 'no';", 0, "threw no"],
    [
      "const buf = sparse(MiB);\nread(buf);\nvmBind('xe', Array(4096).fill({ op: 'map' }));",
      3,
      "more than 4096 operations",
    ],
  ];
  test.each(wrong)("%j", async (text, line, message) => {
    const { problems, rows } = await answered(text, { strategies: ALL.slice(-1) });
    expect(problems).toEqual([
      { file: "operations.ts", line: line || null, message: expect.stringMatching(message) },
    ]);
    expect(rows.length).toBeGreaterThan(1);
    expect(rows[1]?.words[0]?.word).toBe("0");
  });

  test("no TypeScript at all", () => {
    expect(stripTypes("read(1);\nconst a = ;")).toEqual({ line: 2, message: "Unexpected token" });
  });

  test("a package that is none of these", async () => {
    const { problems } = await answered('import { readFileSync } from "node:fs";\nreadFileSync("x");');
    expect(problems[0]?.message).toMatch(/^cannot import "node:fs"; there are @vmbind\/amdgpu, /);
  });
});

describe("a strategy module", () => {
  const program = "const buf = sparse(6 * MiB);\nwrite(buf.at(0x10000), 1);\nread(buf.at(0x20000));";

  test.each(readdirSync(OWN_STRATEGIES).filter((name) => name.endsWith(".ts")))(
    "%s of the guide stands first",
    async (name) => {
      const strategy = readFileSync(new URL(name, OWN_STRATEGIES), "utf8");
      if (!strategy.includes("export default")) return;
      const { problems, columns } = await answered(program, { strategy, strategies: ALL.slice(0, 1) });
      expect(problems).toEqual([]);
      expect(columns.map(({ isOwn }) => isOwn)).toEqual([true, false]);
      expect(columns[0]?.answer.operations.map(({ outcome }) => outcome)[0]).toBe("done");
    },
  );

  test("that throws is told so at its line, and the others answer", async () => {
    const own = (text: string): string =>
      `import { xeStrategy } from "@vmbind/lab/xe";\nexport default xeStrategy({ name: "xe-mine", says: "x",\n${text}});`;
    const of = (strategy: string): Promise<OperationsAnswer> =>
      answered(program, { strategy, strategies: ["xe-null"] });
    const thrown = await of(own("umd: (umd) => ({ ...umd, create() {\n throw new Error('not yet');\n } }) "));
    expect(thrown.problems).toEqual([
      { file: "strategy.ts", line: 4, message: expect.stringMatching(/not yet/) },
    ]);
    expect(thrown.columns.map(({ name }) => name)).toEqual(["xe-null"]);
    expect((await of(own("parts: {} "))).problems[0]).toMatchObject({ line: 2, message: /parts|member/ });
    expect((await of("export const a = 1;")).problems[0]?.message).toMatch(/^expected export default/);
  });
});

test("every example is answered, and no two drivers have to agree on all of it", async () => {
  const names = readdirSync(EXAMPLES).filter((name) => name.endsWith(".ts") && !name.endsWith(".d.ts"));
  expect(names.length).toBeGreaterThan(4);
  for (const name of names) {
    const { problems, rows } = await answered(readFileSync(new URL(name, EXAMPLES), "utf8"), {
      strategies: ONE_EACH,
    });
    expect([name, problems]).toEqual([name, []]);
    expect([name, rows.some(({ differs }) => differs)]).toEqual([name, true]);
  }
});
