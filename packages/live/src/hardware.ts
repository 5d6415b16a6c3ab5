/**
 * What the server has to be told of a driver: one room each, `drivers/<driver>/hardware.ts`. The model has everything that
 * VM_BIND needs; here stands the rest that a user-mode driver asks for before it gets there: what the GPU is called, the queries
 * of its hardware, its queues, and as much of its commands as tests need, executed through the model's page tables.
 *
 * @module
 */

import type { DrmFile, GemObject, IoctlRow } from "@vmbind/drm";
import { type PhysicalBacking, type PhysicalMemoryOptions, systemMemory } from "@vmbind/mmu";
import type { BindOp, Lens, ModelDevice, ModelFile } from "@vmbind/trace";
import type { LiveCall } from "./call.ts";
import type { RecordingRules } from "./recording-rules.ts";
import type { SharedMemory } from "./shared-memory.ts";

/** 0, or a negative errno; or that later, for a call that has to wait. A `DrmError` thrown, now or later, is its errno. */
export type Answer = number | Promise<number>;

/** `drm_version` (`drm.h`): what DRM_IOCTL_VERSION tells. */
export interface DriverVersion {
  /** Name of the driver. */
  readonly name: string;
  /** Date, for people. */
  readonly date: string;
  /** What it is, for people. */
  readonly description: string;
  /** Version, major, minor and patch level. */
  readonly version: readonly [number, number, number];
}

/** Where the GPU sits, as sysfs says it: on PCI with these ids, or in a device tree with these `compatible` names. */
export type Bus =
  | {
      /** Tells the two apart. */
      readonly bus: "pci";
      /** Slot, e.g. `0000:03:00.0`. */
      readonly slot: string;
      /** Vendor and device id, 16 bits each. */
      readonly vendor: number;
      /** See {@link Bus}. */
      readonly device: number;
      /** Revision, 8 bits. */
      readonly revision: number;
    }
  | {
      /** Tells the two apart. */
      readonly bus: "platform";
      /** Path in the device tree. */
      readonly path: string;
      /** Names, the most exact one first. */
      readonly compatible: readonly string[];
    };

/** What can be chosen about the machine. */
export interface HardwareOptions {
  /** Where the bytes of physical memory are kept: an option of every model. */
  readonly backing: PhysicalBacking;
  /** Receives whose page a physical address is, from rooms that let the GPU reach a process's pages. */
  readonly pages: Pick<SharedMemory, "processPage">;
  /** Bytes of the GPU's own memory in place of what the device has; nothing for one that has none. */
  readonly vramBytes?: number;
  /** Bytes of system memory for objects; the model's default unless given. */
  readonly systemBytes?: number;
  /** The driver is built for debugging, for those in which that changes what an ioctl takes. */
  readonly debugBuild?: boolean;
  /** Says something about the GPU that no ioctl tells: a fault, a hang, a command that is not known. */
  note(text: string): void;
}

/** The model's physical memory: kept where the options say, and as much. */
export function memoryOf({ backing, systemBytes }: HardwareOptions): PhysicalMemoryOptions {
  return { backing, ...(systemBytes !== undefined && { frames: systemMemory(systemBytes) }) };
}

/** An open file: what it does with the ioctls of its driver, and the model's file below. */
export interface LiveFile {
  /** The model's. */
  readonly model: ModelFile;
  /**
   * One ioctl of the driver, or GEM_CLOSE; those of the DRM core are answered before.
   *
   * @param call - who calls, and how to wait, to make descriptors, to look them up
   * @param request - 32-bit request number
   * @param arg - the argument; changed in place
   */
  ioctl(call: LiveCall, request: number, arg: Uint8Array): Answer;
  /**
   * mmap at an offset that is no object's.
   *
   * @param offset - in bytes
   * @returns true for a page without memory of an object, such as a register page
   */
  hasPage?(offset: number): boolean;
  /** The last descriptor is gone: queues end, then the model's file is closed. */
  close(): void;
}

/** A GPU with its driver. */
export interface Hardware {
  /** The model. */
  readonly device: ModelDevice;
  /** What DRM_IOCTL_VERSION tells. */
  readonly version: DriverVersion;
  /** Where it sits. */
  readonly bus: Bus;
  /** Facts for the header of recordings, beside those of every trace. */
  readonly header: Readonly<Record<string, unknown>>;
  /** For people, and for the header of recordings. */
  readonly title: string;
  /** Open the node. */
  open(): LiveFile;
  /**
   * Work off what is queued, as far as it goes now.
   *
   * @returns whether there is work that can go on without another call: it is asked again in a millisecond
   */
  progress(): boolean;
}

/** A driver, as the table of drivers has it. */
export interface HardwareDriver {
  /** Name of the driver, first part of `--device`. */
  readonly name: string;
  /** Names for the second part of `--device` with what they are; the first is the default. */
  readonly devices: ReadonlyMap<string, string>;
  /**
   * Which of the devices a GPU is that has another PCI device id than they have, where many ids are one to the driver.
   *
   * @param id - PCI device id
   * @returns a name from {@link HardwareDriver.devices}; undefined for one that is none of them
   */
  deviceOfPciId?(id: number): string | undefined;
  /** Its lens. */
  readonly lens: Lens<BindOp, ModelFile>;
  /** Its ioctls. */
  readonly rows: readonly IoctlRow<never>[];
  /** What a recording keeps. */
  readonly recording: RecordingRules;
  /**
   * @param device - a name from {@link HardwareDriver.devices}
   * @param options - see {@link HardwareOptions}
   * @returns a fresh device
   */
  create(device: string, options: HardwareOptions): Hardware;
}

/**
 * An ioctl for the model alone.
 *
 * @param file - the model's file
 * @param call - who calls
 * @param request - 32-bit request number
 * @param arg - the argument; changed in place
 */
export function askModel(file: DrmFile<GemObject>, call: LiveCall, request: number, arg: Uint8Array): number {
  return file.ioctl(request, arg, call.user);
}
