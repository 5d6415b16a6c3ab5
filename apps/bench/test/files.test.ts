/** Files of the wrong kind, of odd content, and what commands say of them. */
import { readFileSync } from "node:fs";
import { gunzipSync } from "node:zlib";
import { visibleLines } from "@vmbind/trace";
import { describe, expect, it } from "vitest";
import { Html } from "../src/report/html.ts";
import { renderPage } from "../src/report/page.ts";
import { renderTable } from "../src/text/table.ts";
import { tempFile, vmbind } from "./run.ts";

const bundled = (name: string): string =>
  gunzipSync(readFileSync(new URL(`../traces/${name}.jsonl.gz`, import.meta.url))).toString();

const workload = (parametric: object): string =>
  tempFile(
    "w.json",
    JSON.stringify({ format: "vmbind-workload", version: 1, name: "w", parametric }, null, 1),
  );

describe("a file of another kind is said to be one, with the command for it", () => {
  const trace = tempFile("t.jsonl", bundled("xe-buffer-100e6"));
  const vectors = tempFile("v.jsonl", '{"format":"gpuvm-steps","version":1,"source":"a test"}\n{"id":"a"}\n');
  const some = workload({});
  it.each([
    [["replay", vectors], "these are conformance vectors: `vmbind verify`"],
    [["replay", some], "this is a workload: `vmbind lower`, `vmbind compare --workload`"],
    [["explain", some], "this is a workload"],
    [["explore", vectors, "--output", "/dev/null"], "these are conformance vectors"],
    [["verify", trace], "this is a trace: `vmbind replay`, `vmbind explain`, `vmbind explore`"],
    [["verify", some], "this is a workload"],
    [["compare", "--workload", vectors], "these are conformance vectors"],
    [["merge", trace], "this is a trace"],
    [["merge", tempFile("s.json", '{"format":"vmbind-sweep","version":1}')], "this is a sweep"],
    [
      ["verify", tempFile("p.jsonl", '{"format":"vmbind-shard","version":1}\n')],
      "this is a shard: `vmbind merge`",
    ],
  ])("%j", async (argv, message) => {
    const { status, out, err } = await vmbind(...argv);
    expect(status).toBe(2);
    expect(out).toBe("");
    expect(err).toContain(`: ${message}`);
    expect(err.split("\n")).toHaveLength(2);
  });
});

describe("names from outside are looked up in tables only", () => {
  it.each(["constructor", "__proto__", "toString", "valueOf", "hasOwnProperty"])("%s", async (name) => {
    const header = { format: "drm-ioctl-trace", version: 1, uapi: "", umd: "", device: "", workload: "" };
    const path = tempFile("name.jsonl", `${JSON.stringify({ ...header, driver: name })}\n`);
    expect((await vmbind("replay", path)).err).toContain(`header.driver: no model of "${name}"`);
    expect(await vmbind("micro", name)).toMatchObject({ status: 2 });
    expect(await vmbind("fuzz", "--driver", name)).toMatchObject({ status: 2 });
    expect(await vmbind("lower", name, "--strategy", "xe-null")).toMatchObject({ status: 2 });
    expect(await vmbind("lower", "unbound", "--strategy", name)).toMatchObject({ status: 2 });
  });
});

it("an array is found by its address, whatever the recording calls it", async () => {
  const text = bundled("asahi-image-unbound");
  const renamed = tempFile("renamed.jsonl", text.replaceAll('"field":"userptr"', '"field":"x"'));
  const original = tempFile("original.jsonl", text);
  for (const command of [["explain", "--ops"], ["replay"]]) {
    const [name = "", ...options] = command;
    const a = await vmbind(name, original, ...options);
    const b = await vmbind(name, renamed, ...options);
    expect(b.out.replaceAll("renamed", "original")).toBe(a.out);
    expect(b.status).toBe(a.status);
  }
});

