/** Every driver in the table: its devices can be made, say what a recording's header needs, and answer who they are. */
import { DataPages, frameBytes } from "@vmbind/mmu";
import { HeaderReader, type ModelDevice } from "@vmbind/trace";
import { describe, expect, test } from "vitest";
import { hardwareDriver, LIVE_DRIVERS } from "../src/drivers/table.ts";
import type { HardwareDriver, HardwareOptions } from "../src/hardware.ts";
import { headerOf } from "../src/trace-file.ts";

/** Options that replay is to have otherwise, that the platform decides, or that only calls tell which no recording keeps. */
const UNTOLD = ["adoptSyncobjs", "forcedScratch", "gpuInfo", "groupPriorities", "params", "timestamps"];

/** What a device was made of, as far as recorded calls can tell. */
function factsOf({ options }: ModelDevice) {
  const { memory, ...rest } = options;
  const told = Object.entries(rest).filter(([name]) => !UNTOLD.includes(name));
  return { ...Object.fromEntries(told), systemBytes: frameBytes(memory.frames) };
}

const ROOMS = await Promise.all(
  LIVE_DRIVERS.map(async (name) => [name, await hardwareDriver(name)] as const),
);

describe.each(ROOMS)("%s", (name, room) => {
  const driver = room as HardwareDriver;
  const devices = [...driver.devices.keys()];
  const make = (device: string, chosen: Partial<HardwareOptions> = {}) =>
    driver.create(device, {
      backing: new DataPages(),
      pages: { processPage: null },
      note: () => {},
      ...chosen,
    });

  test("is called like its package and its lens", () => {
    expect([driver.name, driver.lens.name]).toEqual([name, name]);
  });

  test.each(devices)("%s writes a header of which its lens makes the same device", (device) => {
    for (const chosen of [{}, { vramBytes: 2 ** 28 }, { systemBytes: 2 ** 27 }]) {
      const hardware = make(device, chosen);
      const header = headerOf(driver, hardware, ["program", "argument"]);
      expect(header.workload).toBe("program argument");
      const again = driver.lens.device(new HeaderReader("live.jsonl", header));
      expect(factsOf(again)).toEqual(factsOf(hardware.device));
    }
  });

  test("opens files that close, and leave nothing", () => {
    const hardware = make(devices[0] as string);
    const file = hardware.open();
    file.close();
    file.close();
    expect(file.model.closed).toBe(true);
    driver.lens.checkInvariants(hardware.device, []);
  });

  test("keeps only ioctls that it has", () => {
    const known = driver.rows.map((row) => row.name);
    expect(driver.recording.keeps.filter((kept) => !known.includes(kept))).toEqual([]);
    if (driver.recording.exec !== null) expect(known).toContain(driver.recording.exec);
  });
});

test.each([true, false])("a recording says whether xe was built for debugging: %s", async (debugBuild) => {
  const driver = (await hardwareDriver("xe")) as HardwareDriver;
  const pages = { processPage: null };
  const hardware = driver.create("dg2-g11", { backing: new DataPages(), pages, debugBuild, note: () => {} });
  const header = headerOf(driver, hardware, ["program"]);
  expect(header).toMatchObject({ pci_id: "0x56a5", device: expect.stringContaining("A380") });
  expect(driver.lens.device(new HeaderReader("live.jsonl", header)).options).toMatchObject({ debugBuild });
});
