/** Which drivers have a model. */

import { DRIVERS } from "@vmbind/lab";

/** @returns their names */
export function listDrivers(): string[] {
  return [...DRIVERS.keys()];
}
