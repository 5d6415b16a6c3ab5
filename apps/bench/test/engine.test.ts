/** How V8 is set up: by the command, and by what each V8 knows. */
import { randomBytes } from "node:crypto";
import { mkdtempSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setFlagsFromString } from "node:v8";
import { gzipSync } from "node:zlib";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { tuneCommand } from "../src/engine.ts";
import { isBrief } from "../src/process/brief.ts";

vi.mock("node:v8", () => ({ setFlagsFromString: vi.fn() }));

/** Flags that V8 has from Node.js 20 on; others it would complain of in some version. */
const EVERYWHERE =
  /^--(max-inlined-bytecode-size(-cumulative)?|heap-growing-percent|semi-space-growth-factor)=\d+$/;

function flagsWith(v8: string, brief: boolean): string[] {
  const { versions } = process;
  const set = vi.mocked(setFlagsFromString);
  set.mockClear();
  Object.defineProperty(process, "versions", { value: { ...versions, v8 } });
  try {
    tuneCommand(brief);
  } finally {
    Object.defineProperty(process, "versions", { value: versions });
  }
  return set.mock.calls.map(([flag]) => flag);
}

describe("V8", () => {
  it.each(["12.4.254.21-node.33", "13.6.233.17-node.41", "14.6.202.34-node.12"])(
    "%s is told only what it knows",
    (v8) => {
      for (const brief of [false, true]) {
        const flags = flagsWith(v8, brief);
        expect(flags).toHaveLength(brief ? 4 : 3);
        for (const flag of flags) expect(flag).toMatch(EVERYWHERE);
      }
    },
  );

  it("of Node.js 20 is told more", () => {
    const more = (brief: boolean) =>
      flagsWith("11.3.244.8-node.38", brief).filter((flag) => !EVERYWHERE.test(flag));
    const always = ["--interrupt-budget=150000", "--no-turbo-loop-peeling"];
    expect(more(false)).toEqual(always);
    expect(more(true)).toEqual([...always, "--no-turbo-splitting", "--no-turbo-escape"]);
  });
});

describe("a command is brief", () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "vmbind-test-"));
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  it("unless a file says that it unpacks to much", () => {
    const [short, long, plain] = ["short.jsonl.gz", "long.jsonl.gz", "plain.jsonl"].map((name) =>
      join(folder, name),
    ) as [string, string, string];
    writeFileSync(short, gzipSync(randomBytes(2 ** 14)));
    writeFileSync(long, gzipSync(Buffer.alloc(2 ** 22 + 1)));
    writeFileSync(plain, randomBytes(2 ** 14));
    expect(isBrief(["replay", short, plain])).toBe(true);
    expect(isBrief(["replay", short, long])).toBe(false);
    expect(isBrief(["replay", folder])).toBe(false);
  });

  it("where the files to replay, or those of a folder, are small", () => {
    const [small, large] = [join(folder, "small.jsonl"), join(folder, "large.jsonl.gz")];
    writeFileSync(small, "{}");
    expect(isBrief(["replay", folder])).toBe(true);
    writeFileSync(large, "");
    truncateSync(large, 2 ** 21);
    expect(isBrief(["replay", small, "xe-image-3d"])).toBe(true);
    expect(isBrief(["replay", large])).toBe(true);
    expect(isBrief(["replay", large, small])).toBe(false);
    expect(isBrief(["replay", folder])).toBe(false);
    expect(isBrief(["replay", "x".repeat(10_000)])).toBe(true);
    expect(isBrief(["replay", small, "-"])).toBe(false);
    expect(isBrief(["replay", small, "--shard", "1/2"])).toBe(false);
    expect(isBrief(["fuzz", "--seed", "5"])).toBe(false);
    expect(isBrief([])).toBe(false);
  });
});
