import { describe, expect, it } from "vitest";
import { parseArguments } from "../src/arguments.ts";
import { COMMANDS } from "../src/commands.ts";
import { vmbind } from "./run.ts";

describe("help", () => {
  it("lists every command on standard output, exit 0", async () => {
    const { status, out, err } = await vmbind("--help");
    expect(status).toBe(0);
    expect(err).toBe("");
    for (const command of COMMANDS) expect(out).toContain(`  ${command.name}`);
    expect((await vmbind("help")).out).toBe(out);
  });

  it.each(COMMANDS.map((c) => c.name))("of %s names its options and exit statuses", async (name) => {
    const { status, out } = await vmbind(name, "--help");
    expect(status).toBe(0);
    const command = COMMANDS.find((c) => c.name === name);
    for (const option of Object.keys(command?.options ?? {})) expect(out).toContain(`--${option}`);
    expect(out).toMatch(/Exit status:\n {2}0 .+\n {2}1 .+\n {2}2 .+\n.*\n {2}3 .+\n$/);
    expect((await vmbind("help", name)).out).toBe(out);
  });

  it("fits in 80 columns and has no control characters in a pipe", async () => {
    for (const command of COMMANDS) {
      const { out } = await vmbind(command.name, "--help");
      for (const line of out.split("\n")) expect(line.length).toBeLessThanOrEqual(80);
      expect(out).not.toContain("\x1b");
    }
  });
});

describe("the help of every command", () => {
  it.each(COMMANDS.map((c) => c.name))("of %s has examples, and no name left to fill in", async (name) => {
    const { out } = await vmbind(name, "--help");
    expect(out).toMatch(new RegExp(`Examples:\n {2}.*vmbind ${name}`));
    expect(out).not.toMatch(/\{\w+\}/);
  });

  it("shows examples that parse", async () => {
    for (const command of COMMANDS) {
      for (const { line } of command.examples) {
        // Behind a pipe, in front of a redirection, without quotes: what vmbind itself is given.
        const [, words = ""] = new RegExp(`vmbind ${command.name} ?([^|>)]*)`).exec(line) ?? [];
        expect(() => parseArguments(command, words.split(" ").filter(Boolean)), line).not.toThrow();
      }
    }
  });
});

describe("wrong usage is exit 2 with one line and the usage", () => {
  it.each([
    [["frobnicate"], /no command "frobnicate"/],
    [["verify"], /FILE\.\.\. is missing/],
    [["lwoer"], /no command "lwoer"; did you mean lower\?/],
    [["comp"], /no command "comp"; did you mean compare\?/],
    [["--halp"], /no option "--halp"; did you mean --help\?/],
    [["--json", "compare"], /--json stands behind the name of a command/],
    [["help", "swep"], /no command "swep"; did you mean sweep\?/],
    [["replay", "--chekc", "x"], /no option "--chekc"; did you mean --check\?/],
    [
      ["compare", "--strategy", "panthor-spares"],
      /no strategy "panthor-spares"; did you mean panthor-sparse\?/,
    ],
    [["compare", "--workload", "bufer-100e6"], /no workload "bufer-100e6"; did you mean buffer-100e6\?/],
    [["lower", "widnow", "--strategy", "xe-null"], /no workload "widnow"; did you mean window\?/],
    [["micro", "gpuv"], /no area "gpuv"; did you mean gpuvm\?/],
    [["completion", "bsh"], /no shell "bsh"; did you mean bash\?/],
    [["replay", "--budget", "ioctl=1", "x"], /--budget: .* did you mean ioctls=1\?/],
    [["compare", "extra"], /unexpected operand "extra"/],
    [["replay", "--jsn", "x"], /no option "--jsn"/],
    [["explain", "--seq"], /^vmbind explain: --seq: a value is missing$/m],
    [
      ["explain", "--seq", "-1", "x"],
      /^vmbind explain: --seq: a value that begins with - is written as --seq=-1$/m,
    ],
    [["replay", "--json=1", "x"], /^vmbind replay: --json: takes no value$/m],
    [["diff", "x"], /^vmbind diff: B is missing$/m],
    [["lint", "--rule", "zzz", "x"], /there are use-after-close, .* and [0-9]+ more$/m],
  ])("%j", async (argv, message) => {
    const { status, out, err } = await vmbind(...argv);
    expect(status).toBe(2);
    expect(out).toBe("");
    expect(err).toMatch(message);
    expect(err.split("\n").length).toBeLessThanOrEqual(3);
  });

  it("no command at all prints the help to standard error", async () => {
    const { status, out, err } = await vmbind();
    expect(status).toBe(2);
    expect(out).toBe("");
    expect(err).toContain("Usage: vmbind");
  });
});

it("--version prints a version", async () => {
  const { status, out } = await vmbind("--version");
  expect(status).toBe(0);
  expect(out).toMatch(/^\d+\.\d+\.\d+\n$/);
});
