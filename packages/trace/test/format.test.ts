import { readFileSync } from "node:fs";
import { gzipSync } from "node:zlib";
import { gunzip, InputError, readTrace, type Trace, type TraceRecord, writeTrace } from "@vmbind/trace";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { keeps } from "../../../test/json-schema.ts";
import { names, open, textOf } from "../../../test/recordings.ts";

const schema = JSON.parse(
  readFileSync(new URL("../schema/drm-ioctl-trace.schema.json", import.meta.url), "utf8"),
) as Record<string, unknown> & { $defs: Record<string, Record<string, unknown>> };

type Json = Record<string, unknown>;

function openText(text: string): Promise<Trace> {
  return readTrace("text.jsonl", () => gunzip(new TextEncoder().encode(text)));
}

function keepsPart(part: string, value: unknown): boolean {
  return keeps(value, schema.$defs[part] as Json, schema);
}

async function written(trace: Awaited<ReturnType<typeof open>>): Promise<string> {
  let text = "";
  for await (const line of writeTrace(trace.header, trace.records)) text += line;
  return text;
}

/** Recorders of other people write the first file's number, or the number in another place: the writer has one way. */
function withFileAsWritten(line: string): string {
  if (!line.includes('"file":')) return line;
  const { seq, file, ...rest } = JSON.parse(line) as Json;
  return JSON.stringify({ seq, ...(file === 0 ? {} : { file }), ...rest });
}

describe("every recording", () => {
  it.each(names)(
    "%s: read and written again has the same bytes but for the place of file numbers, and each line keeps the schema",
    async (name) => {
      const text = textOf(name);
      expect(await written(await open(name))).toBe(text.split("\n").map(withFileAsWritten).join("\n"));
      const [header, ...records] = text
        .trimEnd()
        .split("\n")
        .map((line) => JSON.parse(line) as Json);
      expect(keepsPart("header", header)).toBe(true);
      for (const record of records) expect(keepsPart("record", record), JSON.stringify(record)).toBe(true);
    },
  );
});

describe("a file number", () => {
  const header =
    '{"format":"drm-ioctl-trace","version":1,"driver":"d","uapi":"u","umd":"m","device":"x","workload":"w"}\n';
  const call = (seq: number, file: string) =>
    `{"seq":${seq},${file}"ioctl":"CLOSE","request":"0x40086409","arg_in":"0100000000000000","ptrs":[],"ret":0,"arg_out":"0100000000000000"}\n`;

  it("is kept, and written where it is not 0", async () => {
    const text = header + call(0, "") + call(1, '"file":1,');
    const trace = await openText(text);
    const files: number[] = [];
    for await (const record of trace.records) if (record.kind === "ioctl") files.push(record.file);
    expect(files).toEqual([0, 1]);
    expect(await written(await openText(text))).toBe(text);
    expect(await written(await openText(header + call(0, '"file":0,')))).toBe(header + call(0, ""));
  });
});

/** What a line cannot say of itself: sizes that follow from other members, and the order of lines. */
const OF_THE_WHOLE = /expected \d+ bytes in hex|seq: expected \d+, got \d+/;

/** Why the reader refuses a line behind a header, null when it does not. */
async function refusal(header: string, line: string): Promise<string | null> {
  try {
    const trace = await openText(`${header}\n${line}\n`);
    for await (const _ of trace.records);
    return null;
  } catch (error) {
    if (error instanceof InputError) return error.rule;
    throw error;
  }
}

describe("schema and reader agree on the structure of a line", () => {
  const lines = ["xe-igt-mixed-binds-3145728", "panthor-sparse-buffer-100e6"].flatMap((name) =>
    textOf(name).trimEnd().split("\n").slice(0, 60),
  );
  const header = lines[0] as string;
  const records = lines.filter((line) => !line.includes('"format"'));
  const junk = fc.oneof(
    fc.constantFrom<unknown>(
      null,
      "",
      "0x",
      "0xG",
      "0x1",
      "0x123456789",
      "0x0000000012345678",
      -1,
      0,
      1,
      0.5,
    ),
    fc.constantFrom<unknown>(
      2 ** 60,
      "exec",
      "bo",
      "null",
      "fault",
      [],
      [{}],
      {},
      true,
      "ABCD",
      "abcd",
      "abc",
    ),
    fc.constantFrom<unknown>({ va: "0x1", to: "null" }, { va: "0x1", to: "bo" }, [
      { va: "0x1", to: "fault" },
    ]),
  );

  /** Every place in a value: the members of objects and the elements of lists, at any depth. */
  function places(value: unknown, path: (string | number)[] = []): (string | number)[][] {
    if (typeof value !== "object" || value === null) return [];
    return Object.entries(value).flatMap(([key, inner]) => [
      [...path, key],
      ...places(inner, [...path, key]),
    ]);
  }

  /** A copy with a place overwritten; undefined takes it away. */
  function changed(value: unknown, path: readonly (string | number)[], by: unknown): unknown {
    const copy = structuredClone(value);
    let at = copy as Record<string | number, unknown>;
    for (const key of path.slice(0, -1)) at = at[key] as typeof at;
    const last = path.at(-1) as string | number;
    if (by !== undefined) at[last] = by;
    else if (Array.isArray(at)) at.splice(Number(last), 1);
    else delete at[last];
    return copy;
  }

  it("where a member is taken away or overwritten", async () => {
    const change = fc.tuple(fc.constantFrom(...records), fc.nat(), fc.option(junk, { nil: undefined }));
    await fc.assert(
      fc.asyncProperty(change, async ([line, where, by]) => {
        const value = JSON.parse(line) as Json;
        if (Object.hasOwn(value, "seq")) value["seq"] = 0;
        const all = places(value);
        const bent = changed(value, all[where % all.length] as (string | number)[], by);
        const rule = await refusal(header, JSON.stringify(bent));
        if (rule === null || !OF_THE_WHOLE.test(rule))
          expect([keepsPart("record", bent), rule]).toEqual([rule === null, rule]);
        else if (!keepsPart("record", bent)) expect(rule).toMatch(OF_THE_WHOLE);
      }),
      { numRuns: 600 },
    );
  });

  it("where a member of the header is", async () => {
    const value = JSON.parse(header) as Json;
    for (const name of ["format", "version", "driver", "uapi", "umd", "device", "workload"]) {
      for (const by of [undefined, 2, "other", null]) {
        const bent = changed(value, [name], by);
        const reads = await openText(`${JSON.stringify(bent)}\n`).then(
          () => true,
          () => false,
        );
        expect([name, by, keepsPart("header", bent)]).toEqual([name, by, reads]);
      }
    }
  });
});

describe("gzip without zlib", () => {
  const text = textOf("panthor-sparse-buffer-100e6");

  async function read(bytes: Uint8Array): Promise<TraceRecord[]> {
    const trace = await readTrace("some.gz", () => gunzip(new Uint8Array(bytes)));
    const records: TraceRecord[] = [];
    for await (const record of trace.records) records.push(record);
    return records;
  }

  it("reads plain and compressed alike", async () => {
    const plain = await read(Buffer.from(text));
    expect(plain.length).toBeGreaterThan(30);
    expect(await read(gzipSync(text))).toEqual(plain);
  });

  it("is one line with the name where the bytes are not intact", async () => {
    const zipped = gzipSync(text);
    for (const bytes of [
      zipped.subarray(0, zipped.length - 20),
      Buffer.concat([zipped.subarray(0, 40), zipped]),
    ]) {
      await expect(read(bytes)).rejects.toThrow(/^some\.gz:\d+: (gzip: |not )/);
    }
  });
});
