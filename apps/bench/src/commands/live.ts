/**
 * `vmbind live`: a program on a driver model.
 *
 * @module
 */

import { CannotStart, DEFAULT_DEVICE, hardwareDriver, LIVE_DRIVERS, LiveSession, NoShim } from "@vmbind/live";
import { cacheFolder } from "../cache/cache-folder.ts";
import type { CommandInput } from "../command.ts";
import { UsageError } from "../errors.ts";
import { complain, type Io } from "../io.ts";
import { noSuchName } from "../text/nearest.ts";

/** Runs the command; see {@link COMMANDS} for what it does. */
export async function run({ options, operands }: CommandInput, io: Io): Promise<number> {
  const { driver, device } = await deviceOf(options["device"]);
  let session: LiveSession;
  try {
    session = await LiveSession.start({ driver, device, cache: io.cacheFolder ?? cacheFolder() });
  } catch (error) {
    if (error instanceof NoShim) throw new UsageError(error.message);
    throw error;
  }
  try {
    return (await session.run(operands)).status;
  } catch (error) {
    if (!(error instanceof CannotStart)) throw error;
    complain(io, "live", error.message);
    return error.status;
  } finally {
    session.close();
  }
}

async function deviceOf(given: CommandInput["options"][string]) {
  const [name = "", wanted] = (typeof given === "string" ? given : DEFAULT_DEVICE).split(":");
  const driver = await hardwareDriver(name);
  if (driver === undefined) throw new UsageError(`--device: ${noSuchName("driver", name, LIVE_DRIVERS)}`);
  const device = wanted ?? [...driver.devices.keys()][0] ?? "";
  if (driver.devices.has(device)) return { driver, device };
  throw new UsageError(`--device: ${noSuchName("device", device, [...driver.devices.keys()])}`);
}
