/** Which model a recording of a real GPU names: by what sysfs has of it. */

import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DataPages } from "@vmbind/mmu";
import { PLATFORMS, platformOfPciId } from "@vmbind/xe";
import { afterAll, beforeAll, expect, test } from "vitest";
import { hardwareDriver, LIVE_DRIVERS } from "../src/drivers/table.ts";
import type { HardwareDriver, HardwareOptions } from "../src/hardware.ts";
import { deviceIn, type RealDevice } from "../src/real-device.ts";

const OPTIONS: HardwareOptions = { backing: new DataPages(), pages: { processPage: null }, note: () => {} };

let folder = "";
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "vmbind-sysfs-"));
});
afterAll(() => rmSync(folder, { recursive: true }));

async function driverNamed(name: string): Promise<HardwareDriver> {
  const driver = await hardwareDriver(name);
  if (driver === undefined) throw new Error(name);
  return driver;
}

/** A GPU as sysfs has it: a PCI device id, or what the device tree says. */
function found(driver: HardwareDriver, id: string, uevent = ""): RealDevice {
  writeFileSync(join(folder, "device"), id);
  writeFileSync(join(folder, "uevent"), uevent);
  return deviceIn(folder, driver);
}

test.each([
  ["0x56a1", "DG2 / ATS-M", 65536],
  ["0x56b1", "DG2-G11, Arc A380", 65536],
  ["0xa7a0", "Alder Lake P", 4096],
  ["0xe20c", "Battlemage", 4096],
  ["0x7d67", "Meteor Lake / Arrow Lake", 4096],
])("xe's %s is %s", async (id, title, alignment) => {
  const driver = await driverNamed("xe");
  const { hardware, header, stranger } = found(driver, `${id}\n`);
  expect([hardware.title, header, stranger]).toEqual([title, { pci_id: id }, null]);
  expect(hardware.header["min_alignment"]).toBe(alignment);
  expect(platformOfPciId(Number(id))?.deviceId).toBe(Number(id));
});

test("every platform of xe has its own id, and ids of others lead to nothing", () => {
  for (const platform of PLATFORMS.values()) expect(platformOfPciId(platform.deviceId)).toEqual(platform);
  for (const id of [0, 0xe220, 0xd740, 0x5917, 0x10000]) expect(platformOfPciId(id)).toBeUndefined();
});

test.each(LIVE_DRIVERS)("%s: its own devices are found, of others it is said what they are", async (name) => {
  const driver = await driverNamed(name);
  for (const device of driver.devices.keys()) {
    const { bus, title } = driver.create(device, OPTIONS);
    const real =
      bus.bus === "pci"
        ? found(driver, `0x${bus.device.toString(16)}\n`)
        : found(driver, "", `DRIVER=x\nOF_COMPATIBLE_0=${bus.compatible[0]}\nOF_COMPATIBLE_N=1\n`);
    expect([real.hardware.title, real.stranger]).toEqual([title, null]);
  }
  const other = found(driver, "0x1234\n");
  expect(other.stranger).toBe("PCI device 0x1234");
  expect(other.hardware.title).toBe(driver.create([...driver.devices.keys()][0] as string, OPTIONS).title);
  expect(found(driver, "", "OF_COMPATIBLE_0=vendor,gpu\n").stranger).toBe("vendor,gpu");
  expect(found(driver, "", "DRIVER=x\n").stranger).toBe("nothing that sysfs has a name for");
});
