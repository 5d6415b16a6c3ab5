/** Brief commands, which run in the thread of the process as far as their files are short. */
import { readFileSync } from "node:fs";
import { gunzipSync, gzipSync } from "node:zlib";
import { describe, expect, it } from "vitest";
import type { Stretch } from "../src/command.ts";
import { NotBrief } from "../src/errors.ts";
import { main } from "../src/main.ts";
import { type Outcome, tempFile, vmbind } from "./run.ts";

const BROKEN = tempFile("broken.jsonl", "not a trace\n");
const NOTHING = tempFile("nothing.jsonl", "");

/** A recording with so much white space in it that it is not read at one go. */
const LONG = tempFile("long.jsonl.gz", gzipSync(spaced(recording("xe-buffer-100e6"))));

function recording(name: string): string {
  return gunzipSync(readFileSync(new URL(`../traces/${name}.jsonl.gz`, import.meta.url))).toString();
}

/** Without its end line, whose digest is that of the text as it was. */
function spaced(text: string): string {
  const lines = text.split("\n").filter((line) => line !== "" && !line.startsWith('{"end"'));
  const room = " ".repeat(Math.ceil((5 * 2 ** 20) / lines.length));
  return lines.map((line) => `{${room}${line.slice(1)}\n`).join("");
}

/** Run a stretch of a command's files. */
async function part(argv: readonly string[], stretch: Stretch): Promise<Outcome & { end: NotBrief | null }> {
  let [out, err] = ["", ""];
  const io = {
    out: (text: string) => {
      out += text;
    },
    err: (text: string) => {
      err += text;
    },
    flush: () => {},
    save: async () => {},
    outIsTerminal: false,
    errIsTerminal: false,
  };
  try {
    return { status: await main(argv, io, undefined, stretch), out, err, end: null };
  } catch (error) {
    if (!(error instanceof NotBrief)) throw error;
    return { status: error.status, out, err, end: error };
  }
}

describe("a brief command", () => {
  it.each([
    [
      "goes on to the end where all its files are short",
      ["xe-buffer-100e6", BROKEN, "asahi-buffer-100e6"],
      null,
    ],
    ["ends before a long file", ["xe-buffer-100e6", LONG, "asahi-buffer-100e6"], 1],
    ["ends before a file that a stream says more of", ["xe-buffer-100e6", BROKEN, NOTHING], 2],
    ["ends at once where the first file is long", [LONG, BROKEN], 0],
    ["says itself what is no file", ["xe-buffer-100e6", "xe-buffer-100", "/nowhere.jsonl"], null],
  ])("%s", async (_, files, done) => {
    const argv = ["replay", "--json", ...files];
    const here = await part(argv, { done: 0, shortOnly: true });
    expect(here.end?.done ?? null).toBe(done);
    const rest =
      done === null ? { status: 0, out: "", err: "" } : await part(argv, { done, shortOnly: false });
    expect({
      status: Math.max(here.status, rest.status),
      out: here.out + rest.out,
      err: here.err + rest.err,
    }).toEqual(await vmbind(...argv));
  });
});
