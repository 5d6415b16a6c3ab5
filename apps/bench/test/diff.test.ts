import { describe, expect, it } from "vitest";
import type { TraceDiff } from "../../../packages/trace/src/index.ts";
import { textOf } from "../../../test/recordings.ts";
import { tempFile, vmbind } from "./run.ts";

const STREAM = "panthor-sparse-buffer-stream";

interface Line {
  seq?: number;
  ptrs: { data: string }[];
}

/** The recording, bent by hand: its ioctls are counted anew. */
function bent(bend: (lines: Line[]) => void): string {
  const [header, ...rest] = textOf(STREAM).trimEnd().split("\n");
  const lines: Line[] = rest.map((line) => JSON.parse(line));
  bend(lines);
  let seq = 0;
  for (const line of lines) if (line.seq !== undefined) line.seq = seq++;
  return tempFile("bent.jsonl", `${[header, ...lines.map((line) => JSON.stringify(line))].join("\n")}\n`);
}

/** Adds to the address of an operation. */
function shift(lines: readonly Line[], seq: number, op: number, bytes: number): void {
  const array = lines.find((line) => line.seq === seq)?.ptrs[0] as { data: string };
  const at = 2 * (48 * op + 16);
  const va = Buffer.from(array.data.slice(at, at + 16), "hex");
  va.writeBigUInt64LE(va.readBigUInt64LE() + BigInt(bytes));
  array.data = array.data.slice(0, at) + va.toString("hex") + array.data.slice(at + 16);
}

describe("diff", () => {
  it.each([
    [STREAM, "panthor-blackhole-buffer-stream"],
    [STREAM, "nouveau-buffer-stream"],
    ["panthor-sparse-many-small", "msm-many-small"],
  ])("%s and %s ask for the same, at other addresses and in other words", async (a, b) => {
    const { status, out } = await vmbind("diff", a, b);
    expect(out).toMatch(/\nno difference in \d+ things( about resources)?\n$/);
    expect(status).toBe(0);
  });

  it("tells a bind that is elsewhere, and where the state differs first", async () => {
    const path = bent((lines) => shift(lines, 104, 9, 4096));
    const { status, out } = await vmbind("diff", STREAM, path);
    expect(status).toBe(1);
    expect(out.split("\n").slice(1)).toEqual([
      "  elsewhere",
      "    A #104 op 9 binds BO 6 + 0x1299000 at resource#1 + 0x77c3000, 32 KiB",
      "    B #104 op 9 binds BO 6 + 0x1299000 at resource#1 + 0x77c4000, 32 KiB",
      "  first difference in state: resource#1 + 0x77c3000",
      "    A after #105: BO 6 + 0x1299000",
      "    B after #105: nothing bound",
      "1 difference in 2014 things: 1 elsewhere",
      "",
    ]);
  });

  it("tells what is missing in the second, and what is new", async () => {
    const path = bent((lines) => {
      const i = lines.findIndex((line) => line.seq === 140);
      lines.splice(i, 1);
    });
    const missing = await vmbind("diff", STREAM, path);
    expect(missing.status).toBe(1);
    expect(missing.out).toContain("  missing\n    A #140 destroys resource#1, 1 GiB\n");
    const { out } = await vmbind("diff", "--json", path, STREAM);
    const { changes, state }: TraceDiff = JSON.parse(out);
    expect(changes).toMatchObject([{ kind: "new", a: null, b: { step: "destroy", seq: 140 } }]);
    expect(state).toBeNull();
  });

  it("ends with 2 where one cannot be read, or both are standard input", async () => {
    expect(await vmbind("diff", STREAM, tempFile("no.jsonl", "{}\n"))).toMatchObject({ status: 2, out: "" });
    expect((await vmbind("diff", "-", "-")).err).toMatch(/only one of A and B can be -/);
  });
});
