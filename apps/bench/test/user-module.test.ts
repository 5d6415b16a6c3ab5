/** Modules of users: what they import from here is the command's own, and what is wrong with them is said in one line. */
import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { sparseStrategy } from "@vmbind/lab";
import { PanthorDevice } from "@vmbind/panthor";
import { describe, expect, it } from "vitest";
import { tempFolder } from "../../../test/temp.ts";
import { isModule } from "../src/files/module-name.ts";
import { loadModule } from "../src/files/user-module.ts";
import { isAsCompiled } from "../src/quick.ts";

/** Writes files into a folder of their own; the path of the first. */
function files(contents: Record<string, string>): string {
  const folder = tempFolder();
  for (const [name, text] of Object.entries(contents)) {
    const path = join(folder, name);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, text);
  }
  return join(folder, Object.keys(contents)[0] as string);
}

const GOOD = {
  "mine.ts": `
import { sparseStrategy } from "@vmbind/lab";
import { PanthorDevice } from "@vmbind/panthor";
import { half } from "./parts/half.ts";
import table from "./table.json";
interface Answer { readonly value: number }
const answer: Answer = { value: half(table.value) };
export default answer;
export const Device: typeof PanthorDevice = PanthorDevice;
export { sparseStrategy } from "vmbind";
`,
  "parts/half.ts": "export const half = (n: number): number => n / 2;\n",
  "table.json": '{"value": 84}',
};

it("types are stripped, and classes are the command's own", async () => {
  const { exports } = await loadModule(files(GOOD));
  expect(exports["default"]).toEqual({ value: 42 });
  expect(exports["Device"]).toBe(PanthorDevice);
  expect(exports["sparseStrategy"]).toBe(sparseStrategy);
});

it("the digest is of the module and of all that it imports, not of where it lies", async () => {
  const digest = async (changed: Partial<typeof GOOD>): Promise<string> =>
    (await loadModule(files({ ...GOOD, ...changed }))).digest;
  const plain = await digest({});
  expect(plain).toMatch(/^[0-9a-f]{64}$/);
  expect(await digest({})).toBe(plain);
  const others = [
    await digest({ "mine.ts": `${GOOD["mine.ts"]}\n` }),
    await digest({ "parts/half.ts": "export const half = (n: number): number => n / 4;\n" }),
    await digest({ "table.json": '{"value": 8}' }),
  ];
  expect(new Set([plain, ...others]).size).toBe(4);
});

it("a file that changed is loaded anew, JSON too", async () => {
  const path = files(GOOD);
  expect((await loadModule(path)).exports["default"]).toEqual({ value: 42 });
  writeFileSync(join(dirname(path), "table.json"), '{"value": 2}');
  expect((await loadModule(path)).exports["default"]).toEqual({ value: 1 });
});

describe("what is wrong is said with file and line", () => {
  it.each<[string, Record<string, string>, RegExp]>([
    [
      "a syntax error",
      { "a.ts": "export const a = 1;\nexport default { b: , };\n" },
      /a\.ts:2: Unexpected token, column 21$/,
    ],
    [
      "a file that is not there",
      { "a.ts": '\nimport "./none.ts";\n' },
      /a\.ts:2: import of "\.\/none\.ts": there is no such file$/,
    ],
    [
      "a package that is not there",
      { "a.ts": 'import "no-such-package";\n' },
      /a\.ts:1: import of "no-such-package": there is no such package$/,
    ],
    [
      "a throw",
      { "a.ts": 'const n: number = 1;\n\nthrow new TypeError("n is " + n);\n' },
      /a\.ts:3: n is 1$/,
    ],
    [
      "a throw of what it imports",
      { "a.ts": 'import "./b/c.ts";\n', "b/c.ts": 'throw new Error("here");\n' },
      /b\/c\.ts:1: here$/,
    ],
    ["what is no error", { "a.ts": 'throw "text";\n' }, /a\.ts: text$/],
  ])("%s", async (_, contents, message) => {
    const path = files(contents);
    await expect(loadModule(path)).rejects.toMatchObject({ name: "InputError" });
    await expect(loadModule(path)).rejects.toThrow(message);
  });

  it("no file at all", async () => {
    await expect(loadModule("no/such.ts")).rejects.toThrow(
      /^no\/such\.ts: cannot be read: ENOENT, no such file$/,
    );
    await expect(loadModule(files({ "d.ts/x": "" }).slice(0, -2))).rejects.toThrow(
      /cannot be read: EISDIR, it is a folder$/,
    );
  });
});

it("modules are told by their endings", () => {
  expect(["./a.ts", "a.mts", "b/a.js", "a.cjs"].filter(isModule)).toHaveLength(4);
  expect(["a.json", "-", "a.jsonl.gz", "a", "ts"].filter(isModule)).toEqual([]);
});

it("is met by code as it is compiled, which is bundled where none is named", () => {
  const run = ["compare --json", "compare --workload a.jsonl", "sweep", "replay a.js"];
  const compiled = [
    "compare --strategy all --strategy ./mine.ts",
    "compare --workload=a.mjs",
    "sweep --strategy b/a.cts",
    "micro",
  ];
  expect(run.filter((line) => isAsCompiled(line.split(" ")))).toEqual([]);
  expect(compiled.filter((line) => isAsCompiled(line.split(" ")))).toEqual(compiled);
});
