import { readFileSync } from "node:fs";
import { gunzipSync } from "node:zlib";
import { describe, expect, it } from "vitest";
import { textOf } from "../../../test/recordings.ts";
import { tempFile, vmbind } from "./run.ts";

describe("explain", () => {
  it("shows a sparse create: the operation, its step, its leaves and tables", async () => {
    const { status, out } = await vmbind("explain", "panthor-sparse-buffer-100e6", "--seq", "11");
    expect(status).toBe(0);
    expect(out).toBe(
      [
        "-- device-ready",
        "-- workload buffer-100e6 seed=1",
        "-- create",
        "#11 PANTHOR_VM_BIND(VM 1, sync, 1 op) = 0",
        "    MAP SPARSE NOEXEC [0x7ffffa000000, 0x7fffffF5f000)"
          .toLowerCase()
          .replace("map sparse noexec", "MAP SPARSE NOEXEC")
          .concat("  # resource#1 + 0x0"),
        "    steps   1 map",
        "    leaves  + 47 x 2 MiB [0x7ffffa000000, 0x7fffffe00000)",
        "            + 351 x 4 KiB [0x7fffffe00000, 0x7ffffff5f000)",
        "    tables  3 tables made, 3 directory entries written, 398 leaf entries written, 1 TLB invalidation",
        "",
      ].join("\n"),
    );
  });

  it("with --ops attributes each step to its operation", async () => {
    const { out } = await vmbind("explain", "panthor-blackhole-buffer-stream", "--seq", "46", "--ops");
    const ops = out.match(/^ {4}MAP .*$/gm) ?? [];
    expect(ops).toHaveLength(16);
    // Every operation ends with its own map step.
    const blocks = out.split(/^ {4}MAP /m).slice(1);
    for (const block of blocks) expect(block.match(/^ {8}map /gm)).toHaveLength(1);
    expect(out).toMatch(/remap \[0x[0-9a-f]+, 0x[0-9a-f]+\): keep .* -> BO 6 \+ 0x0, keep .* -> BO 6/);
  });

  it("shows where recorded stores land", async () => {
    const { status, out } = await vmbind("explain", "xe-igt-null-once", "--seq", "4");
    expect(status).toBe(0);
    expect(out).toContain(
      "-- exec on VM 1: batch at 0x1a0000 in the BO of #1 + 0x0, 1 store\n     0x301a0048 = 0xc0ffee -> null\n",
    );
  });

  it("of a range shows the marks in front of its ioctls", async () => {
    const { out } = await vmbind("explain", "panthor-sparse-buffer-100e6", "--seq", "11-13");
    expect(out.match(/^(#\d+|--)/gm)).toEqual(["--", "--", "--", "#11", "--", "--", "#12", "--", "#13"]);
  });

  it("tells why an operation is refused", async () => {
    const text = gunzipSync(
      readFileSync(new URL("../traces/panthor-sparse-buffer-100e6.jsonl.gz", import.meta.url)),
    ).toString();
    // The sparse MAP loses its NOEXEC flag.
    const broken = text.replace('"data":"0a000000', '"data":"08000000');
    expect(broken).not.toBe(text);
    const { status, out } = await vmbind("explain", tempFile("exec.jsonl", broken), "--seq", "11");
    expect(status).toBe(1);
    expect(out).toMatch(/^#11 PANTHOR_VM_BIND\(.*\) = -22 EINVAL: .*NOEXEC/m);
  });

  it("refuses a seq that is none or not there", async () => {
    expect((await vmbind("explain", "panthor-sparse-buffer-100e6", "--seq", "x")).status).toBe(2);
    const { status, err } = await vmbind("explain", "panthor-sparse-buffer-100e6", "--seq", "25");
    expect(status).toBe(2);
    expect(err).toContain("ioctls 0 to 24");
  });

  const STREAM = "panthor-sparse-buffer-stream";

  it("names what an address belongs to, and the resource that an operation ends", async () => {
    const first = await vmbind("explain", STREAM, "--seq", "14");
    expect(first.out).toContain(
      "MAP SPARSE NOEXEC [0x7fffd1855000, 0x7fffd1861000)  # buffer#1 + 0x11855000\n",
    );
    const last = await vmbind("explain", STREAM, "--kind", "unmap", "--phase", "destroy");
    expect(last.out).toContain("UNMAP [0x7fffc0000000, 0x800000000000)  # buffer#1 + 0x0\n");
    const mirror = await vmbind("explain", "asahi-buffer-100e6", "--phase", "create");
    expect(mirror.out).toContain("  # resource#1 + 0x0, second view\n");
  });

  it("of an address tells what named it", async () => {
    const { status, out } = await vmbind("explain", STREAM, "--va", "0x7fffd1855000");
    expect(status).toBe(0);
    expect(out.match(/^#\d+/gm)).toEqual(["#11", "#14", "#140"]);
    // Of the array only the operation that was asked for.
    expect(out.match(/^ {4}MAP .*$/gm)).toHaveLength(2);
    const range = await vmbind("explain", STREAM, "--va", "0x7fffd1855000+48KiB");
    expect(range.out).toBe(out);
    expect((await vmbind("explain", STREAM, "--va", "0x7fffd1855000-0x7fffd1855001")).out).toBe(out);
  });

  it("chooses by handle, phase and kind, all of which have to agree", async () => {
    const made = await vmbind("explain", STREAM, "--bo", "6", "--phase", "memory");
    expect(made.out.match(/^#\d+ \w+/gm)).toEqual(["#12 PANTHOR_BO_CREATE", "#13 PANTHOR_VM_BIND"]);
    const none = await vmbind("explain", STREAM, "--kind", "unmap", "--phase", "create");
    expect(none).toMatchObject({ status: 0, out: "none of 154 ioctls is chosen\n" });
  });

  it("sums up with -c", async () => {
    const { status, out } = await vmbind("explain", STREAM, "-c", "--phase", "bind");
    expect(status).toBe(0);
    expect(out).toMatch(/^PANTHOR_VM_BIND +125 +0 +2,000 +/m);
    expect(out).toMatch(/^MAP SPARSE +748 +/m);
  });

  it("prints JSON lines", async () => {
    const { out } = await vmbind("explain", STREAM, "--json", "--seq", "14");
    const lines = out
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line));
    expect(lines[0]).toEqual({ mark: "stream" });
    const call = lines.at(-1);
    expect(call).toMatchObject({
      seq: 14,
      ioctl: "PANTHOR_VM_BIND",
      kind: "bind",
      vm: 1,
      ret: 0,
      phase: "bind",
    });
    expect(call.ops).toHaveLength(16);
    expect(call.ops[1]).toMatchObject({
      kind: "MAP memory",
      bo: 6,
      offset: "0x0",
      place: "buffer#1 + 0x3872f000",
    });
  });

  it("shows the failing operation of an array, wherever it stands", async () => {
    const text = textOf(STREAM);
    const [, data = ""] = /"seq":20,.*?"data":"([0-9a-f]+)"/.exec(text) ?? [];
    // The last byte but six of the address of operation 9: half a page.
    const at = 2 * (48 * 9 + 16);
    const bent = `${data.slice(0, at)}0008${data.slice(at + 4)}`;
    const path = tempFile("half-a-page.jsonl", text.replace(data, bent));
    const { status, out } = await vmbind("explain", path, "--failed");
    expect(status).toBe(1);
    expect(out).toMatch(/^#20 .* = -22 EINVAL: ops\[9\]\.va: .*not a multiple of 4096$/m);
    expect(out).toMatch(/^ {4}\.\.\. 11 more ops\n {4}refused, op 9: MAP memory/m);
    expect(out.match(/^#\d+/gm)).toHaveLength(1);
  });

  it.each([
    [["--va", "12"], /--va: expected 0xA, 0xA-0xB/],
    [["--bo", "x"], /--bo: expected a handle/],
    [["--phase", "bnid"], /--phase: no phase "bnid"; did you mean bind\?/],
    [["--json", "-c"], /--json and --summary: only one of them/],
  ])("%j is wrong usage", async (argv, reason) => {
    const { status, err } = await vmbind("explain", STREAM, ...argv);
    expect(status).toBe(2);
    expect(err).toMatch(reason);
  });
});
