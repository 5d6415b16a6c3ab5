import { describe, expect, it } from "vitest";
import type { LintFinding, LintResult } from "../../../packages/trace/src/index.ts";
import { textOf } from "../../../test/recordings.ts";
import { lintRulesPage } from "../src/lint/rules-page.ts";
import { tempFile, vmbind } from "./run.ts";

/** `vitest -u` writes it anew. */
it("docs/lint-rules.md is made from the rules", async () => {
  await expect(lintRulesPage()).toMatchFileSnapshot("../../../docs/lint-rules.md");
});

const STREAM = "panthor-sparse-buffer-stream";

interface Line {
  seq?: number;
  mark?: string;
  ioctl?: string;
  arg_in: string;
  ptrs: { field: string; data: string }[];
}

/** A recording, bent by hand: its ioctls are counted anew. */
function bent(name: string, bend: (lines: Line[]) => void): string {
  const [header, ...rest] = textOf(name).trimEnd().split("\n");
  const lines: Line[] = rest.map((line) => JSON.parse(line));
  bend(lines);
  let seq = 0;
  for (const line of lines) if (line.seq !== undefined) line.seq = seq++;
  const text = [header, ...lines.map((line) => JSON.stringify(line))].join("\n");
  return tempFile(`${name}.jsonl`, `${text}\n`);
}

async function findings(path: string): Promise<{ status: number; found: readonly LintFinding[] }> {
  const { status, out, err } = await vmbind("lint", "--json", path);
  expect(err).toBe("");
  const { findings: found }: LintResult = JSON.parse(out);
  return { status, found };
}

/** A member of 8 bytes of an operation of panthor's. */
function member(line: Line, op: number, at: number): { get(): number; set(value: number): void } {
  const ops = line.ptrs[0] as { data: string };
  const from = 2 * (48 * op + at);
  return {
    get: () => Number(Buffer.from(ops.data.slice(from, from + 16), "hex").readBigUInt64LE()),
    set: (value) => {
      const bytes = Buffer.alloc(8);
      bytes.writeBigUInt64LE(BigInt(value));
      ops.data = ops.data.slice(0, from) + bytes.toString("hex") + ops.data.slice(from + 16);
    },
  };
}

const BO_OFFSET = 8;
const VA = 16;

function call(lines: readonly Line[], seq: number): Line {
  return lines.find((line) => line.seq === seq) as Line;
}

