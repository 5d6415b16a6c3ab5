/** The files under `deploy/`: each is what its engine reads, and asks for shards that the program finds. */
import { spawnSync } from "node:child_process";
import { describe, expect, it } from "vitest";
import { parse, parseAllDocuments } from "yaml";
import { parseArguments } from "../apps/bench/src/arguments.ts";
import { COMMANDS } from "../apps/bench/src/commands.ts";
import { givenShard } from "../apps/bench/src/shard/whose.ts";
import { exists, read } from "./house.ts";

/** Command lines of the program in a script, without what a shell makes of them. */
function linesIn(script: string): string[][] {
  return [...script.matchAll(/^(?:- )?\s*vmbind ([^>\n]*)/gm)].map(([, words = ""]) =>
    words.trim().split(/\s+/),
  );
}

function expectUnderstood(lines: readonly string[][]): void {
  expect(lines.map(([name]) => name)).toContain("merge");
  for (const [name, ...words] of lines) {
    const command = COMMANDS.find((one) => one.name === name);
    if (command === undefined) throw new Error(`no command ${name}`);
    parseArguments(command, words);
  }
}

describe.each(["deploy/slurm.sbatch", "scripts/scale-oracle"])("%s", (path) => {
  it("is what bash reads", () => {
    expect(spawnSync("bash", ["-n"], { input: read(path), encoding: "utf8" })).toMatchObject({
      status: 0,
      stderr: "",
    });
  });
});

it("deploy/slurm.sbatch asks for an array, and for the shard that Slurm says unless told", () => {
  const script = read("deploy/slurm.sbatch");
  expect(script).toMatch(/^#SBATCH --array=0-15$/m);
  expect(script).toMatch(/"\$@" --shard "\$\{VMBIND_SHARD:-auto\}" >/);
});

it("deploy/kubernetes.yaml gives its pods as many shards as it has completions", () => {
  const jobs = parseAllDocuments(read("deploy/kubernetes.yaml")).map((document) => document.toJS());
  expect(jobs.map(({ kind }) => kind)).toEqual(["PersistentVolumeClaim", "Job", "Job"]);
  const { completions, completionMode, template } = jobs[1].spec;
  const [{ env, args }] = template.spec.containers;
  const given = Object.fromEntries(
    env.map(({ name, value }: { name: string; value: string }) => [name, value]),
  );
  expect(completionMode).toBe("Indexed");
  for (const index of [0, completions - 1]) {
    const { shard } = givenShard("auto", { ...given, JOB_COMPLETION_INDEX: `${index}` });
    expect(shard).toEqual({ index: index + 1, of: completions });
  }
  expectUnderstood([...linesIn(args[0]), jobs[2].spec.template.spec.containers[0].args]);
});

it("deploy/gitlab-ci.yml runs in parallel, and merges what all nodes leave", () => {
  const { vmbind: shards, "vmbind-merge": merge, stages } = parse(read("deploy/gitlab-ci.yml"));
  expect(stages).toEqual([shards.stage, merge.stage]);
  expect(shards.parallel).toBeGreaterThan(1);
  expect(merge.needs).toEqual(["vmbind"]);
  expectUnderstood(linesIn([...shards.script, ...merge.script].join("\n")));
});

it("deploy/github-actions.yml hands its matrix on, from 1 and without holes", () => {
  const { jobs } = parse(read("deploy/github-actions.yml"));
  const { strategy, env, steps } = jobs.shard;
  const { shard } = strategy.matrix;
  expect(shard).toEqual(Array.from({ length: shard.length }, (_, i) => i + 1));
  expect(env["CI_NODE_INDEX"]).toMatch(/^\$\{\{ matrix\.shard \}\}$/);
  expect(env["CI_NODE_TOTAL"]).toMatch(/^\$\{\{ strategy\.job-total \}\}$/);
  expect(jobs.merge.needs).toBe("shard");
  const scripts = [...steps, ...jobs.merge.steps].flatMap(({ run }: { run?: string }) => run ?? []);
  expectUnderstood(linesIn(scripts.join("\n")));
});

it("deploy/README.md names every file, and each is there", () => {
  const named = [...read("deploy/README.md").matchAll(/\]\(([^)]+)\)/g)].map(([, path]) => `deploy/${path}`);
  expect(named.length).toBe(5);
  expect(named.filter((path) => !exists(path))).toEqual([]);
});
