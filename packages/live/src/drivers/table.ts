/**
 * The drivers that a program can be run on, by name. Each is imported when it is asked for.
 *
 * @module
 */

import type { HardwareDriver } from "../hardware.ts";

const DRIVERS: Readonly<Record<string, () => Promise<{ HARDWARE: HardwareDriver }>>> = {
  panthor: () => import("./panthor/hardware.ts"),
  asahi: () => import("./asahi/hardware.ts"),
  xe: () => import("./xe/hardware.ts"),
  msm: () => import("./msm/hardware.ts"),
  nouveau: () => import("./nouveau/hardware.ts"),
  amdgpu: () => import("./amdgpu/hardware.ts"),
};

/** Names of the drivers in the order of lists. */
export const LIVE_DRIVERS: readonly string[] = Object.keys(DRIVERS);

/** What is used where nobody says which: a driver and one of its devices. */
export const DEFAULT_DEVICE = "xe:bmg";

/**
 * @param name - of a driver
 * @returns its room, undefined for a name that is not in the table
 */
export async function hardwareDriver(name: string): Promise<HardwareDriver | undefined> {
  return Object.hasOwn(DRIVERS, name) ? (await DRIVERS[name]?.())?.HARDWARE : undefined;
}

/** All devices as `DRIVER:GPU`. */
export async function liveDevices(): Promise<string[]> {
  const drivers = await Promise.all(LIVE_DRIVERS.map((name) => hardwareDriver(name)));
  return drivers.flatMap((driver) =>
    [...(driver?.devices.keys() ?? [])].map((device) => `${driver?.name}:${device}`),
  );
}