describe("lint", () => {
  it("finds a page that is bound twice, and names both operations", async () => {
    const path = bent(STREAM, (lines) => {
      member(call(lines, 19), 10, BO_OFFSET).set(member(call(lines, 19), 1, BO_OFFSET).get());
    });
    const { status, found } = await findings(path);
    expect(status).toBe(1);
    const [first] = found.filter(({ severity }) => severity === "error");
    expect(first).toMatchObject({ rule: "page-bound-twice", at: { seq: 19, op: 10 } });
    expect(first?.related?.[0]?.at).toMatchObject({ seq: 19, op: 1 });
    expect(first?.place).toMatch(/^buffer#1 \+ 0x/);
  });

  it.each([140, 141, 151])(
    "finds that the UNMAP of #%i is gone: the range is left when the VM goes",
    async (seq) => {
      const path = bent(STREAM, (lines) => void lines.splice(lines.indexOf(call(lines, seq)), 1));
      const { status, found } = await findings(path);
      expect(status).toBe(1);
      expect(found.filter(({ severity }) => severity === "error").map(({ rule }) => rule)).toEqual([
        "leak-at-destroy",
      ]);
    },
  );

  it("finds that an UNMAP is gone whose addresses are given out again", async () => {
    const name = "panthor-sparse-many-small";
    const path = bent(name, (lines) => void lines.splice(lines.indexOf(call(lines, 317)), 1));
    const { status, found } = await findings(path);
    expect(status).toBe(1);
    expect(found.find(({ severity }) => severity === "error")).toMatchObject({ rule: "mapped-over" });
  });

  it("finds a GEM_CLOSE that came too early, and folds all that fails after it", async () => {
    const path = bent(STREAM, (lines) => {
      const [close] = lines.splice(lines.indexOf(call(lines, 142)), 1);
      lines.splice(lines.indexOf(call(lines, 13)), 0, close as Line);
    });
    const { status, found } = await findings(path);
    expect(status).toBe(1);
    expect(found).toHaveLength(1);
    expect(found[0]).toMatchObject({ rule: "use-after-close", at: { seq: 13, ioctl: "GEM_CLOSE" } });
    expect(found[0]?.consequences["refused-call"]).toBeGreaterThan(100);
  });

  it("finds a bind of a tile that is a page off", async () => {
    const path = bent("panthor-sparse-image-window", (lines) => {
      const va = member(call(lines, 48), 3, VA);
      va.set(va.get() + 4096);
    });
    const { status, found } = await findings(path);
    expect(status).toBe(1);
    const [first] = found.filter(({ severity }) => severity === "error");
    expect(first).toMatchObject({ rule: "misaligned-bind", at: { seq: 48, op: 3 } });
  });

  it("finds a bind of pages that is a page off, by the unbind that was meant for it", async () => {
    const path = bent(STREAM, (lines) => {
      const va = member(call(lines, 20), 0, VA);
      va.set(va.get() + 4096);
    });
    const { status, found } = await findings(path);
    expect(status).toBe(1);
    const errors = found.filter(({ severity }) => severity === "error");
    expect(errors.map(({ rule }) => rule)).toEqual(["unbind-misses-bind"]);
    expect(errors[0]?.related?.[0]?.at).toMatchObject({ seq: 20, op: 0 });
  });

  it("of two binds that share the page at their edge names the one that does not fit the tiles", async () => {
    const path = bent("panthor-sparse-image-3d", (lines) => {
      const offset = member(call(lines, 32), 11, BO_OFFSET);
      offset.set(offset.get() + 4096);
    });
    const { found } = await findings(path);
    const [first] = found.filter(({ severity }) => severity === "error");
    expect(first).toMatchObject({ rule: "page-bound-twice", at: { seq: 32, op: 11 } });
    expect(first?.related?.[0]?.at).toMatchObject({ seq: 32, op: 12 });
    expect(first?.advice).toMatch(/probably a page off/);
  });

  it("finds a bind that reaches beyond its object, and one beyond its resource", async () => {
    const object = await findings(
      bent(STREAM, (lines) => member(call(lines, 14), 1, BO_OFFSET).set(0x3fff000)),
    );
    expect(object.found[0]).toMatchObject({ rule: "bind-outside-object", at: { seq: 14, op: 1 } });
    const resource = await findings(
      bent(STREAM, (lines) => member(call(lines, 14), 1, VA).set(0x7fffbfffe000)),
    );
    expect(resource.found.map(({ rule }) => rule)).toContain("bind-outside-resource");
  });

  it("says in text where, why and what to do, in 80 columns, the answer last", async () => {
    const { status, out } = await vmbind("lint", "asahi-buffer-100e6");
    expect(status).toBe(1);
    const lines = out.trimEnd().split("\n");
    expect(lines[0]).toBe("asahi-buffer-100e6: buffer-100e6 (mesa 26.2.6 hk, Apple M1 (G13G B1))");
    expect(lines[1]).toMatch(/^ {2}error view-left-behind: #30 ASAHI_VM_BIND, resource#1, second view$/);
    expect(out).toContain("\n    do: ");
    expect(lines.at(-1)).toMatch(/^1 error, \d notes in 41 ioctls with \d+ operations/);
  });

  it("has no error of a public recording of panthor, and of one that is clean nothing to say", async () => {
    const { status, out } = await vmbind("lint", "panthor-sparse-buffer-100e6");
    expect(status).toBe(0);
    expect(out.trimEnd().split("\n").at(-1)).toMatch(/^nothing found in 25 ioctls/);
  });

  it("prints SARIF with rules, lines and places", async () => {
    const { status, out } = await vmbind(
      "lint",
      "--sarif",
      "asahi-buffer-100e6",
      "panthor-sparse-buffer-100e6",
    );
    expect(status).toBe(1);
    const { version, runs } = JSON.parse(out);
    expect(version).toBe("2.1.0");
    const [{ tool, results, artifacts }] = runs;
    expect(artifacts).toHaveLength(2);
    expect(tool.driver.rules.length).toBeGreaterThan(12);
    for (const { ruleId, ruleIndex, locations } of results) {
      expect(tool.driver.rules[ruleIndex].id).toBe(ruleId);
      expect(locations[0].physicalLocation.region.startLine).toBeGreaterThan(1);
    }
  });

  it("asks one rule only, and knows its names", async () => {
    const { status, out } = await vmbind("lint", "--rule", "second-view", "asahi-buffer-100e6");
    expect(status).toBe(0);
    expect(out).not.toContain("view-left-behind");
    const wrong = await vmbind("lint", "--rule", "second-veiw", "asahi-buffer-100e6");
    expect(wrong.status).toBe(2);
    expect(wrong.err).toContain("did you mean second-view?");
  });

  it("ends with 2 where a trace cannot be read", async () => {
    const { status, err } = await vmbind("lint", tempFile("no-trace.jsonl", "{}\n"));
    expect(status).toBe(2);
    expect(err).toMatch(/^vmbind lint: .*header\.format/);
  });

  it("tells a TLB invalidation for each page, and a window that is mapped over and over", async () => {
    const path = tempFile("per-page.jsonl", "");
    const lowered = ["unbound", "--size", "1MiB", "--strategy", "panthor-per-page", "--trace", path];
    expect((await vmbind("lower", ...lowered)).status).toBe(0);
    const { status, found } = await findings(path);
    expect(status).toBe(0);
    expect(found.map(({ rule }) => rule).sort()).toEqual(["filler-by-repetition", "invalidation-per-page"]);
  });

  it("says nothing of what is left in a trace that just stops", async () => {
    const path = bent(STREAM, (lines) => void lines.splice(lines.indexOf(call(lines, 100))));
    const { status, out, err } = await vmbind("lint", path);
    expect({ status, err }).toMatchObject({ status: 0, err: expect.stringContaining("has no end line") });
    expect(out).not.toContain("leak-at-destroy");
  });

  it("of a call that was refused tells the operation, and folds what is missing for it", async () => {
    const path = bent(STREAM, (lines) => {
      const va = member(call(lines, 20), 9, VA);
      va.set(va.get() + 0x800);
    });
    const { status, found } = await findings(path);
    expect(status).toBe(1);
    const errors = found.filter(({ severity }) => severity === "error");
    expect(errors).toMatchObject([{ rule: "refused-call", at: { seq: 20, op: 9 } }]);
    expect(errors[0]?.text).toMatch(/ops\[9\]\.va: 0x[0-9a-f]+ is not a multiple of 4096/);
    expect(errors[0]?.consequences["page-bound-twice"]).toBeGreaterThan(0);
  });
});
