/**
 * The folder of a server: its socket, and what programs find of a GPU in the file system: nodes below `dev/dri`, and of sysfs
 * what libdrm, the Vulkan loader and igt read. The shim leads paths into it. Only this user may enter.
 *
 * A node is a file with the sticky bit; its size is its minor number.
 *
 * @module
 */

import { spawn } from "node:child_process";
import { chmodSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Bus, Hardware } from "./hardware.ts";

/** Minor numbers of the two nodes (`drm_minor_alloc`), and one for `sw_sync`, which has none. */
const CARD_MINOR = 0;
/** See {@link CARD_MINOR}. */
export const RENDER_MINOR = 128;
/** See {@link CARD_MINOR}. */
export const SW_SYNC_MINOR = 255;

const NODE_MODE = 0o1600;

/**
 * @returns a fresh folder that only this user may enter
 */
export function makeFolder(): string {
  const folder = mkdtempSync(join(process.env["XDG_RUNTIME_DIR"] || tmpdir(), "vmbind-live-"));
  chmodSync(folder, 0o700);
  return folder;
}

/** Take it away, whatever is in it. */
export function removeFolder(folder: string): void {
  rmSync(folder, { recursive: true, force: true });
}

/**
 * However this process ends, the folder goes: a shell waits for the end of a pipe that only this process holds.
 *
 * @param folder - from {@link makeFolder}
 * @returns ends the wait
 */
export function sweepBehind(folder: string): () => void {
  const broom = spawn("/bin/sh", ["-c", 'read -r _; rm -rf -- "$0"', folder], {
    stdio: ["pipe", "ignore", "ignore"],
    detached: true,
    // Shims are for the program that is run.
    env: { PATH: process.env["PATH"] },
  });
  broom.on("error", () => {});
  broom.unref();
  return () => void broom.stdin?.destroy();
}

/**
 * Fill it.
 *
 * @param folder - from {@link makeFolder}
 * @param hardware - what the files tell of
 */
export function fillFolder(folder: string, { bus, version }: Hardware): void {
  const put = (path: string, text: string) => {
    const file = join(folder, path);
    mkdirSync(join(file, ".."), { recursive: true });
    writeFileSync(file, text);
  };
  const node = (path: string, minor: number) => {
    put(path, "");
    truncateSync(join(folder, path), minor);
    chmodSync(join(folder, path), NODE_MODE);
  };
  const nodes = [
    ["card0", CARD_MINOR],
    ["renderD128", RENDER_MINOR],
  ] as const;
  const device = "sys/devices/gpu";
  for (const [name, minor] of nodes) {
    node(`dev/dri/${name}`, minor);
    const of = `${device}/drm/${name}`;
    put(`${of}/dev`, `226:${minor}\n`);
    put(`${of}/uevent`, `MAJOR=226\nMINOR=${minor}\nDEVNAME=dri/${name}\nDEVTYPE=drm_minor\n`);
    symlinkSync("../..", join(folder, of, "device"));
    mkdirSync(join(folder, "sys/dev/char"), { recursive: true });
    symlinkSync(`../../devices/gpu/drm/${name}`, join(folder, `sys/dev/char/226:${minor}`));
    mkdirSync(join(folder, "sys/class/drm"), { recursive: true });
    symlinkSync(`../../devices/gpu/drm/${name}`, join(folder, `sys/class/drm/${name}`));
  }
  put("sys/class/drm/version", "drm 1.1.0 20060810\n");
  for (const [name, text] of Object.entries(sysfsOf(bus, version.name))) put(`${device}/${name}`, text);
  mkdirSync(join(folder, `sys/bus/${bus.bus}/drivers/${version.name}`), { recursive: true });
  symlinkSync(`../../bus/${bus.bus}`, join(folder, device, "subsystem"));
  symlinkSync(`../../bus/${bus.bus}/drivers/${version.name}`, join(folder, device, "driver"));
  node("sys/kernel/debug/sync/sw_sync", SW_SYNC_MINOR);
}

function sysfsOf(bus: Bus, driver: string): Record<string, string> {
  if (bus.bus === "platform") {
    const names = bus.compatible.map((name, i) => `OF_COMPATIBLE_${i}=${name}\n`).join("");
    const uevent = `DRIVER=${driver}\nOF_NAME=gpu\nOF_FULLNAME=${bus.path}\n${names}OF_COMPATIBLE_N=${bus.compatible.length}\n`;
    return { uevent };
  }
  const id = (value: number) => `0x${value.toString(16).padStart(4, "0")}`;
  const upper = (value: number) => value.toString(16).padStart(4, "0").toUpperCase();
  const { vendor, device, revision, slot } = bus;
  return {
    vendor: `${id(vendor)}\n`,
    device: `${id(device)}\n`,
    subsystem_vendor: `${id(vendor)}\n`,
    subsystem_device: "0x1100\n",
    revision: `0x${revision.toString(16).padStart(2, "0")}\n`,
    class: "0x030000\n",
    boot_vga: "0\n",
    uevent: `DRIVER=${driver}\nPCI_CLASS=30000\nPCI_ID=${upper(vendor)}:${upper(device)}\nPCI_SUBSYS_ID=${upper(vendor)}:1100\nPCI_SLOT_NAME=${slot}\n`,
  };
}
