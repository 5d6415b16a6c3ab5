/** Which strategies there are, and what each driver's own operations are called: what a page offers and completes. */

import { LAB_WORKLOADS, SPARSE_STRATEGIES } from "@vmbind/lab";

/** A strategy as a page offers it. */
interface OfferedStrategy {
  readonly name: string;
  readonly driver: string;
  readonly says: string;
  readonly devices: readonly string[];
}

/** An operation of a driver's `vmBind`. */
interface OfferedOp {
  readonly op: string;
  readonly needs: readonly string[];
  readonly takes: readonly string[];
}

/** What there is to choose from, and to complete with. */
export interface Offer {
  /** In the order of the table. */
  readonly strategies: readonly OfferedStrategy[];
  /** The operations of each driver. */
  readonly vmBind: readonly { readonly driver: string; readonly ops: readonly OfferedOp[] }[];
  /** What two strategies may be compared on. */
  readonly workloads: readonly { readonly name: string; readonly description: string }[];
}

/** @returns all of it */
export async function listStrategies(): Promise<Offer> {
  const vmBind = new Map<string, OfferedOp[]>();
  for (const { driver, devices, open } of SPARSE_STRATEGIES) {
    const { forms } = (await open(devices[0])).vmBind;
    const known = vmBind.get(driver) ?? [];
    const ops = Object.entries(forms).map(([op, { needs, takes }]) => ({ op, needs, takes }));
    // Strategies of one driver have one header, some of them a proposal's more.
    if (ops.length > known.length) vmBind.set(driver, ops);
  }
  return {
    strategies: SPARSE_STRATEGIES.map(({ name, driver, says, devices }) => ({ name, driver, says, devices })),
    vmBind: [...vmBind].map(([driver, ops]) => ({ driver, ops })),
    workloads: LAB_WORKLOADS.map(({ name, description }) => ({ name, description })),
  };
}
