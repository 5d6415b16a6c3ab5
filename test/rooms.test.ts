/**
 * Each driver package has the rooms of ARCHITECTURE.md's table under the same names; what else a driver has is listed
 * here. `index.ts` and `internals.ts` only re-export, and only `trace.ts` knows of recorded traces.
 */
import { describe, expect, test } from "vitest";
import { DRIVERS, filesIn, read } from "./house.ts";

/** Files that the table names: first column, in backticks. */
const ROOMS = read("ARCHITECTURE.md")
  .split("Each driver package has the same rooms")[1]
  ?.split("\n## ")[0]
  ?.split("\n")
  .filter((line) => line.startsWith("| `"))
  .flatMap((line) => [...(line.split("|")[1] ?? "").matchAll(/`([\w-]+\.ts)`/g)].map(([, file]) => file));

/** What only one driver has. */
const OWN: Readonly<Record<string, readonly string[]>> = {
  panthor: [
    "as-lock.ts",
    "as-slots.ts",
    "bind-op.ts",
    "bind-queue.ts",
    "bind-syncs.ts",
    "bo-care-ioctls.ts",
    "bo-ioctls.ts",
    "chunk-image.ts",
    "dev-query.ts",
    "io-pgtable-batch.ts",
    "io-pgtable.ts",
    "map-runs.ts",
    "obj-array.ts",
    "page-sizes.ts",
    "parts.ts",
    "prepare.ts",
    "table-tree.ts",
    "uapi-query.ts",
    "va-ranges.ts",
    "vm-ioctls.ts",
  ],
  msm: [
    "bind-job.ts",
    "bind-ops.ts",
    "bind-scheduler.ts",
    "bind-syncs.ts",
    "bo-ioctls.ts",
    "image-tiles.ts",
    "kernel-iovas.ts",
    "params.ts",
    "prr.ts",
    "queue-ioctls.ts",
    "submit-queue.ts",
    "submit.ts",
    "table-reserve.ts",
    "table-tree.ts",
    "uapi-submit.ts",
  ],
  asahi: ["context-slots.ts", "firmware.ts", "protection.ts", "tlbi.ts", "uapi-submit.ts"],
  nouveau: [
    "backends.ts",
    "bind-job.ts",
    "bind-queue.ts",
    "bind-records.ts",
    "bind-syncs.ts",
    "entry-refs.ts",
    "entry-words.ts",
    "exec.ts",
    "getparam.ts",
    "job-run.ts",
    "job-submit.ts",
    "leaf-runs.ts",
    "mapping.ts",
    "regions.ts",
    "reserved-tables.ts",
    "sparse-blocks.ts",
    "table-cache.ts",
    "table-nodes.ts",
    "table-tree.ts",
  ],
  xe: [
    "bind-jobs.ts",
    "bind-source.ts",
    "bo-ioctls.ts",
    "check-advice.ts",
    "check-leaves.ts",
    "device-query.ts",
    "eviction.ts",
    "exec-queue-ioctls.ts",
    "forced-errors.ts",
    "madvise-cuts.ts",
    "madvise.ts",
    "mapping-view.ts",
    "mirrors.ts",
    "object-moves.ts",
    "page-sizes.ts",
    "pci-ids.ts",
    "platforms.ts",
    "pt-job.ts",
    "pt-overwrites.ts",
    "pt-parked.ts",
    "pt-stage-bind.ts",
    "pt-tables.ts",
    "pt-unbind.ts",
    "pt-update-fields.ts",
    "pt-updates.ts",
    "pt-zap.ts",
    "tlb-range.ts",
    "trims.ts",
    "uapi-madvise.ts",
    "uapi-query.ts",
    "user-extensions.ts",
    "user-fences.ts",
    "user-pages.ts",
    "vm-bind-args.ts",
    "vm-faults.ts",
    "vm-ioctls.ts",
    "vm-leaves.ts",
    "vm-queries.ts",
    "vma-advice.ts",
    "vma-journal.ts",
    "vma.ts",
    "vram.ts",
    "work-list.ts",
  ],
  amdgpu: [
    "bo-va.ts",
    "gem-op.ts",
    "image-layout.ts",
    "info.ts",
    "interval-tree.ts",
    "leaf-flags.ts",
    "leaf-tree.ts",
    "mappings.ts",
    "submit.ts",
    "table-tree.ts",
    "va-manager.ts",
    "va-space.ts",
    "vm-objects.ts",
    "vm-update.ts",
  ],
};

/** Rooms that a driver has no use for: without a VA manager there are no steps. */
const WITHOUT: Readonly<Record<string, readonly string[]>> = { amdgpu: ["vm-steps.ts"] };

test("the table names rooms", () => {
  expect(ROOMS).toContain("vm-bind.ts");
});

describe.each(DRIVERS)("%s", (driver) => {
  const folder = `packages/${driver}/src`;
  const files = filesIn(folder).map((path) => path.slice(folder.length + 1));
  const loose = files.filter((file) => !file.includes("/"));

  test("has every room, and no file that neither the table nor the list above knows", () => {
    const rooms = (ROOMS ?? []).filter((room) => room && !WITHOUT[driver]?.includes(room));
    const wanted = [...rooms, ...(OWN[driver] ?? [])];
    expect(loose).toEqual(wanted.sort());
  });

  test("has no folder but that of its conformance checks", () => {
    const folders = new Set(files.filter((file) => file.includes("/")).map((file) => file.split("/")[0]));
    expect([...folders]).toEqual(["conformance"]);
  });

  test.each(["index.ts", "internals.ts"])("only re-exports in %s", (file) => {
    const code = read(`${folder}/${file}`).replace(/\/\*[\s\S]*?\*\//g, "");
    const statements = code.split(";").map((statement) => statement.trim());
    for (const statement of statements) expect(statement).toMatch(/^(export [\s\S]* from "[^"]+")?$/);
  });

  test("knows of recorded traces in trace.ts only, and there by type", () => {
    for (const file of files) {
      const imports = [
        ...read(`${folder}/${file}`).matchAll(/^(import|export)( type)?[^;]*"@vmbind\/trace";/gm),
      ];
      const found = imports.map(([, , type]) => [file, type ?? " value"]);
      expect(found).toEqual(found.map(() => ["trace.ts", " type"]));
    }
  });
});