describe("what a file says", () => {
  const evil = "\u001b[2J\u202e\u009b\r\nsecond | line <b>`x`[a](b)";

  it("drives no terminal and forges no line", async () => {
    const lines = bundled("xe-buffer-100e6").split("\n");
    const header = { ...JSON.parse(lines[0] as string), workload: evil };
    const text = [JSON.stringify(header), JSON.stringify({ mark: evil }), ...lines.slice(1)].join("\n");
    const path = tempFile("evil.jsonl", text);
    for (const command of [
      ["replay", path],
      ["replay", "--json", path],
      ["explain", path],
    ]) {
      const { status, out, err } = await vmbind(...command);
      expect({ status, err }).toEqual({ status: 0, err: "" });
      expect(out).toBe(visibleLines(out));
      expect(out).toContain("\\u202e");
      if (command[0] === "explain") expect(out).toMatch(/^-- \\u001b\[2J\\u202e\\u009b\\r\\nsecond/m);
    }
  });

  it("is no markup in Markdown and keeps its cell in CSV", () => {
    const table = { columns: ["a"], rows: [[evil]] };
    expect(renderTable(table, "markdown").split("\n")).toHaveLength(4);
    expect(renderTable(table, "markdown")).toContain("second \\| line &lt;b&gt;\\`x\\`\\[a\\](b) |");
    expect(renderTable(table).split("\n")).toHaveLength(3);
  });

  it("in arguments is said in one line of at most 300 characters", async () => {
    for (const argv of [
      ["replay", `no\nfile${"x".repeat(1e5)}`],
      ["verify", "a\u001b[31m"],
      ["\nfrob"],
      ["replay", "--\nx"],
    ]) {
      const { status, err } = await vmbind(...argv);
      expect(status).toBe(2);
      for (const line of err.split("\n")) expect(line.length).toBeLessThanOrEqual(300);
      expect(err).not.toContain("\u001b");
      expect(err.split("\n").length).toBeLessThanOrEqual(3);
    }
  });
});

describe("a workload that asks for more than its budget", () => {
  it.each([
    [{ size: 2 ** 40 - 1, bound: 1, tile: 4096 }, "binds"],
    [{ resources: 10_000, size: 2 ** 30 }, "binds"],
    [{ resources: 4096, order: "window", size: 2 ** 30 }, "binds"],
    [{ order: "random", size: 2 ** 40 - 1, tile: 4096, bound: 1e-6 }, "binds"],
    [{ resources: 10_000, size: 2 ** 22, bound: 0 }, "operations"],
  ])("%j is refused before anything is made, naming %s", async (parametric, budget) => {
    const path = workload(parametric);
    const started = process.cpuUsage();
    const { status, out, err } = await vmbind("lower", path, "--strategy", "panthor-per-page");
    expect({ status, out }).toEqual({ status: 2, out: "" });
    expect(err).toMatch(
      new RegExp(`^vmbind lower: .+: more than 262144 .+; --budget ${budget}=N allows more\n$`),
    );
    expect(process.cpuUsage(started).user).toBeLessThan(2e6);
    const compared = await vmbind("compare", "--workload", path, "--strategy", "panthor-per-page");
    expect(`${compared.err}${compared.out}`).toContain(`--budget ${budget}=N allows more`);
  });

  it("runs when told, or is refused when told less", async () => {
    const path = workload({ size: 2 ** 22, bound: 1, tile: 2 ** 16 });
    const argv = ["lower", path, "--strategy", "panthor-sparse"];
    expect((await vmbind(...argv, "--budget", "binds=64")).status).toBe(0);
    expect((await vmbind(...argv, "--budget", "binds=63")).err).toContain("more than 63 binds");
    for (const wrong of ["binds", "binds=", "binds=-1", "marks=1", "x=1"]) {
      expect(await vmbind(...argv, "--budget", wrong)).toMatchObject({ status: 2, out: "" });
    }
  });
});

describe("vectors", () => {
  const header = { format: "gpuvm-steps", version: 1, source: "a test" };
  const verify = (...cases: string[]) =>
    vmbind("verify", tempFile("v.jsonl", [JSON.stringify(header), ...cases].join("\n")));

  it("without a case are no success", async () => {
    expect(await verify()).toMatchObject({ status: 2, out: "" });
    expect((await verify()).err).toMatch(/: no case in it/);
  });

  it.each(["{}", '{"id":"a","vm":7}', '{"id":"a","vm":{"start":"0x0","range":"0x1000"},"ops":3}'])(
    "that are not of the format are a broken file, and nobody blames the model: %s",
    async (testCase) => {
      const { status, out, err } = await verify(testCase);
      expect({ status, out }).toEqual({ status: 2, out: "" });
      expect(err).not.toContain("threw");
    },
  );

  it("of another version are refused", async () => {
    const path = tempFile("v2.jsonl", `${JSON.stringify({ ...header, version: 2 })}\n{}\n`);
    expect((await vmbind("verify", path)).err).toMatch(/:1: header\.version: /);
  });
});

it("a page runs its own script and loads nothing", async () => {
  const page = await renderPage({ title: "t", lead: "l", body: new Html("b"), data: {}, script: "report" });
  const policy = /http-equiv="Content-Security-Policy" content="([^"]+)"/
    .exec(page)?.[1]
    ?.replaceAll("&#39;", "'");
  expect(policy).toMatch(
    /^default-src 'none'; script-src 'sha256-[A-Za-z0-9+/]{43}='; style-src 'unsafe-inline'; img-src data:; /,
  );
});
