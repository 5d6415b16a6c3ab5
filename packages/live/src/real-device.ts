/**
 * Which driver and which GPU is behind a descriptor of a real kernel: as sysfs says it.
 *
 * @module
 */

import { readFileSync, readlinkSync, statSync } from "node:fs";
import { basename } from "node:path";
import { DataPages } from "@vmbind/mmu";
import { hardwareDriver } from "./drivers/table.ts";
import type { Bus, Hardware, HardwareDriver } from "./hardware.ts";
import { RENDER_MINOR } from "./node-folder.ts";

/** A GPU of a machine. */
export interface RealDevice {
  /** Its driver. */
  readonly driver: HardwareDriver;
  /** A model of it, for what a recording's header has to tell. */
  readonly hardware: Hardware;
}

/** Where sysfs has the GPU behind a descriptor. */
function sysfsOf(pid: number, fd: number): string {
  const link = `/proc/${pid}/fd/${fd}`;
  const isNode = readlinkSync(link).startsWith("/dev/");
  const minor = isNode ? statSync(link).rdev & 0xff : RENDER_MINOR;
  return `/sys/dev/char/226:${minor}/device`;
}

/**
 * @param pid - a process
 * @param fd - its descriptor of a DRM node
 * @returns name of the driver behind it, null where sysfs does not say
 */
export function driverNameOf(pid: number, fd: number): string | null {
  try {
    return basename(readlinkSync(`${sysfsOf(pid, fd)}/driver`));
  } catch {
    return null;
  }
}

/**
 * @param pid - a process
 * @param fd - its descriptor of a DRM node
 * @param driver - its driver
 * @returns the GPU; where the driver's room does not know it, the room's first one
 */
export function realDevice(pid: number, fd: number, driver: HardwareDriver): RealDevice {
  const names = [...driver.devices.keys()];
  const models = names.map((name) =>
    driver.create(name, { backing: new DataPages(), pages: { processPage: null }, note: () => {} }),
  );
  const folder = sysfsOf(pid, fd);
  const found = models.find(({ bus }) => isBehind(bus, folder)) ?? models[0];
  if (found === undefined) throw new Error(`${driver.name} has no devices`);
  return { driver, hardware: found };
}

function isBehind(bus: Bus, folder: string): boolean {
  try {
    if (bus.bus === "pci") return Number(readFileSync(`${folder}/device`, "latin1").trim()) === bus.device;
    const uevent = readFileSync(`${folder}/uevent`, "latin1");
    return bus.compatible.some((name) => uevent.includes(`=${name}\n`));
  } catch {
    return false;
  }
}

/**
 * The driver's room, for a name that sysfs said. Drivers are imported before the first ioctl is answered.
 *
 * @param names - of drivers
 */
export async function loadDrivers(names: readonly string[]): Promise<ReadonlyMap<string, HardwareDriver>> {
  const rooms = await Promise.all(names.map((name) => hardwareDriver(name)));
  return new Map(rooms.filter((room) => room !== undefined).map((room) => [room.name, room]));
}
