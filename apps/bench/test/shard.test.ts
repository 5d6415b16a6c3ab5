/** Shards: how parts are dealt, and that merging gives what one machine would have written. */
import { readFileSync, statSync, truncateSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { gunzipSync, gzipSync } from "node:zlib";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { dealt } from "../src/shard/balance.ts";
import { typed } from "../src/shard/command-line.ts";
import type { OneShard, PartOutcome } from "../src/shard/division.ts";
import { mergeShards } from "../src/shard/merge.ts";
import { ownParts, readShard, type ShardFile, writeShard } from "../src/shard/shard-file.ts";
import { tempFile, vmbind } from "./run.ts";

/** On a machine that does other things. */
const SLOW = { timeout: 300_000 };

it("parts are dealt once each, and no shard has more than its share and the longest part", () => {
  const works = fc.array(fc.double({ min: 0, max: 1e9, noNaN: true }), { maxLength: 60 });
  fc.assert(
    fc.property(works, fc.integer({ min: 1, max: 20 }), (work, of) => {
      const shards = dealt(work, of);
      expect(shards.length).toBe(work.length);
      const loads = new Array<number>(of).fill(0);
      for (const [part, shard] of shards.entries())
        loads[shard - 1] = (loads[shard - 1] as number) + (work[part] as number);
      const sum = work.reduce((a, b) => a + b, 0);
      const most = sum / of + Math.max(0, ...work);
      expect(Math.max(...loads)).toBeLessThanOrEqual(most * (1 + 1e-9) + 1e-9);
      expect(loads.reduce((a, b) => a + b, 0)).toBeCloseTo(sum, -Math.log10(1e-6 * (1 + sum)));
    }),
  );
});

it("a command line is typed as a shell takes it", () => {
  expect(typed(["vmbind", "a b", "it's", "--x=1", "", "$HOME"])).toBe(
    `vmbind 'a b' 'it'\\''s' --x=1 '' '$HOME'`,
  );
});

let written = 0;

/** The file of a shard of made-up parts, each of which came to its own number. */
async function shardOf(index: number, of: number, work: readonly number[], more: Partial<OneShard> = {}) {
  let text = "";
  const one: OneShard = {
    kind: "shard",
    given: { shard: { index, of }, from: "a test" },
    command: "sweep",
    words: ["--json"],
    ...more,
  };
  const parts = work.map((w, i) => ({ id: `part ${i}`, work: w }));
  const mine = ownParts(one, parts);
  const outcomes = mine.map(async (i): Promise<PartOutcome> => ({ value: { i, word: "\u202e\u0085 ü" } }));
  const out = (more: string): void => {
    text += more;
  };
  const quiet = {
    err: () => {},
    flush: () => {},
    save: async () => {},
    outIsTerminal: false,
    errIsTerminal: false,
  };
  await writeShard(one, { parts, inputs: [] }, mine, outcomes, { ...quiet, out });
  return tempFile(`made-${written++}.jsonl`, text);
}

async function files(paths: readonly string[]): Promise<ShardFile[]> {
  return Promise.all(paths.map(readShard));
}

describe("merging", () => {
  const split = fc.record({
    work: fc.array(fc.integer({ min: 0, max: 100 }), { maxLength: 20 }),
    of: fc.integer({ min: 1, max: 6 }),
    order: fc.infiniteStream(fc.nat()),
    twice: fc.array(fc.nat(), { maxLength: 3 }),
  });

  it("gives every part once, whatever the split, the order and the duplicates", SLOW, async () => {
    await fc.assert(
      fc.asyncProperty(split, async ({ work, of, order, twice }) => {
        const paths: string[] = [];
        for (let index = 1; index <= of; index++) paths.push(await shardOf(index, of, work));
        const all = [...paths, ...twice.map((n) => paths[n % of] as string)];
        const keys = new Map(all.map((_, i) => [i, order.next().value as number]));
        const shuffled = all
          .map((path, i) => ({ path, key: keys.get(i) as number }))
          .sort((a, b) => a.key - b.key);
        const found = mergeShards(await files(shuffled.map(({ path }) => path)));
        if ("missing" in found) throw new Error(found.missing.join());
        expect([...found.merged.outcomes].sort()).toEqual(
          work.map((_, i) => [`part ${i}`, { value: { i, word: "\u202e\u0085 ü" } }]).sort(),
        );
        expect(found.spare.length).toBe(twice.length);
      }),
      { numRuns: 15 },
    );
  });

  it("takes no shard for whole that was cut anywhere, and names it with its command", SLOW, async () => {
    const whole = [await shardOf(1, 2, [1, 2, 3, 4]), await shardOf(2, 2, [1, 2, 3, 4])] as const;
    const bytes = readFileSync(whole[1]);
    const header = bytes.indexOf(10) + 1;
    // All of its lines but the end line, with a line feed and without.
    const lines = bytes.lastIndexOf(10, bytes.length - 2);
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: header, max: bytes.length - 2 }), async (length) => {
        const cut = tempFile("cut.jsonl", bytes.subarray(0, length));
        expect(mergeShards(await files([whole[0], cut]))).toEqual({
          missing: [
            expect.stringMatching(
              /^shard 2\/2 is not whole in .*cut\.jsonl: .*; to run it alone: vmbind sweep --shard 2\/2 --json > .*cut\.jsonl$/,
            ),
          ],
        });
        // Beside a whole one it is not needed.
        const found = mergeShards(await files([cut, ...whole]));
        expect("spare" in found && found.spare[0]).toMatch(/cut\.jsonl is not needed: /);
      }),
      { numRuns: 15, examples: [[lines], [lines + 1]] },
    );
  });

  it.each<[what: string, other: () => Promise<string>, message: RegExp]>([
    ["of another split", () => shardOf(2, 3, [1, 2]), /header\.shard\.of: 3, but .* is one of 2/],
    [
      "of other options",
      () => shardOf(2, 2, [1, 2], { words: [] }),
      /header\.words: vmbind sweep, but .* is of vmbind sweep --json/,
    ],
    [
      "of another command",
      () => shardOf(2, 2, [1, 2], { command: "fuzz" }),
      /header\.command: fuzz, but .* is a shard of sweep/,
    ],
    ["of other parts", () => shardOf(2, 2, [1, 2, 3]), /header\.plan: other parts than those of/],
    [
      "of another build",
      () => edited(shardOf(2, 2, [1, 2]), /"code":"\w+"/, `"code":"${"0".repeat(64)}"`),
      /header\.code: another build of vmbind/,
    ],
    [
      "of another version",
      () => edited(shardOf(2, 2, [1, 2]), /"program":"/, '"program":"9'),
      /header\.program: vmbind 9/,
    ],
    [
      "of another input",
      () => edited(shardOf(2, 2, [1, 2]), /"inputs":\[/, '"inputs":[{"path":"x.ts","sha256":null}'),
      /header\.inputs: x\.ts was another file/,
    ],
  ])("refuses a shard %s by name", async (_, other, message) => {
    const both = await files([await shardOf(1, 2, [1, 2]), await other()]);
    expect(() => mergeShards(both)).toThrow(message);
  });

  it("names two of the same shard that differ", async () => {
    const one = await readShard(await shardOf(1, 1, [1, 2]));
    const outcomes = new Map([...(one.outcomes ?? []), ["part 1", { value: 7 }] as const]);
    expect(() => mergeShards([one, { ...one, path: "other.jsonl", outcomes }])).toThrow(
      /^other\.jsonl: shard 1\/1 is in .*, too, and they differ in 1 part: part 1$/,
    );
  });
});

