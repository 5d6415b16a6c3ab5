import { randomBytes } from "node:crypto";
import { gzipSync } from "node:zlib";
import { InputError, type JsonLine, type JsonlLimits, readJsonLines } from "@vmbind/trace";
import { describe, expect, it } from "vitest";
import { fileBytes, fileSource } from "../src/files/file-bytes.ts";
import { tempFile } from "./run.ts";

async function readAll(path: string, limits?: JsonlLimits): Promise<JsonLine[]> {
  const lines: JsonLine[] = [];
  for await (const line of readJsonLines(path, fileBytes(path), limits)) lines.push(line);
  return lines;
}

async function refusal(path: string, limits?: JsonlLimits): Promise<string> {
  const error = await readAll(path, limits).then(
    () => null,
    (e: unknown) => e,
  );
  expect(error).toBeInstanceOf(InputError);
  const { message } = error as InputError;
  expect(message.split("\n")).toHaveLength(1);
  expect(message.startsWith(path)).toBe(true);
  return message.slice(path.length);
}

const text = Array.from({ length: 5000 }, (_, i) => `{"n":${i},"pad":"${"x".repeat(i % 97)}"}\n`).join("");

describe("reading", () => {
  it.each([
    ["plain", "plain.jsonl", Buffer.from(text)],
    ["gzip", "zipped.jsonl.gz", gzipSync(text)],
    ["gzip without its extension", "zipped.jsonl", gzipSync(text)],
    ["without the last line end", "open.jsonl", Buffer.from(text.trimEnd())],
  ])("%s", async (_, name, bytes) => {
    const lines = await readAll(tempFile(name, bytes));
    expect(lines).toHaveLength(5000);
    expect(lines.every(({ line, value }, i) => line === i + 1 && value["n"] === i)).toBe(true);
  });

  it("a line longer than a chunk of the stream", async () => {
    const long = "y".repeat(300_000);
    const [only] = await readAll(tempFile("long.jsonl", `{"s":"${long}"}\n`));
    expect(only?.value["s"]).toBe(long);
  });

  it("stops early without leaving the file open", async () => {
    const path = tempFile("early.jsonl.gz", gzipSync(text));
    for await (const { line } of readJsonLines(path, fileBytes(path))) if (line === 3) break;
    expect(await readAll(path)).toHaveLength(5000);
  });
});

describe("reading a file from its beginning more than once", () => {
  async function bytesOf(source: () => AsyncIterable<Uint8Array>): Promise<Buffer> {
    const pieces: Uint8Array[] = [];
    for await (const piece of source()) pieces.push(piece);
    return Buffer.concat(pieces);
  }

  const large = Buffer.from(text.repeat(24));

  it.each([
    ["plain", Buffer.from(text), Buffer.from(text)],
    ["packed", gzipSync(text), Buffer.from(text)],
    ["packed in two members", Buffer.concat([gzipSync(text), gzipSync(text)]), Buffer.from(text + text)],
    ["too large to be held", large, large],
    ["small until it is unpacked", gzipSync(large), large],
    ["of no bytes", Buffer.alloc(0), Buffer.alloc(0)],
  ])("%s", async (_, stored, expected) => {
    expect(large.length).toBeGreaterThan(4 * 2 ** 20);
    const source = fileSource(tempFile("again.jsonl", stored));
    for (let time = 0; time < 3; time++) expect((await bytesOf(source)).equals(expected)).toBe(true);
  });

  it("gives what can be unpacked of a damaged one, each time, before it says what is wrong", async () => {
    const whole = gzipSync(randomBytes(300_000).toString("hex"));
    const source = fileSource(tempFile("damaged.jsonl.gz", whole.subarray(0, 200_000)));
    for (let time = 0; time < 2; time++) {
      let bytes = 0;
      const reading = (async () => {
        for await (const piece of source()) bytes += piece.length;
      })();
      await expect(reading).rejects.toThrow(/^gzip: /);
      expect(bytes).toBeGreaterThan(100_000);
    }
  });
});

describe("a bad file is one line with file, line and rule", () => {
  const noise = gzipSync(
    Array.from({ length: 2000 }, () => `{"r":"${randomBytes(30).toString("hex")}"}\n`).join(""),
  );

  it("missing, a directory, empty", async () => {
    expect(await refusal("/nonexistent/file.jsonl")).toMatch(/^: cannot be read: ENOENT/);
    expect(await refusal("/tmp")).toMatch(/^: cannot be read: EISDIR/);
    expect(await refusal(tempFile("empty.jsonl", ""))).toBe(":1: header: the file is empty");
  });

  it("truncated gzip", async () => {
    expect(await refusal(tempFile("cut.gz", noise.subarray(0, noise.length - 20)))).toMatch(
      /^:\d+: gzip: unexpected end of file$/,
    );
  });

  it("one flipped bit in gzip", async () => {
    for (const at of [12, noise.length >> 1, noise.length - 6]) {
      const flipped = Buffer.from(noise);
      flipped[at] = (flipped[at] as number) ^ 0x10;
      expect(await refusal(tempFile("flip.gz", flipped))).toMatch(/^:\d+: (gzip: |not )/);
    }
  });

  it("a gzip bomb of one line, and one of many lines", async () => {
    const line = tempFile("line-bomb.gz", gzipSync(Buffer.alloc(2 ** 24, 0x20)));
    expect(await refusal(line, { lineBytes: 2 ** 20 })).toMatch(/^:1: longer than 1048576 bytes$/);
    const file = tempFile("file-bomb.gz", gzipSync("{}\n".repeat(2 ** 20)));
    expect(await refusal(file, { fileBytes: 2 ** 20 })).toMatch(
      /^:\d+: more than 1048576 bytes of uncompressed text; --budget bytes=N allows more$/,
    );
  });

  it("not JSON, not an object, not UTF-8, an empty line", async () => {
    expect(await refusal(tempFile("a.jsonl", '{}\n{"a":\n'))).toMatch(/^:2: not JSON: /);
    expect(await refusal(tempFile("b.jsonl", "{}\n[1]\n"))).toBe(":2: not a JSON object");
    expect(await refusal(tempFile("c.jsonl", Buffer.from([0x7b, 0xff, 0x7d, 10])))).toBe(
      ":1: not valid UTF-8",
    );
    expect(await refusal(tempFile("d.jsonl", "{}\n\n{}\n"))).toBe(":2: not JSON: an empty line");
  });
});
