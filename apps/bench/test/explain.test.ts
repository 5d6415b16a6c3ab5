import { readFileSync } from "node:fs";
import { gunzipSync } from "node:zlib";
import { describe, expect, it } from "vitest";
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
          .replace("map sparse noexec", "MAP SPARSE NOEXEC"),
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
});
