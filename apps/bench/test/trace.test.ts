import { readFileSync } from "node:fs";
import { gunzipSync, gzipSync } from "node:zlib";
import type { TraceRecord } from "@vmbind/trace";
import { describe, expect, it } from "vitest";
import { openTrace } from "../src/files/trace-files.ts";
import { tempFile, vmbind } from "./run.ts";

const original = gunzipSync(
  readFileSync(new URL("../traces/panthor-sparse-buffer-100e6.jsonl.gz", import.meta.url)),
).toString();
const lines = original.trimEnd().split("\n");

/** The trace with one member of a line's object changed; undefined takes it away. */
function set(line: number, member: string, value: unknown): string {
  return changed(line, (record) => {
    record[member] = value;
  });
}

/** The trace with one line's object changed. */
function changed(line: number, change: (record: Record<string, unknown>) => void): string {
  const copy = [...lines];
  const record = JSON.parse(copy[line - 1] as string) as Record<string, unknown>;
  change(record);
  copy[line - 1] = JSON.stringify(record);
  return `${copy.join("\n")}\n`;
}

describe("a well-formed trace", () => {
  it("gives header and records with bytes decoded", async () => {
    const trace = await openTrace("panthor-sparse-buffer-100e6");
    const records: TraceRecord[] = [];
    for await (const record of trace.records) records.push(record);
    expect(trace.header.driver).toBe("panthor");
    expect(records).toHaveLength(lines.length - 1);
    const bind = records.find((r) => r.kind === "ioctl" && r.ioctl === "PANTHOR_VM_BIND");
    expect(bind).toMatchObject({
      request: 0xc0186443,
      ret: 0,
      arrays: [{ field: "ops", count: 1, stride: 48 }],
    });
  });

  it("may be given as a path, zipped or not", async () => {
    expect((await vmbind("replay", tempFile("plain.jsonl", original))).status).toBe(0);
    expect((await vmbind("replay", tempFile("zipped.gz", gzipSync(original)))).status).toBe(0);
  });
});

const vmCreate = lines.findIndex((l) => l.includes("PANTHOR_VM_CREATE")) + 1;
const vmBind = lines.findIndex((l) => l.includes("PANTHOR_VM_BIND")) + 1;

describe("a malformed trace is exit 2 and one line with file, line and rule", () => {
  it.each<[string, string, RegExp]>([
    [
      "another format",
      set(1, "format", "pcap"),
      /:1: header\.format: expected "drm-ioctl-trace", got "pcap"/,
    ],
    ["another version", set(1, "version", 2), /:1: header\.version: /],
    ["an unknown driver", set(1, "driver", "radeon"), /:1: header\.driver: no model of "radeon"/],
    ["a missing fact", set(1, "va_bits", undefined), /:1: header\.va_bits: /],
    ["a fact of the wrong type", set(1, "pa_bits", "40"), /:1: header\.pa_bits: .*"40"/],
    ["a gap in seq", set(vmCreate, "seq", 7), /:4: seq: expected 0, got 7/],
    ["a request beyond 32 bits", set(vmCreate, "request", "0x1c0106441"), /:4: request: /],
    ["a short argument", set(vmCreate, "arg_in", "00"), /:4: arg_in: expected 16 bytes/],
    ["no hex", set(vmCreate, "arg_out", "zz".repeat(16)), /:4: arg_out: expected lower-case hex/],
    ["a positive ret", set(vmCreate, "ret", 1), /:4: ret: expected 0 or a negative errno/],
    ["ret as text", set(vmCreate, "ret", "0"), /:4: ret: expected an integer, got "0"/],
    ["ptrs no list", set(vmBind, "ptrs", {}), /:6: ptrs: expected a list/],
    [
      "an array shorter than its count",
      changed(vmBind, (r) => {
        const [ops] = r["ptrs"] as { count: number }[];
        (ops as { count: number }).count = 2;
      }),
      /:6: ptrs\[0\]\.data: expected 96 bytes/,
    ],
    ["a mark that is no text", set(2, "mark", 3), /:2: mark: expected a string, got 3/],
    ["a record of no kind", set(2, "mark", undefined), /:2: request: expected lower-case hex/],
  ])("%s", async (name, content, message) => {
    const path = tempFile(`${name.replaceAll(" ", "-")}.jsonl`, content);
    for (const command of ["replay", "explain"]) {
      const { status, err } = await vmbind(command, path);
      expect(err).toMatch(message);
      expect(err).toContain(path);
      expect(err.trimEnd().split("\n")).toHaveLength(1);
      expect(status).toBe(2);
    }
  });

  it("does not keep the other traces from running", async () => {
    const bad = tempFile("bad.jsonl", "{}\n");
    const { status, out, err } = await vmbind("replay", bad, "panthor-sparse-buffer-100e6");
    expect(status).toBe(2);
    expect(err).toContain("bad.jsonl:1: header.format");
    expect(out).toContain("25 ioctls replayed, no difference");
  });
});

describe("bytes that differ", () => {
  it("in the recorded answer are a difference, exit 1", async () => {
    const other = changed(vmCreate, (r) => {
      r["arg_out"] = (r["arg_out"] as string).replace(/^00000000../, "0000000009");
    });
    const { status, out } = await vmbind("replay", tempFile("answer.jsonl", other));
    expect(status).toBe(1);
    expect(out).toMatch(/seq 0 \(line 4\) arg_out: expected byte 4: 09/);
  });

  it("in the request are refused with the model's reason", async () => {
    const other = changed(vmBind, (r) => {
      const [ops] = r["ptrs"] as { data: string }[];
      // bind_op.size 0x1000 becomes 0x1001
      (ops as { data: string }).data = (ops as { data: string }).data.replace(/^(.{48})00/, "$101");
    });
    const { status, out } = await vmbind("replay", tempFile("request.jsonl", other));
    expect(status).toBe(1);
    // The plain interval model followed the recording, the driver model did not.
    expect(out).toMatch(/mappings: expected VM 1: \d+ mappings, .*, got \d+ mappings/);
    expect(out).toMatch(/seq 2 \(line 6\) ret: expected 0, got -22 EINVAL \(.*(size|4096).*\)/);
  });
});
