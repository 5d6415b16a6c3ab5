import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { gunzipSync, gzipSync } from "node:zlib";
import { InputError, Seal } from "@vmbind/trace";
import { describe, expect, it } from "vitest";
import { type VerifyResult, verifyFile } from "../src/commands/verify.ts";
import { failureOf, ModelError } from "../src/errors.ts";
import { forEachInput } from "../src/files/inputs.ts";
import type { FormatCheck } from "../src/files/vector-checks.ts";
import type { Io } from "../src/io.ts";
import { saveFile } from "../src/output/whole-file.ts";
import { tempFile, vmbind } from "./run.ts";

const steps = gunzipSync(
  readFileSync(new URL("../../../packages/gpuvm-core/test/vectors/steps.jsonl.gz", import.meta.url)),
).toString();
const [header, ...cases] = steps.trimEnd().split("\n") as [string, ...string[]];
const few = cases.slice(0, 40);

function file(name: string, lines: readonly string[]): string {
  return tempFile(name, gzipSync(`${[header, ...lines].join("\n")}\n`));
}

/** Case 7 with something changed. */
function broken(change: (testCase: Record<string, unknown>) => void): string[] {
  const testCase = JSON.parse(few[7] as string) as Record<string, unknown>;
  change(testCase);
  return few.with(7, JSON.stringify(testCase));
}

