/**
 * A result is 0 or a negative errno that the specification allows for this ioctl, and a negative one has a reason.
 *
 * @module
 */

import { decodeIoctl, EINVAL, ENOTTY } from "@vmbind/drm";
import type { CheckedCall, Checker, OpenDevice, Report } from "@vmbind/trace";
import type { FuzzDriver } from "../fuzz-driver.ts";
import { specByNumber } from "../spec.ts";

const TYPE_DRM = 0x64;

/** Reports `errno`. */
export class ErrnoChecker implements Checker {
  readonly #driver: FuzzDriver;
  readonly #device: OpenDevice;
  readonly #report: Report;

  /**
   * @param driver - knows the ioctls
   * @param device - the device under test
   * @param report - takes what is wrong
   */
  constructor(driver: FuzzDriver, device: OpenDevice, report: Report) {
    this.#driver = driver;
    this.#device = device;
    this.#report = report;
  }

  /** See {@link Checker.afterCall}. */
  afterCall({ file, request, ret }: CheckedCall): void {
    if (ret === 0) return;
    this.#checkReason(file, request, ret);
    const spec =
      decodeIoctl(request).type === TYPE_DRM ? specByNumber(this.#driver.specs, request) : undefined;
    const allowed = spec?.errnos ?? [EINVAL, ENOTTY];
    if (allowed.includes(-ret)) return;
    if (this.#driver.defectErrnos?.(this.#device.file(file)).includes(-ret)) return;
    const name = spec?.name ?? `request 0x${request.toString(16)}`;
    this.#report("errno", "none", `${name} returned ${ret}, which its specification does not know`);
  }

  /** The kernel gives a number; a model also says what was wrong, of this call and not of one before. */
  #checkReason(file: number, request: number, ret: number): void {
    const error = this.#device.file(file).lastError;
    if (error?.errno === -ret && error.reason !== "") return;
    const said = error === null ? "no reason" : `"${error.message}" for a reason`;
    this.#report("errno", "none", `request 0x${request.toString(16)} returned ${ret} with ${said}`);
  }
}
