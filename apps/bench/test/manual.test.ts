import { spawnSync } from "node:child_process";
import { describe, expect, it } from "vitest";
import { COMMANDS } from "../src/commands.ts";
import { commandsPage } from "../src/manual/markdown.ts";
import { manualPage } from "../src/manual/roff.ts";

/** `vitest -u` writes it anew. */
it("docs/commands.md is made from the table of commands", async () => {
  await expect(await commandsPage()).toMatchFileSnapshot("../../../docs/commands.md");
});

describe("the man page", () => {
  it("has every command and option, and nothing left to fill in", async () => {
    const page = await manualPage("1.2.3");
    for (const { name, options } of COMMANDS) {
      expect(page).toContain(`.SS "vmbind ${name} `);
      for (const option of Object.keys(options))
        expect(page).toContain(`\\-\\-${option.replaceAll("-", "\\-")}`);
    }
    expect(page).not.toMatch(/\{\w+\}/);
    expect(page).toContain("vmbind 1.2.3");
  });

  it.runIf(spawnSync("groff", ["--version"]).status === 0)("is set without a warning", async () => {
    const { status, stdout, stderr } = spawnSync("groff", ["-man", "-Tutf8", "-ww"], {
      input: await manualPage("1.2.3"),
      encoding: "utf8",
    });
    expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
    expect(stdout.replace(/.[\b]/g, "")).toContain("EXIT STATUS");
  });
});
