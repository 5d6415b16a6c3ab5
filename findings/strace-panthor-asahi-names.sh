#!/bin/sh
# strace prints the ioctls of panthor and of asahi under the names of other drivers, or as bare numbers.
#
# Package    strace 6.13+ds-1 (Debian trixie); the same with 7.2+ds-1+b1 (sid, 2026-11-29)
# Expected   strace(1) says that arguments are printed in symbolic form; of an ioctl the name comes from a list made of the kernel's
#            headers. Driver numbers from 0x40 up are each driver's own, so where several drivers have a request of equal number,
#            direction and size, strace prints all the names with "or". A reader takes it that the right name is among them.
# Seen       It is for the drivers whose headers define their numbers as macros (xe, nouveau). The requests of panthor_drm.h and of
#            asahi_drm.h, which define them as enumerators, are never among the names: VM_BIND of panthor reads as AMDGPU_BO_LIST or
#            MSM_GEM_INFO, asahi's as a CPU_PREP or XE_VM_DESTROY; several read as exactly one name, which is wrong.
# Matters    A log of panvk or honeykrisp, read by name, tells of calls that never happened.
. "$(dirname "$0")/base/debian.sh"

unpack trixie strace=6.13+ds-1

# Any file will do: the name is printed whatever the kernel answers (here ENOTTY).
compile calls <<'C'
#include <fcntl.h>
#include <linux/ioctl.h>
#include <sys/ioctl.h>

#define WR(number, size) _IOC(_IOC_READ | _IOC_WRITE, 'd', number, size)
#define W(number, size) _IOC(_IOC_WRITE, 'd', number, size)

int main(void) {
  static char argument[256];
  int file = open("/dev/null", O_RDWR);
  static const unsigned long requests[] = {
    WR(0x43, 24),  // panthor VM_BIND
    WR(0x44, 8),   // panthor VM_GET_STATE
    WR(0x46, 16),  // panthor BO_MMAP_OFFSET and asahi GEM_MMAP_OFFSET
    WR(0x47, 56),  // panthor GROUP_CREATE
    WR(0x49, 24),  // panthor GROUP_SUBMIT
    W(0x44, 24),   // asahi VM_BIND
    WR(0x47, 40),  // asahi GEM_BIND_OBJECT
    W(0x4a, 40),   // asahi SUBMIT
    W(0x45, 136),  // xe VM_BIND
    WR(0x51, 40),  // nouveau VM_BIND
  };
  for (unsigned i = 0; i < sizeof requests / sizeof *requests; i++) ioctl(file, requests[i], argument);
  return 0;
}
C

run "$root/usr/bin/strace" -e trace=ioctl -o "$lab/log" "$lab/calls" || cannot "strace may not trace here"
sed -i '/^ioctl/!d; s/^ioctl([0-9]*, //; s/, 0x[0-9a-f]*) = -1.*//' "$lab/log"
cat "$lab/log"

diff -u - "$lab/log" <<'LOG' || changed "strace prints other names"
DRM_IOCTL_AMDGPU_BO_LIST or DRM_IOCTL_MSM_GEM_INFO
DRM_IOCTL_I915_IRQ_EMIT
DRM_IOCTL_I915_GETPARAM
_IOC(_IOC_READ|_IOC_WRITE, 0x64, 0x47, 0x38)
DRM_IOCTL_VIRTGPU_GET_CAPS
DRM_IOCTL_ETNAVIV_GEM_CPU_PREP or DRM_IOCTL_MSM_GEM_CPU_PREP or DRM_IOCTL_XE_VM_DESTROY
DRM_IOCTL_PVR_CREATE_CONTEXT
_IOC(_IOC_WRITE, 0x64, 0x4a, 0x28)
DRM_IOCTL_XE_VM_BIND
DRM_IOCTL_NOUVEAU_VM_BIND
LOG
holds
