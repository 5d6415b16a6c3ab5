/**
 * How VM_CREATE divides the addresses of a VM between user and kernel (`panthor_mmu.c`, Linux 7.3-rc7).
 *
 * @module
 */

/** The two parts of a VM's addresses. */
export interface VmRanges {
  /** Bytes of user VA, from 0 on. */
  userRange: number;
  /** Bytes of kernel VA behind it, a power of two. */
  kernelRange: number;
}

const MIN_KERNEL_RANGE = 256 * 1024 * 1024;

/**
 * Divide an address space between user and kernel (VM_CREATE).
 *
 * @param vaBits - width of GPU addresses
 * @param taskSize - bytes of a process's address space
 * @param requested - bytes of user VA wanted, 0 to let the kernel choose
 * @returns the ranges, or null for -EINVAL: the wish leaves the kernel less than 256 MiB, or nothing is left for the user
 */
export function divideVa(vaBits: number, taskSize: number, requested: number): VmRanges | null {
  const full = 2 ** vaBits;
  if (full <= MIN_KERNEL_RANGE) return null;
  const wish =
    requested !== 0
      ? requested
      : taskSize < full
        ? taskSize
        : full > 2 ** 32
          ? full / 2
          : full - MIN_KERNEL_RANGE;
  const limit = Math.min(wish, full - MIN_KERNEL_RANGE);
  if (requested !== 0 && !(requested <= limit)) return null;
  const kernelRange = 2 ** Math.floor(Math.log2(full - limit));
  return { userRange: full - kernelRange, kernelRange };
}
