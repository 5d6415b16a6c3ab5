/**
 * An Intel GPU for live programs: the model of `@vmbind/xe` on PCI.
 *
 * @module
 */

import { RECORDED_PROFILE } from "@vmbind/drm";
import { IOCTLS as MODEL_IOCTLS, PLATFORMS, type Platform, platformOfPciId, XeDevice } from "@vmbind/xe";
import { lens } from "@vmbind/xe/trace";
import {
  type Bus,
  type DriverVersion,
  type Hardware,
  type HardwareDriver,
  type HardwareOptions,
  memoryOf,
} from "../../hardware.ts";
import { ProcessMemory } from "../../process-memory.ts";
import { monotonicNow } from "../../scheduler.ts";
import type { ProcessPage } from "../../shared-memory.ts";
import { type XeLiveDevice, XeLiveFile } from "./file.ts";
import { IOCTLS } from "./ioctls.ts";
import { Engines } from "./jobs.ts";
import { RECORDING } from "./recording.ts";

const INTEL = 0x8086;
/** Revision of the steppings that Mesa and igt expect; others have 0. */
const REVISIONS: Readonly<Record<string, number>> = { lnl: 4, dg2: 8, "dg2-g11": 5, tgl: 1 };

class XeHardware implements Hardware, XeLiveDevice {
  readonly device: XeDevice;
  readonly platform: Platform;
  readonly engines: Engines;
  readonly now: () => bigint = monotonicNow;
  readonly version: DriverVersion = {
    name: "xe",
    date: "20201103",
    description: "Intel Xe Graphics",
    version: [1, 1, 0],
  };
  readonly bus: Bus;
  readonly header: Readonly<Record<string, unknown>>;
  readonly title: string;
  readonly #files = new Set<XeLiveFile>();

  constructor(name: string, options: HardwareOptions) {
    const row = PLATFORMS.get(name);
    if (row === undefined) throw new Error(`no platform ${name}`);
    const vramBytes = row.vramBytes === 0 ? 0 : (options.vramBytes ?? row.vramBytes);
    const platform = { ...row, vramBytes };
    const { debugBuild = false } = options;
    // Clients are of the user that runs the server.
    const sysNice = process.getuid?.() === 0;
    this.device = new XeDevice({
      platform,
      sysNice,
      quirks: RECORDED_PROFILE,
      debugBuild,
      memory: memoryOf(options),
    });
    this.platform = platform;
    this.engines = new Engines(monotonicNow, options.note);
    this.title = row.title;
    this.bus = {
      bus: "pci",
      slot: "0000:03:00.0",
      vendor: INTEL,
      device: row.deviceId,
      revision: REVISIONS[name] ?? 0,
    };
    this.header = {
      pci_id: `0x${row.deviceId.toString(16)}`,
      va_bits: row.vaBits,
      min_alignment: row.vram64kOnly ? 65536 : 4096,
      ...(row.forcedScratch && { forced_scratch: true }),
      ...(debugBuild && { debug_build: true }),
      ...(sysNice && { sys_nice: true }),
      mem_regions: [
        {
          instance: 0,
          class: "sysmem",
          size: `0x${this.device.systemBytes.toString(16)}`,
          min_page_size: 4096,
        },
        ...(vramBytes === 0
          ? []
          : [
              {
                instance: 1,
                class: "vram",
                size: `0x${vramBytes.toString(16)}`,
                min_page_size: row.vram64kOnly ? 65536 : 4096,
              },
            ]),
      ],
    };
    options.pages.processPage = (pa) => this.#processPage(pa);
  }

  open(): XeLiveFile {
    const file = new XeLiveFile(this.device.open(), this, IOCTLS);
    this.#files.add(file);
    return file;
  }

  closed(file: XeLiveFile): void {
    this.#files.delete(file);
  }

  progress(): boolean {
    return this.engines.progress();
  }

  /** Pages that MAP_USERPTR pinned are the process's own. */
  #processPage(pa: number): ProcessPage | undefined {
    for (const { model } of this.#files) {
      const pages = model.userPages;
      const page = pages.bytes > 0 ? pages.ownerOf(pa) : undefined;
      if (page?.process instanceof ProcessMemory) return { memory: page.process, addr: page.addr };
    }
    return undefined;
  }
}

/** Xe. */
export const HARDWARE: HardwareDriver = {
  name: "xe",
  devices: new Map(["bmg", ...PLATFORMS.keys()].map((name) => [name, PLATFORMS.get(name)?.title ?? name])),
  deviceOfPciId: (id) => platformOfPciId(id)?.name,
  lens,
  rows: IOCTLS.completed(MODEL_IOCTLS.rows),
  recording: RECORDING,
  create: (device, options) => new XeHardware(device, options),
};
