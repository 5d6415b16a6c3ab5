/**
 * The one way in which a run of a workload fails that is not the program's fault.
 *
 * @module
 */

/** The driver model refused an ioctl of a lowering, or its user-mode driver has no address left. */
export class RefusedError extends Error {
  /** Tells it from other errors where classes are lost. */
  override readonly name = "RefusedError";
}
