/** Which shard a machine is: as `--shard` says, or as the engine says that started it. */
import { afterEach, describe, expect, it, vi } from "vitest";
import { givenShard, inWords } from "../src/shard/whose.ts";
import { vmbind } from "./run.ts";

const slurm = (id: number, count: number, min: number, max: number, step?: number) => ({
  SLURM_ARRAY_TASK_ID: `${id}`,
  SLURM_ARRAY_TASK_COUNT: `${count}`,
  SLURM_ARRAY_TASK_MIN: `${min}`,
  SLURM_ARRAY_TASK_MAX: `${max}`,
  ...(step !== undefined && { SLURM_ARRAY_TASK_STEP: `${step}` }),
});
const gitlab = (index: string, total: string) => ({ CI_NODE_INDEX: index, CI_NODE_TOTAL: total });
const kubernetes = (index: string) => ({ JOB_COMPLETION_INDEX: index });

type Said = Readonly<Record<string, string>>;

/** On a machine that does other things. */
const SLOW = { timeout: 300_000 };

describe("--shard auto", () => {
  it.each<[engine: string, env: Said, shard: string]>([
    ["the first task of a Slurm array", slurm(0, 16, 0, 15, 1), "1/16"],
    ["the last", slurm(15, 16, 0, 15, 1), "16/16"],
    ["one of an array that begins at 1", slurm(7, 16, 1, 16, 1), "7/16"],
    ["one of an array from 100 in steps of 5", slurm(110, 4, 100, 115, 5), "3/4"],
    ["one of an array in steps, by a Slurm that does not say the step", slurm(6, 4, 0, 9), "3/4"],
    ["an array of one task", slurm(0, 1, 0, 0, 0), "1/1"],
    ["a task whose count is given and right", { ...slurm(2, 4, 0, 3, 1), VMBIND_SHARDS: "4" }, "3/4"],
    ["a pod of an Indexed Job", { ...kubernetes("0"), VMBIND_SHARDS: "5" }, "1/5"],
    ["its last pod", { ...kubernetes("4"), VMBIND_SHARDS: "5" }, "5/5"],
    ["a parallel job of GitLab", gitlab("3", "8"), "3/8"],
    [
      "a job of GitLab that is not parallel, on a node of Slurm",
      { ...gitlab("", "1"), ...slurm(1, 2, 0, 1, 1) },
      "2/2",
    ],
    ["two engines that agree", { ...gitlab("2", "4"), ...slurm(1, 4, 0, 3, 1) }, "2/4"],
  ])("%s", (_, env, shard) => {
    expect(inWords(givenShard("auto", env).shard)).toBe(shard);
  });

  it.each<[what: string, env: Said, message: RegExp]>([
    ["no engine", {}, /none of SLURM_ARRAY_TASK_ID, JOB_COMPLETION_INDEX and CI_NODE_INDEX is set/],
    ["a Slurm job that is no array", { SLURM_JOB_ID: "7" }, /none of SLURM_ARRAY_TASK_ID/],
    ["a job of GitLab that is not parallel", gitlab("", "1"), /none of SLURM_ARRAY_TASK_ID/],
    [
      "an array with holes",
      slurm(3, 3, 1, 7, 1),
      /array of 3 from 1 to 7: its tasks do not follow each other/,
    ],
    ["a task beside its array", slurm(20, 16, 0, 15, 1), /task 20 of an array of 16/],
    [
      "a task that was submitted anew alone",
      slurm(7, 1, 7, 7, 1),
      /array of task 7 alone is a part of another/,
    ],
    [
      "a task with another count",
      { ...slurm(0, 1, 0, 0), VMBIND_SHARDS: "16" },
      /is one of 1, but VMBIND_SHARDS is 16/,
    ],
    [
      "an array that does not say where it begins",
      { SLURM_ARRAY_TASK_ID: "1", SLURM_ARRAY_TASK_COUNT: "4" },
      /TASK_MIN is not/,
    ],
    ["a pod without a count", kubernetes("1"), /set VMBIND_SHARDS to the Job's completions/],
    ["a pod beyond the count", { ...kubernetes("5"), VMBIND_SHARDS: "5" }, /would be shard 6\/5/],
    ["a matrix without a total", { CI_NODE_INDEX: "1" }, /CI_NODE_TOTAL is not/],
    ["a matrix that counts from 0", gitlab("0", "4"), /would be shard 0\/4/],
    [
      "two engines that do not agree",
      { ...gitlab("1", "4"), ...slurm(1, 4, 0, 3, 1) },
      /is shard 2\/4, but CI_NODE_INDEX 1 is 1\/4/,
    ],
    ["what is no number", gitlab("one", "4"), /CI_NODE_INDEX: expected a whole number, got "one"/],
  ])("refuses %s", (_, env, message) => {
    expect(() => givenShard("auto", env)).toThrow(message);
  });

  it("is the only one that listens to an engine", SLOW, async () => {
    vi.stubEnv("CI_NODE_INDEX", "2");
    vi.stubEnv("CI_NODE_TOTAL", "2");
    const plain = await vmbind("lint", "xe-buffer-100e6", "panthor-sparse-image-window");
    expect(plain.out).toContain("xe-buffer-100e6");
    expect(plain.out).toContain("panthor-sparse-image-window");
    const { err, out } = await vmbind(
      "lint",
      "--shard",
      "auto",
      "xe-buffer-100e6",
      "panthor-sparse-image-window",
    );
    expect(err).toMatch(/^vmbind lint: shard 2\/2 \(CI_NODE_INDEX 2\): 1 of 2 parts, /);
    expect(JSON.parse(out.split("\n", 1)[0] as string)).toMatchObject({ shard: { index: 2, of: 2 } });
  });
});

afterEach(() => void vi.unstubAllEnvs());
