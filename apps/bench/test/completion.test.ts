import { spawnSync } from "node:child_process";
import { describe, expect, it } from "vitest";
import { COMMANDS } from "../src/commands.ts";
import { SHELLS } from "../src/names.ts";
import { tempFile, vmbind } from "./run.ts";

const has = (shell: string): boolean => spawnSync(shell, ["-c", "true"]).status === 0;

/** What bash offers for a line that ends where the cursor is. */
async function bash(line: string): Promise<string[]> {
  const { out } = await vmbind("completion", "bash");
  // As readline would cut it: = is a word of its own.
  const words = line.split(/ |(?==)|(?<==)/);
  const quoted = words.map((word) => `'${word}'`).join(" ");
  const script = `${out}\nCOMP_WORDS=(${quoted}); COMP_CWORD=${words.length - 1}; _vmbind; printf '%s\\n' "\${COMPREPLY[@]}"`;
  const { stdout, stderr } = spawnSync("bash", ["--norc", "-c", script], { encoding: "utf8" });
  expect(stderr).toBe("");
  return stdout.split("\n").filter(Boolean);
}

describe("completion", () => {
  it.each(SHELLS)("for %s names every command and every option", async (shell) => {
    const { status, out } = await vmbind("completion", shell);
    expect(status).toBe(0);
    for (const { name, options } of COMMANDS) {
      expect(out).toContain(name);
      for (const option of Object.keys(options))
        expect(out).toContain(shell === "fish" ? `-l ${option} ` : `--${option}`);
    }
  });

  it.each(SHELLS)("for %s is a script that the shell reads", async (shell) => {
    if (!has(shell)) return;
    const { out } = await vmbind("completion", shell);
    const { status, stderr } = spawnSync(shell, ["-n", tempFile(`completion.${shell}`, out)], {
      encoding: "utf8",
    });
    expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
  });
});

describe.runIf(has("bash"))("bash", () => {
  it.each([
    ["vmbind com", ["compare", "completion"]],
    ["vmbind help sw", ["sweep"]],
    ["vmbind compare --wo", ["--workload"]],
    ["vmbind compare --strategy xe", ["xe-null"]],
    ["vmbind compare --strategy=xe", ["xe-null"]],
    ["vmbind replay --json panthor-sparse-image-3", ["panthor-sparse-image-3d"]],
    ["vmbind fuzz --driver a", ["asahi", "amdgpu"]],
    ["vmbind completion ", ["bash", "zsh", "fish"]],
    ["vmbind replay --budget io", ["ioctls="]],
    ["vmbind compare --size ", []],
  ])("offers behind %j", async (line, words) => {
    expect(await bash(line)).toEqual(words);
  });

  it("offers files where a file can stand", async () => {
    expect(await bash("vmbind verify package.jso")).toEqual(["package.json"]);
    expect(await bash("vmbind compare --report=package.jso")).toEqual(["package.json"]);
  });
});

describe.runIf(has("fish"))("fish", () => {
  it("offers commands, options and names", async () => {
    const { out } = await vmbind("completion", "fish");
    const ask = (line: string): string[] => {
      const script = `${out}\ncomplete -C '${line}'`;
      const { stdout } = spawnSync("fish", ["--no-config", "-c", script], { encoding: "utf8" });
      return stdout.split("\n").flatMap((row) => row.split("\t")[0] || []);
    };
    expect(ask("vmbind com")).toEqual(["compare", "completion"]);
    expect(ask("vmbind sweep --mar")).toEqual(["--markdown"]);
    expect(ask("vmbind compare --strategy xe")).toEqual(["xe-null"]);
  });
});
