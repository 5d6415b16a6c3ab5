import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { type FileEnd, gunzip, type NewDigest, readBody, readTrace, Seal, writeTrace } from "@vmbind/trace";
import { describe, expect, it } from "vitest";
import { keeps } from "../../../test/json-schema.ts";
import { names, open, textOf } from "../../../test/recordings.ts";

const sha256: NewDigest = () => createHash("sha256");

async function sealed(name: string): Promise<string> {
  const trace = await open(name);
  let text = "";
  for await (const line of writeTrace(trace.header, trace.records, sha256)) text += line;
  return text;
}

/** Reads a trace to its end; how it ended and how many records it had. */
async function ending(
  text: string,
  digest?: NewDigest,
): Promise<{ end: FileEnd | undefined; records: number }> {
  let end: FileEnd | undefined;
  const atEnd = { ...(digest && { digest }), ended: (how: FileEnd) => (end = how) };
  const source = () => gunzip(new TextEncoder().encode(text));
  const trace = await readTrace("t.jsonl", source, undefined, atEnd);
  let records = 0;
  for await (const _ of trace.records) records++;
  return { end, records };
}

describe("an end line", async () => {
  const name = names[0] as string;
  const text = await sealed(name);
  const lines = text.trimEnd().split("\n");
  const last = lines.at(-1) as string;

  it("is written and found in order, and the records are those of before", async () => {
    expect(lines).toHaveLength(textOf(name).trimEnd().split("\n").length + 1);
    expect(await ending(text, sha256)).toEqual({ end: "complete", records: lines.length - 2 });
    const schema = JSON.parse(
      readFileSync(new URL("../schema/drm-ioctl-trace.schema.json", import.meta.url), "utf8"),
    );
    for (const line of lines) expect(keeps(JSON.parse(line), schema, schema)).toBe(true);
    expect(keeps({ end: "complete", lines: 1 }, schema.$defs.end, schema)).toBe(false);
  });

  it("is of the bytes before it, as sha256sum finds them", () => {
    const before = text.slice(0, -last.length - 1);
    expect(JSON.parse(last)).toEqual({
      end: "complete",
      lines: lines.length - 2,
      sha256: createHash("sha256").update(before).digest("hex"),
    });
  });

  it("comes back byte by byte when the trace is read and written again", async () => {
    const trace = await readTrace("t.jsonl", () => gunzip(new TextEncoder().encode(text)));
    let again = "";
    for await (const line of writeTrace(trace.header, trace.records, sha256)) again += line;
    expect(again).toBe(text);
    const { header, records } = await readTrace("t.jsonl", () => gunzip(new TextEncoder().encode(text)));
    let without = "";
    for await (const line of writeTrace(header, records)) without += line;
    expect(without).toBe(textOf(name));
  });

  it("is not asked of traces of before, and whoever reads one is told", async () => {
    const before = textOf(name).trimEnd().split("\n");
    const { length } = before;
    expect(await ending(before.slice(0, -1).join("\n"), sha256)).toEqual({
      end: "open",
      records: length - 2,
    });
    // The recorders of Mesa's drivers set a mark at the end.
    expect(before.at(-1)).toBe('{"mark":"end"}');
    expect(await ending(before.join("\n"), sha256)).toEqual({ end: "complete", records: length - 1 });
  });

  it("may say that the trace is cut", async () => {
    const seal = new Seal(sha256());
    const some = lines.slice(0, 5).map((line) => seal.add(`${line}\n`));
    expect(await ending(some.join("") + seal.end("cut"), sha256)).toEqual({ end: "cut", records: 4 });
  });

  const wrong: [string, string, RegExp][] = [
    [
      "cut where a line ends",
      `${lines.slice(0, -2).join("\n")}\n`,
      /^t.jsonl: header.sealed: .* cut behind line/,
    ],
    ["without its end line", `${lines.slice(0, -1).join("\n")}\n`, /^t.jsonl: header.sealed: /],
    ["without a line", lines.toSpliced(-2, 1).join("\n"), /:\d+: lines: says \d+, but \d+ stand/],
    [
      "with a digit changed",
      text.replace('"arg_in":"0', '"arg_in":"1'),
      /:\d+: sha256: is not that of the bytes/,
    ],
    ["with something behind it", `${text}{"mark":"late"}\n`, /:\d+: stands behind the end line/],
    ["with two ends", text + last, /:\d+: stands behind the end line/],
    [
      "with an unknown end",
      text.replace('"end":"complete"', '"end":"so"'),
      /: end: expected "complete" or "cut"/,
    ],
    ["with a member more", text.replace('"end":"complete"', '"end":"complete","x":1'), /: x: is no member/],
    ["without a digest", text.replace(/,"sha256":"[0-9a-f]+"/, ""), /: sha256: expected 64 digits of hex/],
    [
      "with half a promise",
      text.replace('"sealed":true', '"sealed":1'),
      /^t.jsonl:1: header.sealed: expected true/,
    ],
  ];
  it.each(wrong)("%s: refused", async (_, bent, rule) => {
    await expect(ending(bent, sha256)).rejects.toThrow(rule);
  });

  it("is missed also by who does not ask how the text ended", async () => {
    const source = () => gunzip(new TextEncoder().encode(`${lines.slice(0, -1).join("\n")}\n`));
    const read = async (): Promise<void> => {
      for await (const _ of readBody("t.jsonl", source));
    };
    await expect(read()).rejects.toThrow(/^t.jsonl: header.sealed: /);
  });

  it("is held against the lines alone where there is no digest", async () => {
    const bent = text.replace('"arg_in":"0', '"arg_in":"1');
    expect((await ending(bent)).end).toBe("complete");
    await expect(ending(lines.toSpliced(-2, 1).join("\n"))).rejects.toThrow(/lines: says/);
  });
});
