/** What must hold of every row of every driver's ioctl table, and of what its README says of them. */
import { readFileSync } from "node:fs";
import * as amdgpu from "@vmbind/amdgpu";
import * as asahi from "@vmbind/asahi";
import {
  arraysOf,
  DIR_WRITE,
  decodeIoctl,
  errnoName,
  type FoundArray,
  fromRecorded,
  type IoctlRow,
  supportList,
} from "@vmbind/drm";
import * as msm from "@vmbind/msm";
import * as nouveau from "@vmbind/nouveau";
import * as panthor from "@vmbind/panthor";
import type { TraceArray } from "@vmbind/trace";
import * as xe from "@vmbind/xe";
import { describe, expect, it } from "vitest";
import { bundledTraces, openTrace } from "../src/files/trace-files.ts";

/** All that a test here needs of a driver's table. */
interface Table {
  readonly rows: readonly IoctlRow<never>[];
  row(request: number): IoctlRow<never> | undefined;
}

const TABLES: Readonly<Record<string, Table>> = {
  panthor: panthor.IOCTLS,
  asahi: asahi.IOCTLS,
  xe: xe.IOCTLS,
  msm: msm.IOCTLS,
  nouveau: nouveau.IOCTLS,
  amdgpu: amdgpu.IOCTLS,
};

describe.each(Object.entries(TABLES))("the ioctls of %s", (driver, { rows }) => {
  it("have names and numbers of their own", () => {
    const own = new RegExp(`^(${driver.toUpperCase()}_|GEM_)[A-Z_]+$`);
    for (const { name } of rows) expect(name).toMatch(own);
    expect(new Set(rows.map(({ name }) => name)).size).toBe(rows.length);
    expect(new Set(rows.map(({ request }) => decodeIoctl(request).nr)).size).toBe(rows.length);
  });

  it.each(rows.map((row) => [row.name, row] as const))("%s says what is known of it", (_, row) => {
    const { request, layout, arrays, errnos, since, support, run } = row;
    expect(errnos.length).toBeGreaterThan(0);
    for (const errno of errnos) expect(errnoName(errno)).toMatch(/^E[A-Z0-9]+$/);
    expect(since).toMatch(/\d+\.\d+/);
    // A row has a handler, or the errno that is answered in its place.
    const refused = typeof support === "object" && "errno" in support;
    expect(run === null).toBe(refused);
    if (refused) expect(errnos).toEqual([support.errno]);
    if (!refused) expect(layout).not.toBeNull();
    if (layout !== null) expect(layout.size).toBe(decodeIoctl(request).size);
    // What points to memory is read.
    if (arrays.length > 0) expect(decodeIoctl(request).dir & DIR_WRITE).toBe(DIR_WRITE);
    for (const { holder } of arrays) expect(holder).toBe(layout);
  });

  it("are listed in the README as the rows say", () => {
    const readme = readFileSync(new URL(`../../../packages/${driver}/README.md`, import.meta.url), "utf8");
    expect(readme).toContain(`\n## Ioctls\n\n${supportList(rows)}\n`);
  });
});

/** What a recording holds of a found array. */
function recorded({ field, addr, count, stride, data }: FoundArray | TraceArray): unknown {
  return { field, addr, count, stride, data: Buffer.from(data ?? []).toString("hex") };
}

/** Recordings whose calls have one operation each, which lies in the argument; those of amdgpu all are. */
const WITHOUT_ARRAYS = ["msm-buffer-100e6", "msm-image-3d", "msm-many-small"];

describe("the arrays of recorded calls", () => {
  it.each(bundledTraces())("%s", async (name) => {
    const trace = await openTrace(name);
    const table = TABLES[trace.header.driver] as Table;
    let arrays = 0;
    for await (const call of trace.records) {
      if (call.kind !== "ioctl") continue;
      const row = table.row(call.request);
      expect(row?.name).toBe(call.ioctl);
      const found = arraysOf(row?.arrays ?? [], call.argIn, fromRecorded(call.arrays));
      expect(found.map(recorded)).toEqual(call.arrays.map(recorded));
      arrays += found.length;
    }
    expect(arrays > 0).toBe(!WITHOUT_ARRAYS.includes(name) && trace.header.driver !== "amdgpu");
  });
});
