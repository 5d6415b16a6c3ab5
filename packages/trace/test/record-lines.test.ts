/** A line read from its bytes is what JSON makes of it. */

import { eachRecord, InputError, readTrace, type TraceRecord } from "@vmbind/trace";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { open, recordsOf, textOf } from "../../../test/recordings.ts";

const NAMES = [
  "xe-igt-mixed-binds-3145728",
  "panthor-sparse-buffer-100e6",
  "asahi-image-unbound",
  "amdgpu-buffer-1526",
];

/** A header, and lines of recordings as if each stood first behind it. */
const [header] = textOf(NAMES[0] as string).split("\n");
const lines = NAMES.flatMap((name) =>
  textOf(name)
    .trimEnd()
    .split("\n")
    .slice(1, 80)
    .filter((line) => line.length < 4000)
    .map((line) => line.replace(/^\{"seq":\d+/, '{"seq":0')),
);

/** The record that stands on a line, or why there is none. */
async function recordOf(line: Uint8Array): Promise<TraceRecord | string> {
  const bytes = Buffer.concat([Buffer.from(`${header}\n`), line, Buffer.from("\n")]);
  async function* source(): AsyncGenerator<Uint8Array> {
    yield bytes;
  }
  try {
    const trace = await readTrace("text", source);
    for await (const record of trace.records) return record;
    return "nothing";
  } catch (error) {
    if (error instanceof InputError) return error.rule;
    throw error;
  }
}

/** With a blank at its end no line is as recorders write it: JSON reads it. */
async function agree(line: Uint8Array): Promise<TraceRecord | string> {
  const record = await recordOf(line);
  const byJson = await recordOf(Buffer.concat([line, Buffer.from(" ")]));
  // What is no JSON is so at another place now.
  if (typeof byJson === "string" && byJson.startsWith("not JSON")) expect(record).toMatch(/^not JSON/);
  else expect(record).toEqual(byJson);
  return record;
}

const digits = fc.oneof(
  fc.nat(300).map(String),
  fc.constantFrom(
    "00",
    "01",
    "-0",
    "-5",
    "1e1",
    "1.0",
    "",
    "9007199254740991",
    "9007199254740993",
    "0999999999999999",
  ),
  fc.array(fc.constantFrom(..."0123456789"), { maxLength: 18 }).map((chosen) => chosen.join("")),
);
const hex = fc
  .array(fc.constantFrom(..."0123456789abcdefAg"), { maxLength: 18 })
  .map((chosen) => chosen.join(""));
const text = fc.oneof(
  fc.string({ maxLength: 20 }),
  fc.string({ maxLength: 20, unit: "binary" }),
  fc.constantFrom('a"b', "\\u0041", "\\n", "\u007f", "x".repeat(255), "x".repeat(256), "x".repeat(257)),
);

/** A call as recorders write it, with members of any kind. */
const written = fc
  .record({
    seq: fc.oneof({ weight: 8, arbitrary: fc.constant("0") }, digits),
    file: fc.oneof(
      fc.constant(""),
      digits.map((number) => `,"file":${number}`),
    ),
    before: fc.boolean(),
    name: text,
    request: fc.oneof({ weight: 4, arbitrary: fc.constant("c0086445") }, hex),
    argIn: fc.oneof({ weight: 6, arbitrary: fc.constant("00112233445566ff") }, hex),
    argOut: fc.oneof({ weight: 6, arbitrary: fc.constantFrom("00112233445566ff", "00112233445566fe") }, hex),
    arrays: fc.array(
      fc.record({
        field: text,
        addr: hex,
        count: digits,
        stride: digits,
        data: fc.oneof(
          hex,
          fc.nat(40).map((n) => "5a".repeat(n)),
        ),
      }),
      { maxLength: 3 },
    ),
    end: fc.constantFrom("", "", "", ","),
    ret: fc.oneof({ weight: 4, arbitrary: fc.constantFrom("0", "-22") }, digits),
  })
  .map((call) => {
    const arrays = call.arrays.map(
      ({ field, addr, count, stride, data }) =>
        `{"field":"${field}","addr":"0x${addr}","count":${count},"stride":${stride},"data":"${data}"}`,
    );
    const [front, behind] = call.before ? [call.file, ""] : ["", call.file];
    return `{"seq":${call.seq}${front},"ioctl":"${call.name}"${behind},"request":"0x${call.request}","arg_in":"${call.argIn}","ptrs":[${arrays.join(",")}${call.end}],"ret":${call.ret},"arg_out":"${call.argOut}"}`;
  });

const to = fc.oneof(
  { weight: 4, arbitrary: fc.constantFrom('"null"', '"scratch"', '"fault"') },
  {
    weight: 4,
    arbitrary: fc.tuple(digits, hex).map(([seq, at]) => `"bo","gem_seq":${seq},"offset":"0x${at}"`),
  },
  fc.constant('"bo"'),
  text.map((word) => `"${word}"`),
);
const value = fc.oneof({ weight: 4, arbitrary: fc.constantFrom("c0ffee", "0", "301a0048") }, hex);

/** A job as recorders write it, with members of any kind. */
const job = fc
  .record({
    mark: fc.oneof({ weight: 8, arbitrary: fc.constant("exec") }, text),
    vm: digits,
    va: value,
    to,
    stores: fc.array(fc.record({ va: value, value, to }), { maxLength: 3 }),
    end: fc.constantFrom("", "", "", ","),
  })
  .map(({ mark, vm, va, to: place, stores, end }) => {
    const list = stores.map((store) => `{"va":"0x${store.va}","value":"0x${store.value}","to":${store.to}}`);
    return `{"mark":"${mark}","vm":${vm},"batch":{"va":"0x${va}","to":${place}},"stores":[${list.join(",")}${end}]}`;
  });

describe("a line read from its bytes is what JSON makes of it", () => {
  it("as recorded", async () => {
    for (const line of lines) expect(typeof (await agree(Buffer.from(line))), line).toBe("object");
  });

  it("where bytes are put in, taken out or others", async () => {
    const change = fc.record({
      line: fc.constantFrom(...lines),
      at: fc.nat(),
      away: fc.nat(3),
      by: fc.oneof(fc.constantFrom(...',"}]{[:0 \\x-'), fc.string({ maxLength: 3, unit: "binary" })),
    });
    await fc.assert(
      fc.asyncProperty(change, async ({ line, at, away, by }) => {
        const bytes = Buffer.from(line);
        const from = at % bytes.length;
        await agree(Buffer.concat([bytes.subarray(0, from), Buffer.from(by), bytes.subarray(from + away)]));
      }),
      { numRuns: 1500 },
    );
  });

  it.each([
    ["a call", written],
    ["a job", job],
  ])("whatever a recorder writes for the members of %s", async (_, of) => {
    let read = 0;
    await fc.assert(
      fc.asyncProperty(of, async (line) => {
        if (typeof (await agree(Buffer.from(line.replace(/\n/g, "")))) === "object") read++;
      }),
      { numRuns: 1500 },
    );
    expect(read).toBeGreaterThan(50);
  });

  it.each(['"ptrs":[{', '"stores":[{'])("where it is cut: %s", async (part) => {
    const line = lines.find((one) => one.includes(part)) as string;
    for (let length = 0; length < line.length; length++) await agree(Buffer.from(line.slice(0, length)));
  });
});

describe("a record that passes", () => {
  it.each(NAMES)("holds what a kept one does, while it is there: %s", async (name) => {
    const passed: TraceRecord[] = [];
    const { records } = await open(name);
    await eachRecord(records, (record) => passed.push(structuredClone(record)), "passing");
    expect(passed).toEqual(await recordsOf(name));
  });

  it("may have an array that is longer than the room for all", async () => {
    const data = "0123456789abcdef".repeat(10_000);
    const ioctl = `{"seq":0,"ioctl":"X","request":"0x80006480","arg_in":"","ptrs":[${[data.slice(64), data]
      .map(
        (text, i) =>
          `{"field":"a${i}","addr":"0x${i}","count":${text.length / 2},"stride":1,"data":"${text}"}`,
      )
      .join()}],"ret":0,"arg_out":""}`;
    async function* source(): AsyncGenerator<Uint8Array> {
      yield Buffer.from(`${header}\n${ioctl}\n`);
    }
    const { records } = await readTrace("text", source);
    const arrays: string[] = [];
    await eachRecord(
      records,
      (record) => {
        if (record.kind !== "ioctl") return;
        for (const array of record.arrays) arrays.push(Buffer.from(array.data).toString("hex"));
      },
      "passing",
    );
    expect(arrays).toEqual([data.slice(64), data]);
  });
});
