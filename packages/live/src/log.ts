/**
 * A log in the manner of strace: a line for each ioctl with its decoded argument, and where one is refused, why; a sentence that
 * no real kernel says.
 *
 * @module
 */

import {
  arraysOf,
  decodeIoctl,
  errnoName,
  fromRecorded,
  type IoctlRow,
  ioctlText,
  structText,
  TYPE_DRM,
} from "@vmbind/drm";
import { hexOf } from "@vmbind/trace";
import { CORE_IOCTLS } from "./core/drm-ioctls.ts";
import type { HardwareDriver } from "./hardware.ts";
import type { SeenIoctl, ServerObserver } from "./observer.ts";

/** Elements of an array that a line shows. */
const ELEMENTS = 8;
/** Bytes of an unknown argument that a line shows. */
const BYTES = 64;

/**
 * @param driver - whose ioctls
 * @param say - takes a line, without its line end
 * @returns who looks on and tells
 */
export function logCalls(driver: HardwareDriver, say: (line: string) => void): ServerObserver {
  const rows = new Map(driver.rows.map((row) => [decodeIoctl(row.request).nr, row]));
  return {
    opened: (_, fileNumber, client) => say(`${client.memory.pid} open = file ${fileNumber}`),
    closed: (fileNumber) => say(`close of file ${fileNumber}`),
    mark: (text) => say(`-- ${text}`),
    ioctl(seen) {
      const text = reader(rows, seen);
      let waits = true;
      setImmediate(() => {
        if (waits) say(`${placeOf(seen)} ${text()} waits`);
      });
      return ({ ret, reason }) => {
        waits = false;
        const why = reason === null ? "" : ` (${reason.replace(/^[A-Z0-9]+: /, "")})`;
        say(`${placeOf(seen)} ${text()} = ${ret < 0 ? `-${errnoName(ret)}${why}` : ret}`);
      };
    },
  };
}

function placeOf({ client, fileNumber }: SeenIoctl): string {
  return fileNumber < 0 ? `${client.memory.pid}` : `${client.memory.pid} file ${fileNumber}`;
}

/** The call in words. Arrays are read now; the argument's own bytes when they are asked for: with what came back. */
function reader(rows: ReadonlyMap<number, IoctlRow<never>>, seen: SeenIoctl): () => string {
  const { request, arg, client } = seen;
  const { type, nr } = decodeIoctl(request);
  const row = type === TYPE_DRM && seen.fileNumber >= 0 ? rows.get(nr) : undefined;
  if (row !== undefined) {
    const found = arraysOf(row.arrays, arg, (addr, length) => {
      try {
        const { buffer } = client.memory.view(addr, length);
        return new Uint8Array(buffer);
      } catch {
        return null;
      }
    });
    const arrays = found.flatMap(({ field, data }) => (data === null ? [] : [{ field, data }]));
    const options = { zeros: false, elements: ELEMENTS };
    return () => `${row.name} ${ioctlText(row, arg, fromRecorded(arrays), options)}`;
  }
  const core = type === TYPE_DRM && seen.fileNumber >= 0 ? CORE_IOCTLS.get(nr) : undefined;
  if (core?.layout) {
    const { name, layout } = core;
    return () => `${name} ${structText(layout, arg, { zeros: false })}`;
  }
  const name = core?.name ?? `ioctl 0x${(request >>> 0).toString(16)}`;
  return () => `${name} ${hexOf(arg.subarray(0, BYTES))}${arg.length > BYTES ? "..." : ""}`;
}
