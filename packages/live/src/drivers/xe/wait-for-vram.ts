/**
 * VRAM that is full of objects in use. The kernel moves such an object behind the fences of those who use it (`ttm_bo.c`, Linux
 * 7.3-rc7), so nobody is refused for a batch that runs. The model moves nothing that is in use and gives ENOMEM; here the ioctl
 * is tried again when a batch is over, until none is left that ends by itself.
 *
 * A batch of a long-running VM does not, and one that waits for a fence may wait for the very caller: neither is waited for.
 *
 * @module
 */

import { DrmError, ENOMEM } from "@vmbind/drm";
import type { XeDevice } from "@vmbind/xe";
import type { LiveCall } from "../../call.ts";
import type { Answer } from "../../hardware.ts";
import type { Engines } from "./jobs.ts";

/** Who uses VRAM. */
export interface VramUsers {
  /** The model. */
  readonly device: Pick<XeDevice, "busyVramBytes">;
  /** What runs batches. */
  readonly engines: Pick<Engines, "running" | "over">;
}

/**
 * @param call - the call
 * @param users - see {@link VramUsers}
 * @param ask - makes the answer; one that is ENOMEM has changed nothing
 * @returns the first answer that is not ENOMEM, or ENOMEM when waiting is of no use
 * @throws what `ask` throws, now or later
 */
export function waitForVram(call: LiveCall, users: VramUsers, ask: () => Answer): Answer {
  const { device, engines } = users;
  const before = engines.over;
  let full: Answer | DrmError;
  try {
    full = ask();
    if (full !== -ENOMEM) return full;
  } catch (error) {
    if (!(error instanceof DrmError) || error.errno !== ENOMEM) throw error;
    full = error;
  }
  if (engines.running && device.busyVramBytes > 0) {
    const ready = () => engines.over !== before || !engines.running;
    const again = () => waitForVram(call, users, ask);
    const came = call.until({ ready, deadline: null });
    return came === true ? again() : Promise.resolve(came).then((ended) => (ended ? again() : -ENOMEM));
  }
  if (full instanceof DrmError) throw full;
  return full;
}
