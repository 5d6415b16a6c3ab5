import { readdirSync, readFileSync } from "node:fs";
import { gunzipSync } from "node:zlib";
import type { VectorHeader } from "@vmbind/gpuvm-core/conformance";
import { describe, expect, it } from "vitest";
import { vectorChecks } from "../src/conformance.ts";

const folder = new URL("./vectors/", import.meta.url);

// Vectors made by running the real driver's VM_BIND and page-table code: every case of every file has to pass.
describe.each(readdirSync(folder))("%s", (file) => {
  const bytes = readFileSync(new URL(file, folder));
  const [first, ...lines] = (file.endsWith(".gz") ? gunzipSync(bytes) : bytes)
    .toString()
    .trimEnd()
    .split("\n");
  const header = JSON.parse(first as string) as VectorHeader;

  it("agrees with the kernel in every case", { timeout: 60_000 }, () => {
    const check = vectorChecks[header.format];
    expect(check, `a check for ${header.format}`).toBeDefined();
    expect(lines.length).toBeGreaterThan(0);
    for (const line of lines) {
      const testCase = JSON.parse(line) as Record<string, unknown>;
      expect(check?.(testCase, header), `case ${testCase["id"]}`).toBeNull();
    }
  });
});

describe("a PREFETCH of vectors", () => {
  /** An array that maps an object and prefetches it. */
  const check = (source: string, placement: "vram" | "system", region: number, ret: number): unknown => {
    const config = {
      platform: "bmg",
      graphics: 2001,
      va_bits: 48,
      root_level: 4,
      vram: true,
      vram_64k_only: false,
      cached_pt: false,
      scratch: false,
      lr: false,
      fault_mode: false,
      pat_entries: 28,
      pat_wb: 2,
      pat_uc: 3,
    };
    const where = { addr: "0x50000000", range: "0x10000", obj_offset: "0x0", pat_index: 2, flags: 0 };
    const binds = [
      { ...where, op: 0, obj: 1, prefetch_mem_region_instance: 0 },
      { ...where, op: 4, obj: 0, prefetch_mem_region_instance: region },
    ];
    const testCase = {
      id: "prefetch",
      config,
      bos: [{ id: 1, placement, external: false, chunks: [["0x100000000", "0x10000"]] }],
      pre: [],
      bind: { vm_id: 1, exec_queue_id: 0, pad: 0, num_binds: 2, binds },
      ret,
      vmas_after: ret === 0 ? [["0x50000000", "0x10000", "0x130", 1, "0x0", 2]] : [],
    };
    return vectorChecks["xe-vmbind-args"]?.(testCase, { format: "xe-vmbind-args", version: 1, source });
  };

  it.each(["vram", "system"] as const)(
    "moves a %s object only where there was memory management",
    (placement) => {
      const other = placement === "vram" ? 0 : 1;
      for (const region of [0, 1])
        expect(check("Linux 7.3.4 xe_vm_bind_ioctl", placement, region, 0)).toBeNull();
      expect(check("Linux 7.3-rc7 drivers/gpu/drm/xe", placement, 1 - other, 0)).toBeNull();
      expect(check("Linux 7.3-rc7 drivers/gpu/drm/xe", placement, other, -22)).toBeNull();
      expect(check("Linux 7.3.4 xe_vm_bind_ioctl", placement, 2, -22)).toBeNull();
    },
  );
});