/** A file with something changed in its first line; what is behind it then no longer matters. */
async function edited(path: Promise<string>, from: RegExp, to: string): Promise<string> {
  return tempFile(`edited-${written++}.jsonl`, readFileSync(await path, "utf8").replace(from, to));
}

/** Runs a command in shards. */
async function sharded(of: number, ...argv: string[]): Promise<string[]> {
  const paths: string[] = [];
  for (let i = 1; i <= of; i++) {
    const { status, out } = await vmbind(...argv, "--shard", `${i}/${of}`);
    expect(status).toBe(0);
    paths.push(tempFile(`run-${written++}.jsonl`, out));
  }
  return paths;
}

/** Shards have warned of files without an end already. */
function unwarned(err: string): string {
  return err
    .split("\n")
    .filter((line) => !line.includes("warning: "))
    .join("\n");
}

describe("shards of a command merge into what one machine prints", () => {
  const steps = gunzipSync(
    readFileSync(new URL("../../../packages/gpuvm-core/test/vectors/steps.jsonl.gz", import.meta.url)),
  );
  const [header, ...cases] = steps.toString().trimEnd().split("\n") as [string, ...string[]];
  const vectors = (name: string, lines: readonly string[]) =>
    tempFile(name, gzipSync(`${[header, ...lines].join("\n")}\n`));
  const some = Array.from({ length: 200 }, (_, i) => cases[i % cases.length] as string);
  const wrong = some.map((line, i) => {
    const testCase = JSON.parse(line) as { final: { range: string }[] };
    const [first, ...others] = testCase.final;
    if (i % 50 < 49 || first === undefined) return line;
    return JSON.stringify({ ...testCase, final: [{ ...first, range: "0xbad000" }, ...others] });
  });

  it(
    "verify, with files that are cut between cases, failures, and a line that is no case",
    SLOW,
    async () => {
      const paths = [
        vectors("good.jsonl.gz", some),
        vectors("wrong.jsonl.gz", wrong),
        vectors("broken.jsonl.gz", some.with(90, "{}").with(190, "[]")),
        fileURLToPath(new URL("../../../packages/asahi/test/vectors/tlbi.jsonl", import.meta.url)),
      ];
      for (const [of, json] of [
        [2, []],
        [4, ["--json"]],
      ] as const) {
        const whole = await vmbind("verify", ...json, ...paths);
        expect(whole.status).toBe(2);
        expect(whole.out).toMatch(
          /wrong\.jsonl\.gz.*(19\d passed, [1-9] failed|"passed":19\d,"failed":[1-9])/,
        );
        const shards = await sharded(of, "verify", ...json, ...paths);
        expect(await vmbind("merge", ...shards.reverse())).toEqual({ ...whole, err: unwarned(whole.err) });
      }
    },
  );

  it.each([
    ["replay", ["--json"]],
    ["replay", []],
    ["replay", ["--check"]],
    ["lint", []],
    ["lint", ["--sarif"]],
  ])("%s %j, with a trace that is not there", SLOW, async (command, options) => {
    const argv = [
      command,
      ...options,
      "xe-buffer-100e6",
      "nothing.jsonl",
      "asahi-buffer-100e6",
      "xe-buffer-100e6",
    ];
    const whole = await vmbind(...argv);
    expect(await vmbind("merge", ...(await sharded(3, ...argv)))).toEqual(whole);
  });

  it("compare, with a workload that a strategy cannot run", SLOW, async () => {
    const large = {
      format: "vmbind-workload",
      version: 1,
      name: "large",
      description: "a resource that few can have",
    };
    const path = tempFile(
      "large.json",
      JSON.stringify({ ...large, steps: [{ step: "create", resource: "r", size: 2 ** 39 }] }),
    );
    const argv = [
      "compare",
      "--strategy",
      "xe-null",
      "--strategy",
      "panthor-per-page",
      "--workload",
      path,
      "--size",
      "1MiB",
      "--json",
    ];
    const whole = await vmbind(...argv);
    expect(whole.out).toContain('"leftOut"');
    const shards = await sharded(3, ...argv);
    expect(await vmbind("merge", ...shards)).toEqual(whole);
    const text = await vmbind("compare", "--strategy", "xe-null", "--workload", path, "--size", "1MiB");
    const few = await sharded(2, "compare", "--strategy", "xe-null", "--workload", path, "--size", "1MiB");
    expect(await vmbind("merge", ...few)).toEqual(text);
    // What was not asked of the shards is not there.
    expect((await vmbind("merge", "--json", ...few)).err).toMatch(
      /no shard has .*: they were made with other options/,
    );
  });

  it("with the shard that died named, and run again alone", SLOW, async () => {
    const argv = ["lint", "xe-buffer-100e6", "asahi-buffer-100e6", "panthor-sparse-image-window"];
    const whole = await vmbind(...argv);
    const shards = await sharded(3, ...argv);
    truncateSync(shards[1] as string, statSync(shards[1] as string).size - 1000);
    const dead = await vmbind("merge", ...shards);
    expect(dead).toMatchObject({ status: 2, out: "" });
    const [, again = ""] =
      /shard 2\/3 is not whole in .*; to run it alone: vmbind (.+) > /.exec(dead.err) ?? [];
    const { out } = await vmbind(...again.split(" "));
    const empty = tempFile("empty.jsonl", "");
    expect((await vmbind("merge", shards[0] as string, empty, shards[2] as string)).err).toMatch(
      /empty\.jsonl:1: header: the file is empty\n.*shard 2\/3 is missing; to run it alone: vmbind lint --shard 2\/3/,
    );
    expect((await vmbind("merge", ...shards, tempFile("again.jsonl", out))).out).toBe(whole.out);
  });
});

it.each([
  [["merge"], /FILE\.\.\. is missing/],
  [["verify", "--shard", "1/2", "-"], /--shard: standard input is there only once/],
  [["merge", "--sarif", "FILE"], /--sarif: shards of lint are not shown so|--sarif/],
])("%j is wrong usage", SLOW, async (argv, message) => {
  const [path] = await sharded(1, "fuzz", "--driver", "asahi", "--runs", "0");
  const { status, err } = await vmbind(...argv.map((word) => (word === "FILE" ? (path as string) : word)));
  expect(status).toBe(2);
  expect(err).toMatch(message);
});
