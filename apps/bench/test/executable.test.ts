/** The command as users have it: built, started by the launcher of the clone, in a folder of theirs. */
import { spawnSync } from "node:child_process";
import { copyFileSync, mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { gunzipSync } from "node:zlib";
import { beforeAll, describe, expect, it } from "vitest";
import { tempFolder } from "../../../test/temp.ts";

const root = fileURLToPath(new URL("../../..", import.meta.url));
const launcher = join(root, "vmbind");
const recording = join(root, "apps/bench/traces/xe-image-3d.jsonl.gz");
const folder = tempFolder();

interface Given {
  input?: Uint8Array;
  env?: Record<string, string>;
  cwd?: string;
}

function vmbind(
  argv: string[],
  { input, env, cwd = folder }: Given = {},
): { status: number | null; out: string; err: string } {
  const { status, stdout, stderr } = spawnSync(process.execPath, [launcher, ...argv], {
    cwd,
    encoding: "utf8",
    env: { ...process.env, ...env },
    ...(input && { input }),
  });
  return { status, out: stdout, err: stderr };
}

beforeAll(() => {
  const tsc = spawnSync("node_modules/.bin/tsc", ["-b", "apps/bench"], { cwd: root, encoding: "utf8" });
  expect(tsc.stdout).toBe("");
  mkdirSync(join(folder, "mine/older"), { recursive: true });
  copyFileSync(recording, join(folder, "mine/b.jsonl.gz"));
  copyFileSync(recording, join(folder, "mine/older/a.jsonl.gz"));
}, 180_000);

describe("the executable", () => {
  it("takes paths from where it is called, and prints nothing but the output", () => {
    const { status, out } = vmbind(["replay", "--json", "mine/b.jsonl.gz"]);
    expect(status).toBe(0);
    expect(JSON.parse(out)).toMatchObject({ trace: "b", differenceCount: 0 });
  });

  it("takes a folder as all files in it and below, sorted", () => {
    const { status, out } = vmbind(["replay", "--json", "mine"]);
    expect(status).toBe(0);
    const names = out
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line).trace);
    expect(names).toEqual(["b", "a"]);
  });

  it("reads - from standard input, packed or not, as often as it is named", () => {
    const packed = new Uint8Array(readFileSync(recording));
    const explained = vmbind(["explain", recording]);
    expect(vmbind(["explain", "-"], { input: packed }).out).toBe(explained.out);
    expect(vmbind(["explain", "-"], { input: new Uint8Array(gunzipSync(packed)) }).out).toBe(explained.out);
    const twice = vmbind(["replay", "--json", "-", "-"], { input: packed });
    expect(twice.status).toBe(0);
    expect(twice.out.trimEnd().split("\n").length).toBe(2);
  });

  it("says so when standard input has nothing", () => {
    const { status, err } = vmbind(["replay", "-"], { input: new Uint8Array(0) });
    expect({ status, err }).toEqual({ status: 2, err: "vmbind replay: -:1: header: the file is empty\n" });
  });

  it("goes back to the caller's folder under `pnpm vmbind`, which is run in the root", () => {
    const env = { npm_lifecycle_event: "vmbind", INIT_CWD: folder };
    expect(vmbind(["replay", "--json", "mine/b.jsonl.gz"], { env, cwd: root }).status).toBe(0);
  });
});

it("the scripts of the root set no variable, which cmd.exe could not", () => {
  const { scripts } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
  for (const line of Object.values(scripts)) expect(line).not.toMatch(/(^|&& *)\w+=/);
});
