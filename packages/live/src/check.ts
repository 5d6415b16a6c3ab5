/**
 * Looking after a model while programs use it: its invariants after every call that changes memory, and what is left of a file
 * when it is closed.
 *
 * @module
 */

import type { BindOp, Lens, ModelDevice, ModelFile } from "@vmbind/trace";
import type { HardwareDriver, LiveFile } from "./hardware.ts";
import type { ServerObserver } from "./observer.ts";

/** What a closed file had left to its end, which the kernel then takes away. */
export interface Leftover {
  /** Number of the file in the order of opening. */
  readonly file: number;
  /** VMs. */
  readonly vms: number;
  /** Mappings in them. */
  readonly mappings: number;
  /** Objects with a handle. */
  readonly objects: number;
  /** Their bytes. */
  readonly bytes: number;
}

/**
 * @param file - a file that is about to be closed
 * @param number - its number
 * @returns what it still has
 */
export function leftoverOf({ model }: LiveFile, number: number): Leftover {
  let vms = 0;
  let mappings = 0;
  for (const [, vm] of model.vms()) {
    vms++;
    for (const _ of vm.mappings()) mappings++;
  }
  let objects = 0;
  let bytes = 0;
  for (const [, bo] of model.bos()) {
    objects++;
    bytes += bo.size;
  }
  return { file: number, vms, mappings, objects, bytes };
}

/**
 * @param take - gets what each closed file had left, where it had anything
 * @returns who looks on
 */
export function watchLeftovers(take: (leftover: Leftover) => void): ServerObserver {
  const files = new Map<number, LiveFile>();
  return {
    opened: (file, number) => void files.set(number, file),
    closed(number) {
      const file = files.get(number);
      files.delete(number);
      if (file === undefined) return;
      const leftover = leftoverOf(file, number);
      if (leftover.vms + leftover.objects > 0) take(leftover);
    },
  };
}

/**
 * Check every invariant after each call that a recording would keep: those that change memory.
 *
 * @param driver - whose calls
 * @param device - its model
 * @param broken - gets what is wrong; after the first there is nothing more to be learnt
 * @returns who looks on
 */
export function checkCalls(
  driver: HardwareDriver,
  device: ModelDevice,
  broken: (error: Error) => void,
): ServerObserver {
  const lens: Lens<BindOp, ModelFile> = driver.lens;
  const { keeps } = driver.recording;
  const requests = new Set(
    driver.rows.filter(({ name }) => keeps.includes(name)).map(({ request }) => request & 0xff),
  );
  const files = new Map<number, ModelFile>();
  let over = false;
  const check = () => {
    if (over) return;
    try {
      lens.checkInvariants(device, [...files.values()]);
    } catch (error) {
      over = true;
      broken(error instanceof Error ? error : new Error(String(error)));
    }
  };
  return {
    opened: (file, number) => void files.set(number, file.model),
    closed: (number) => void files.delete(number),
    ioctl: ({ fileNumber, request }) =>
      fileNumber >= 0 && ((request >>> 8) & 0xff) === 0x64 && requests.has(request & 0xff)
        ? check
        : undefined,
  };
}
