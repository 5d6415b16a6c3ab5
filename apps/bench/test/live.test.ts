/** `vmbind live` and `vmbind record`: what they say and how they end, whatever COMMAND does. */
import { spawnSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { tempFolder } from "../../../test/temp.ts";
import { vmbind, vmbindIn } from "./run.ts";

const folder = tempFolder();
const canRun =
  process.platform === "linux" && spawnSync("cc", ["--version"], { stdio: "ignore" }).status === 0;

function live(...argv: string[]) {
  return vmbindIn({ cacheFolder: folder }, "live", ...argv);
}

describe("wrong usage is told in a line", () => {
  test.each([
    [["--device", "xee", "--", "true"], /no driver "xee"; did you mean xe\?/],
    [["--device", "lnl", "--", "true"], /no driver "lnl"; did you mean xe:lnl\?/],
    [["--device", "amdgpu/vega10", "--", "true"], /did you mean amdgpu:vega10\?/],
    [["--device", "xe/nix", "--", "true"], /no driver "xe\/nix"; there are panthor, /],
    [["--device", "xe:bgm", "--", "true"], /no GPU of xe "bgm"; did you mean bmg\?/],
    [["--vram", "3", "--", "true"], /--vram: expected a multiple of 2MiB/],
    [["--report", "/nowhere/at/all.html", "--", "true"], /--report: \/nowhere\/at\/all.html/],
    [[], /COMMAND \[ARG\]\.\.\. is missing/],
  ])("%j", async (argv, reason) => {
    const { status, err } = await live(...argv);
    expect(status).toBe(2);
    expect(err).toMatch(reason);
  });
});

test("help behind -- is the command's", async () => {
  expect((await vmbind("live", "--help")).out).toMatch(/^Usage: vmbind live/);
  if (canRun) expect((await live("--", "sh", "-c", "exit 0", "--help")).out).toBe("");
});

test("without a compiler it says what to install", async () => {
  const { shimFile } = await import("@vmbind/live");
  await expect(shimFile("live", join(folder, "none"), "no-such-cc")).rejects.toThrow(/install gcc or clang/);
});

describe.skipIf(!canRun)("a command", () => {
  test.each([
    [["sh", "-c", "exit 7"], 7],
    [["sh", "-c", "kill -9 $$"], 137],
    [["/no/such/program"], 127],
    [["/dev/null/program"], 127],
    [["/dev/null"], 126],
  ])("%j ends with %i", async (command, expected) => {
    expect((await live("--", ...command)).status).toBe(expected);
  });

  test("that opens no GPU is told of", async () => {
    expect((await live("--", "true")).err).toMatch(/no program has opened a GPU; 32-bit programs/);
    const recorded = await vmbindIn(
      { cacheFolder: folder },
      "record",
      "--output",
      join(folder, "none.jsonl"),
      "--",
      "true",
    );
    expect(recorded).toMatchObject({ status: 0, out: "" });
    expect(recorded.err).toMatch(/nothing is recorded: no program made a DRM ioctl/);
    expect(existsSync(join(folder, "none.jsonl"))).toBe(false);
  });

  test("leaves a log and a recording, and says why there is no page", async () => {
    const trace = join(folder, "mine.jsonl");
    const report = join(folder, "mine.html");
    const argv = ["--log", "--check", "--lint", "--trace", trace, "--report", report];
    // A shell that opens the node: no ioctl, but a file that comes and goes.
    const { status, err } = await live(...argv, "--", "sh", "-c", "exec 3<>/dev/dri/renderD128; exec 3>&-");
    expect(status).toBe(0);
    expect(err).toMatch(/open = file 0\n/);
    expect(err).toMatch(/close of file 0\n/);
    expect(err).toMatch(/nothing was left to the end of a file\n/);
    expect(err).toMatch(/--report: there is no page: .*no ioctl in it/);
    expect(err).toMatch(/--lint: nothing was looked at: .*no ioctl in it/);
    const [header = "", end = ""] = readFileSync(trace, "utf8").split("\n");
    expect(JSON.parse(header)).toMatchObject({ format: "drm-ioctl-trace", driver: "xe", pci_id: "0xe20b" });
    expect(JSON.parse(end)).toMatchObject({ end: "complete", lines: 0 });
    expect(existsSync(report)).toBe(false);
  });
});
