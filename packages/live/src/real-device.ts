/**
 * Which driver and which GPU is behind a descriptor of a real kernel: as sysfs says it.
 *
 * @module
 */

import { readFileSync, readlinkSync, statSync } from "node:fs";
import { basename } from "node:path";
import { hex } from "@vmbind/drm";
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
  /** What the header has to tell otherwise. */
  readonly header: Readonly<Record<string, unknown>>;
  /** What it is, where the driver's room has no model of it: the model is of another GPU then. Null where it has. */
  readonly stranger: string | null;
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
 * @returns the GPU; where the driver's room does not know it, the room's first one, and what it is
 */
export function realDevice(pid: number, fd: number, driver: HardwareDriver): RealDevice {
  return deviceIn(sysfsOf(pid, fd), driver);
}

/**
 * @param folder - of the GPU in sysfs
 * @param driver - its driver
 * @returns see {@link realDevice}
 */
export function deviceIn(folder: string, driver: HardwareDriver): RealDevice {
  const model = (name: string): Hardware =>
    driver.create(name, { backing: new DataPages(), pages: { processPage: null }, note: () => {} });
  const pciId = pciIdIn(folder);
  const name = pciId === null ? undefined : driver.deviceOfPciId?.(pciId);
  if (name !== undefined) {
    return { driver, hardware: model(name), header: { pci_id: hex(pciId as number) }, stranger: null };
  }
  const models = [...driver.devices.keys()].map(model);
  const found = models.find(({ bus }) => isBehind(bus, folder, pciId));
  const hardware = found ?? models[0];
  if (hardware === undefined) throw new Error(`${driver.name} has no devices`);
  return { driver, hardware, header: {}, stranger: found === undefined ? nameIn(folder, pciId) : null };
}

function pciIdIn(folder: string): number | null {
  const id = Number(textOf(`${folder}/device`)?.trim() || Number.NaN);
  return Number.isInteger(id) ? id : null;
}

function isBehind(bus: Bus, folder: string, pciId: number | null): boolean {
  if (bus.bus === "pci") return pciId === bus.device;
  const uevent = textOf(`${folder}/uevent`);
  return uevent !== null && bus.compatible.some((name) => uevent.includes(`=${name}\n`));
}

/** What sysfs says that it is. */
function nameIn(folder: string, pciId: number | null): string {
  if (pciId !== null) return `PCI device ${hex(pciId)}`;
  const compatible = /^OF_COMPATIBLE_0=(.+)$/m.exec(textOf(`${folder}/uevent`) ?? "")?.[1];
  return compatible ?? "nothing that sysfs has a name for";
}

function textOf(path: string): string | null {
  try {
    return readFileSync(path, "latin1");
  } catch {
    return null;
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
