/** What a text may ask of its reader, and what is said when it asks for more. */
import { readFileSync } from "node:fs";
import { gunzipSync } from "node:zlib";
import { type Budgets, parseJson, readTrace, replay, TRACE_BUDGETS } from "@vmbind/trace";
import { describe, expect, it } from "vitest";
import { lens } from "../../panthor/src/trace.ts";

const lines = gunzipSync(
  readFileSync(new URL("../../../apps/bench/traces/panthor-sparse-buffer-100e6.jsonl.gz", import.meta.url)),
)
  .toString()
  .trimEnd()
  .split("\n");

async function errorOf(text: readonly string[], budgets?: Budgets): Promise<string> {
  async function* source(): AsyncGenerator<Uint8Array> {
    yield new TextEncoder().encode(`${text.join("\n")}\n`);
  }
  try {
    const trace = await readTrace("t", source, budgets);
    await replay(trace, lens);
    return "";
  } catch (error) {
    return (error as Error).message;
  }
}

const json = (text: string): unknown => parseJson("f", 3, new TextEncoder().encode(text));

describe("JSON", () => {
  it("is 64 levels deep at most, however deep strings look", () => {
    const nest = (depth: number): string => "[".repeat(depth) + "]".repeat(depth);
    expect(json(nest(64))).toHaveLength(1);
    expect(() => json(nest(65))).toThrow("f:3: nested deeper than 64");
    expect(() => json('{"a":'.repeat(1e6))).toThrow("f:3: nested deeper than 64");
    expect(json(JSON.stringify(["[".repeat(100), '\\"[[{'.repeat(100)]))).toHaveLength(2);
    for (let length = 0; length < 70; length++) {
      const text = "x".repeat(length);
      for (const odd of ["", '"', "\\", '\\"', "\n"]) {
        expect(json(JSON.stringify([text + odd, `${text}${odd}${"[".repeat(65)}`]))).toHaveLength(2);
      }
    }
  });

  it("has 4194304 values at most", () => {
    expect(() => json(`[${"0,".repeat(2 ** 22)}0]`)).toThrow("f:3: more than 4194304 values in one text");
  });

  it("that is none is an error on one line, of a text of several lines with its line", () => {
    expect(() => json('{"a": bad}')).toThrow(/^f:3: not JSON: .+$/);
    expect(() => parseJson("f", 0, new TextEncoder().encode('{\n"name": bad\n}\n'))).toThrow(
      /^f(:2)?: not JSON: [^\n]+$/,
    );
    expect(() => parseJson("f", 3, Uint8Array.of(0x22, 0xff, 0x22))).toThrow("f:3: not valid UTF-8");
  });
});

describe("a trace asks for more than its budget", () => {
  const first = lines.findIndex((line) => line.startsWith('{"seq":0'));
  const withFile = (file: number): string[] =>
    lines.with(first, (lines[first] as string).replace('"seq":0', `"seq":0,"file":${file}`));

  it.each([1024, 2 ** 53 - 1])("open files: %d", async (file) => {
    expect(await errorOf(withFile(file))).toBe(
      `t:${first + 1}: file: more than 1024 open device files, counted to the highest number; --budget files=N allows more`,
    );
  });

  it("and no more is opened than asked for, when told", async () => {
    expect(await errorOf(withFile(1))).toBe("");
    expect(await errorOf(withFile(1), new Map([["files", 1]]))).toMatch(
      /^t:\d+: file: more than 1 open device files/,
    );
  });

  it.each([
    ["ioctls", 5],
    ["marks", 2],
    ["bytes", 500],
  ] as const)("%s: the message names it", async (name, most) => {
    expect(await errorOf(lines, new Map([[name, most]]))).toMatch(
      new RegExp(`^t:\\d+: more than ${most} .+; --budget ${name}=N allows more$`),
    );
    expect(await errorOf(lines)).toBe("");
  });

  it("marks at the standard amount, without holding them", async () => {
    const marks = Array.from({ length: TRACE_BUDGETS.marks.standard + 1 }, () => '{"mark":"a"}');
    expect(await errorOf([lines[0] as string, ...marks])).toMatch(/--budget marks=N/);
  });
});

it("a trace without an ioctl is an error: nothing was asked of the model", async () => {
  expect(await errorOf(lines.slice(0, 1))).toBe(
    "t: no ioctl in it: the trace is empty, or cut behind its header",
  );
  expect(await errorOf([lines[0] as string, '{"mark":"a"}'])).toMatch(/no ioctl in it/);
});

it.each(["constructor", "__proto__", "toString"])(
  "%s is no fact of a header and no member of a record",
  async (name) => {
    const header = lines[0] as string;
    expect(await errorOf([header.replace('"va_bits"', `"${name}"`), ...lines.slice(1)])).toMatch(
      /va_bits: is missing/,
    );
    expect(await errorOf([...lines, `{"mark":"${name} 1"}`])).toBe("");
    expect(await errorOf([header, `{"${name}":1}`])).toMatch(
      /^t:2: request: expected lower-case hex with 0x, 16 digits at most, got nothing$/,
    );
  },
);
