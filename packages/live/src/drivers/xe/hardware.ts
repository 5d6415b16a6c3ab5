/**
 * An Intel GPU for live programs: the model of `@vmbind/xe` on PCI.
 *
 * @module
 */

import { IOCTLS, PLATFORMS, type UserPage, type UserPages, XeDevice, type XeFile } from "@vmbind/xe";
import { lens } from "@vmbind/xe/trace";
import type { LiveCall } from "../../call.ts";
import {
  type Answer,
  askModel,
  type Bus,
  type DriverVersion,
  type Hardware,
  type HardwareDriver,
  type HardwareOptions,
  type LiveFile,
} from "../../hardware.ts";
import { ProcessMemory } from "../../process-memory.ts";
import type { ProcessPage } from "../../shared-memory.ts";
import { RECORDING } from "./recording.ts";

const INTEL = 0x8086;
/** Revision of the steppings that Mesa and igt expect; others have 0. */
const REVISIONS: Readonly<Record<string, number>> = { lnl: 4, dg2: 8, tgl: 1 };
/** VRAM lies at 2^45 in the model. */
const VRAM_BASE = 2 ** 45;

class XeLiveFile implements LiveFile {
  readonly model: XeFile;
  readonly #closed: () => void;

  constructor(model: XeFile, closed: () => void) {
    this.model = model;
    this.#closed = closed;
    model.userPages.access = ({ process, addr }) =>
      process instanceof ProcessMemory ? process.accessAt(addr) : "none";
  }

  ioctl(call: LiveCall, request: number, arg: Uint8Array): Answer {
    return askModel(this.model, call, request, arg);
  }

  close(): void {
    this.model.close();
    this.#closed();
  }
}

class XeHardware implements Hardware {
  readonly device: XeDevice;
  readonly version: DriverVersion = {
    name: "xe",
    date: "20201103",
    description: "Intel Xe Graphics",
    version: [1, 1, 0],
  };
  readonly bus: Bus;
  readonly addressBytes: number;
  readonly header: Readonly<Record<string, unknown>>;
  readonly title: string;
  readonly #files = new Set<UserPages>();

  constructor(name: string, options: HardwareOptions) {
    const row = PLATFORMS.get(name);
    if (row === undefined) throw new Error(`no platform ${name}`);
    const vramBytes = row.vramBytes === 0 ? 0 : (options.vramBytes ?? row.vramBytes);
    const platform = { ...row, vramBytes };
    const { backing, systemBytes } = options;
    this.device = new XeDevice({
      platform,
      memory: { backing, ...(systemBytes !== undefined && { frames: { limit: 2 ** 32 + systemBytes } }) },
    });
    this.title = row.title;
    this.bus = {
      bus: "pci",
      slot: "0000:03:00.0",
      vendor: INTEL,
      device: row.deviceId,
      revision: REVISIONS[name] ?? 0,
    };
    this.addressBytes = VRAM_BASE + Math.max(vramBytes, 2 ** 21);
    this.header = {
      pci_id: `0x${row.deviceId.toString(16)}`,
      va_bits: row.vaBits,
      min_alignment: row.vram64kOnly ? 65536 : 4096,
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
    options.shared.processPage = (pa) => this.#processPage(pa);
  }

  open(): LiveFile {
    const file = this.device.open();
    this.#files.add(file.userPages);
    return new XeLiveFile(file, () => this.#files.delete(file.userPages));
  }

  progress(): boolean {
    return false;
  }

  #processPage(pa: number): ProcessPage | undefined {
    for (const pages of this.#files) {
      const page: UserPage | undefined = pages.bytes > 0 ? pages.ownerOf(pa) : undefined;
      if (page?.process instanceof ProcessMemory) return { memory: page.process, addr: page.addr };
    }
    return undefined;
  }
}

/** Xe. */
export const HARDWARE: HardwareDriver = {
  name: "xe",
  devices: new Map(["bmg", ...PLATFORMS.keys()].map((name) => [name, PLATFORMS.get(name)?.title ?? name])),
  lens,
  rows: IOCTLS.rows,
  recording: RECORDING,
  create: (device, options) => new XeHardware(device, options),
};
