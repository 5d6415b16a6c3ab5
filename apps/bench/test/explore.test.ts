import { readFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { gunzipSync } from "node:zlib";
import { describe, expect, it } from "vitest";
import { inChromium } from "../../../test/chromium.ts";
import { RECORDINGS, textOf } from "../../../test/recordings.ts";
import { tempFolder } from "../../../test/temp.ts";
import { tempFile, vmbind } from "./run.ts";

const TRACE = "xe-igt-bind-array-conflict";

/** The trace that a page carries. */
function carried(page: string): { name: string; bytes: Buffer } {
  const [, name = "", base64 = ""] =
    /<script type="text\/plain" id="trace" data-name="([^"]*)">([^<]*)<\/script>/.exec(page) ?? [];
  return { name, bytes: Buffer.from(base64, "base64") };
}

async function explored(...argv: string[]): Promise<{ status: number; page: string }> {
  const path = join(tempFolder(), "page.html");
  const { status } = await vmbind("explore", ...argv, "--output", path);
  return { status, page: readFileSync(path, "utf8") };
}

describe("the page of a trace", () => {
  it("carries a compressed trace byte for byte", async () => {
    const { status, page } = await explored(TRACE);
    expect(status).toBe(0);
    const { name, bytes } = carried(page);
    expect(name).toBe(TRACE);
    expect(bytes.equals(readFileSync(new URL(`${TRACE}.jsonl.gz`, RECORDINGS)))).toBe(true);
    expect(page).toContain(`<title>${TRACE}</title>`);
  });

  it("carries a plain trace compressed, in the same bytes each time", async () => {
    const path = tempFile("plain.jsonl", textOf(TRACE));
    const first = await explored(path);
    const second = await explored(path);
    expect(gunzipSync(carried(first.page).bytes).toString()).toBe(textOf(TRACE));
    expect(carried(first.page).name).toBe("plain");
    expect(second.page).toBe(first.page);
  });

  it("may run its own script, and nothing that lies beside it", async () => {
    const { page } = await explored(TRACE);
    const policy = /http-equiv="Content-Security-Policy" content="([^"]+)"/.exec(page)?.[1] ?? "";
    expect(policy).toMatch(
      /^default-src 'none'; script-src 'sha256-[A-Za-z0-9+/]{43}='; worker-src blob:; style-src 'unsafe-inline'; /,
    );
    expect(policy).not.toContain("'self'");
  });

  it("is refused where it cannot be written, and for what is no trace", async () => {
    const { status, err } = await vmbind("explore", TRACE, "--output", join(tempFile("x", ""), "y"));
    expect(status).toBe(2);
    expect(err).toContain("--output:");
    expect((await vmbind("explore", "no-such-trace")).status).toBe(2);
  });
});

inChromium("the page of a trace in Chromium", (browser) => {
  it("shows its trace from a file, alone", async () => {
    const { page } = await explored(TRACE);
    const tab = await browser().newPage({ viewport: { width: 390, height: 844 } });
    tab.setDefaultTimeout(60_000);
    const complaints: string[] = [];
    tab.on("console", (message) => complaints.push(message.text()));
    tab.on("pageerror", ({ message }) => complaints.push(message));
    await tab.goto(pathToFileURL(tempFile("alone.html", page)).href);
    await tab.getByRole("heading", { level: 1, name: TRACE }).waitFor();
    await tab.getByRole("slider", { name: /^address space/ }).waitFor();
    expect(await tab.getByLabel("Recording").count()).toBe(0);
    // What would need a script beside the page is not offered.
    expect(await tab.getByRole("link", { name: "Write", exact: true }).count()).toBe(0);
    expect(await tab.evaluate(() => document.documentElement.scrollWidth)).toBe(390);
    expect(complaints).toEqual([]);
  });
});