describe("verify", () => {
  it("passes real vectors, one line per file", async () => {
    const path = file("good.jsonl.gz", few);
    const { status, out } = await vmbind("verify", path, path);
    expect(status).toBe(0);
    expect(out).toBe(`${path}: 40 passed, 0 failed\n`.repeat(2));
  });

  it("names the profile of quirks that a driver's model had", async () => {
    const path = fileURLToPath(new URL("../../../packages/asahi/test/vectors/tlbi.jsonl", import.meta.url));
    const { out } = await vmbind("verify", path);
    expect(out).toMatch(/ passed, 0 failed \(quirks of linux-7\.3\)\n$/);
    const { out: json } = await vmbind("verify", "--json", path);
    expect(JSON.parse(json)).toMatchObject({ format: "asahi-tlbi", quirks: "linux-7.3", failed: 0 });
  });

  it("fails a vector whose result was changed, and names the case and the field", async () => {
    const id = (JSON.parse(few[7] as string) as { id: string }).id;
    const path = file(
      "changed.jsonl.gz",
      broken((c) => {
        const final = c["final"] as { range: string }[];
        (final[0] as { range: string }).range = "0xbad000";
      }),
    );
    const { status, out } = await vmbind("verify", path);
    expect(status).toBe(1);
    expect(out).toContain(`${path}: 39 passed, 1 failed\n`);
    expect(out).toMatch(new RegExp(`first mismatch: case ${id}, line 9\n +field +final\\[0\\]`));
    expect(out).toMatch(/expected +.*(0xbad000|12242944)/);
  });

  it("fails a vector whose errno was changed", async () => {
    const path = file(
      "errno.jsonl.gz",
      broken((c) => {
        ((c["ops"] as { ret: number }[])[0] as { ret: number }).ret = -22;
      }),
    );
    const { status, out } = await vmbind("verify", path);
    expect(status).toBe(1);
    expect(out).toMatch(/field +ops\[0\]\.ret.*\n +expected +-22\n +got +0/);
  });

  it("--json gives one object per file", async () => {
    const path = file("json.jsonl.gz", few);
    const { out } = await vmbind("verify", "--json", path);
    expect(JSON.parse(out) as VerifyResult).toEqual({
      file: path,
      format: "gpuvm-steps",
      passed: 40,
      failed: 0,
      firstMismatch: null,
    });
  });

  it("malformed files are exit 2 with file, line and rule, and the others still run", async () => {
    const unknown = tempFile("unknown.jsonl", `${header.replace("gpuvm-steps", "gpuvm-stairs")}\n`);
    const headless = tempFile("headless.jsonl", `${few[0]}\n`);
    const badHex = file(
      "hex.jsonl.gz",
      broken((c) => {
        (c["vm"] as { range: unknown }).range = "4096";
      }),
    );
    const good = file("also-good.jsonl.gz", few);
    const { status, out, err } = await vmbind("verify", unknown, headless, badHex, good);
    expect(status).toBe(2);
    expect(err.trimEnd().split("\n")).toEqual([
      expect.stringContaining(`${unknown}:1: header.format: no check for "gpuvm-stairs"`),
      expect.stringContaining(`${headless}:1: header.format: `),
      expect.stringContaining(`${badHex}:9: `),
      expect.stringContaining(`warning: ${good}: has no end line`),
    ]);
    expect(out).toBe(`${good}: 40 passed, 0 failed\n`);
  });

  it("tells a model that breaks down from a file that is broken, and the other files still run", async () => {
    const path = file("breaks.jsonl.gz", few);
    const breaking: FormatCheck = {
      check: (testCase) => {
        if (testCase["id"] === JSON.parse(few[3] as string).id) throw new TypeError("x is undefined");
        return null;
      },
    };
    const thrown = await verifyFile(path, new Map([["gpuvm-steps", breaking]])).catch((e: unknown) => e);
    expect(thrown).toBeInstanceOf(ModelError);
    expect(failureOf(thrown)).toMatchObject({
      status: 3,
      message: expect.stringMatching(
        /breaks.jsonl.gz:5: case .*gpuvm-steps: internal error, please report it: TypeError: x is/,
      ),
    });
    const ran: string[] = [];
    let err = "";
    const world: Io = {
      out: () => {},
      err: (text) => {
        err += text;
      },
      flush: () => {},
      save: saveFile,
      outIsTerminal: false,
      errIsTerminal: false,
    };
    const operands = [path, file("next.jsonl.gz", few)];
    const status = await forEachInput({ operands, division: { kind: "whole" } }, "verify", world, {
      cut: async () => ({ pieces: 1, work: 1 }),
      run: async (input) => {
        ran.push(input);
        if (input === path) throw thrown;
        throw new InputError(input, 1, "broken");
      },
      join: () => null,
      show: () => true,
    });
    expect([status, ran.length, err.split("\n").length]).toEqual([3, 2, 3]);
  });

  it("runs a case that names a recording once, however often it stands in its file, and counts each line", async () => {
    const cases = ["xe-buffer-100e6", "xe-buffer-stream", "xe-buffer-100e6", "xe-buffer-100e6"];
    const named = tempFile(
      "named.jsonl",
      `${[header, ...cases.map((trace) => JSON.stringify({ trace }))].join("\n")}\n`,
    );
    const ran: unknown[] = [];
    const traces: FormatCheck = {
      traces: {
        shape: () => null,
        check: ({ trace }, _header, records) => {
          ran.push([trace, records.length > 0]);
          return trace === "xe-buffer-stream" ? null : { field: "steps", expected: 1, got: 2 };
        },
      },
    };
    expect(await verifyFile(named, new Map([["gpuvm-steps", traces]]))).toMatchObject({
      passed: 1,
      failed: 3,
      firstMismatch: { line: 2, field: "steps" },
    });
    expect(ran).toEqual([
      ["xe-buffer-100e6", true],
      ["xe-buffer-stream", true],
    ]);
  });

  it("holds a file to the number of cases that its header states", async () => {
    for (const [cases, status] of [
      [few.length, 0],
      [few.length + 1, 2],
    ] as const) {
      const stated = `${header.slice(0, -1)},"cases":${cases}}`;
      const path = tempFile("stated.jsonl", [stated, ...few].map((line) => `${line}\n`).join(""));
      const { status: got, err } = await vmbind("verify", path);
      expect(got).toBe(status);
      if (status === 2) expect(err).toContain(`header.cases: says ${cases}, and there are ${few.length}`);
    }
  });

  describe("an end line", () => {
    const seal = new Seal(createHash("sha256"));
    const whole = [`${header.slice(0, -1)},"sealed":true}`, ...few].map((line) => seal.add(`${line}\n`));
    const end = seal.end();

    it("is found in order, and without one there is a warning and no other status", async () => {
      const path = tempFile("sealed.jsonl", whole.join("") + end);
      expect(await vmbind("verify", path)).toMatchObject({
        status: 0,
        out: `${path}: 40 passed, 0 failed\n`,
        err: "",
      });
      const open = file("open.jsonl.gz", few);
      const { status, err } = await vmbind("verify", open);
      expect(status).toBe(0);
      expect(err).toMatch(/^vmbind verify: warning: .*open\.jsonl\.gz: has no end line.*\n$/);
    });

    it("makes a file that is cut where a line ends a broken file", async () => {
      for (const kept of [1, 20, 40, 41]) {
        const { status, out, err } = await vmbind(
          "verify",
          tempFile("cut.jsonl", whole.slice(0, kept).join("")),
        );
        expect([status, out]).toEqual([2, ""]);
        expect(err).toMatch(/^vmbind verify: .*header\.sealed: .*cut behind line \d+\n$/);
      }
    });

    it("makes a file that somebody changed a broken file", async () => {
      const other = whole.with(9, (whole[9] as string).replace(/"id":"/, '"id":"x'));
      const { status, err } = await vmbind("verify", tempFile("changed.jsonl", other.join("") + end));
      expect(status).toBe(2);
      expect(err).toMatch(/:42: sha256: is not that of the bytes before this line\n$/);
    });

    it("says when there is more than the file has", async () => {
      const cut = new Seal(createHash("sha256"));
      const text = whole.slice(0, 4).map((line) => cut.add(line));
      const { status, err } = await vmbind("verify", tempFile("says.jsonl", text.join("") + cut.end("cut")));
      expect(status).toBe(0);
      expect(err).toMatch(/warning: .*says of itself that it is cut/);
    });
  });

  it("refuses a header of another version, or with members that the format does not know", async () => {
    for (const [bent, rule] of [
      [header.replace('"version": 1', '"version": 2'), "header.version: expected 1, got 2"],
      [header.replace('"version": 1, ', ""), "header.version: is missing"],
      [
        header.replace('"version": 1', '"version": 1, "edition": 3'),
        "header.edition: there is no such member",
      ],
      [header.replace('"gpuvm-steps"', '""'), "header.format: is empty"],
      [
        header.replace('"version": 1', '"version": 1, "cases": 0'),
        "header.cases: expected at least 1, got 0",
      ],
    ] as const) {
      expect(bent).not.toBe(header);
      const { status, err } = await vmbind("verify", tempFile("header.jsonl", [bent, ...few].join("\n")));
      expect(status).toBe(2);
      expect(err).toContain(`:1: ${rule}\n`);
    }
  });

  it("takes other members of a header that are texts for remarks", async () => {
    const remarked = header.replace('"version": 1', '"version": 1, "seed": "7", "set": "held back"');
    expect(remarked).not.toBe(header);
    const { status, out } = await vmbind(
      "verify",
      tempFile("header.jsonl", [remarked, ...few, ""].join("\n")),
    );
    expect(status).toBe(0);
    expect(out).toContain(`${few.length} passed, 0 failed`);
  });
});
