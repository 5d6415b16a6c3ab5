#!/bin/sh
# Under qemu-user no VM_BIND reaches the kernel, and panthor's and asahi's mmap offset is asked for as an i915 parameter.
#
# Package    qemu-user 1:11.1.3+ds-1 (Debian sid, 2026-11-29); 1:10.0.13+ds-0+deb13u1 (trixie) does so too, without printing a name
# Expected   QEMU's manual (user/main, "System call translation") says that it can adjust device-specific ioctls, too. These structs
#            have one layout for 32 and 64 bits, as the rules at the top of panthor_drm.h ask, so there is little to adjust.
# Seen       Requests that are not in QEMU's own table get ENOTTY from QEMU itself; that is VM_BIND of every driver that has one. What
#            a program then sees is a kernel without VM_BIND. The one request that is in the table, 0xc0106446, is taken for
#            DRM_IOCTL_I915_GETPARAM: its second 8 bytes, where panthor and asahi write the offset, are read as a pointer and
#            replaced on the way to the kernel, so that no offset can come back.
# Matters    A Vulkan driver of another architecture can be tried under qemu-user only with what stands for the kernel inside the
#            guest, as `scripts/live-oracle` has it, never on a real device of the host.
. "$(dirname "$0")/base/debian.sh"

unpack sid qemu-user=1:11.1.3+ds-1 strace=7.2+ds-1+b1

compile calls -static <<'C'
#include <fcntl.h>
#include <linux/ioctl.h>
#include <stdint.h>
#include <sys/ioctl.h>

int main(void) {
  int file = open("/dev/null", O_RDWR);
  static uint64_t argument[32];
  ioctl(file, _IOC(_IOC_READ | _IOC_WRITE, 'd', 0x43, 24), argument);  // panthor VM_BIND
  ioctl(file, _IOC(_IOC_WRITE, 'd', 0x44, 24), argument);              // asahi
  ioctl(file, _IOC(_IOC_WRITE, 'd', 0x45, 136), argument);             // xe
  ioctl(file, _IOC(_IOC_READ | _IOC_WRITE, 'd', 0x51, 40), argument);  // nouveau
  ioctl(file, _IOC(_IOC_READ | _IOC_WRITE, 'd', 0x4d, 88), argument);  // msm
  argument[0] = 7;                                                     // handle 7, pad 0
  ioctl(file, _IOC(_IOC_READ | _IOC_WRITE, 'd', 0x46, 16), argument);  // panthor BO_MMAP_OFFSET, asahi GEM_MMAP_OFFSET
  return 0;
}
C

# What the program asks of QEMU, and outside what QEMU asks of the kernel.
run "$root/usr/bin/strace" -f -e trace=ioctl -e raw=ioctl -o "$lab/kernel" \
  "$root/usr/bin/qemu-x86_64" -strace -d unimp "$lab/calls" >"$lab/guest" 2>&1 || { cat "$lab/guest" >&2; cannot "no trace"; }
grep 'ioctl(' "$lab/guest" | tee "$lab/asked"
grep -o 'ioctl(0x[0-9a-f]*, 0x[0-9a-f]*64[0-9a-f]*, .*' "$lab/kernel" | tee "$lab/reached" || true

for number in 0xc0186443 0x40186444 0x40886445 0xc0286451 0xc058644d; do
  grep -q "Unsupported ioctl: cmd=0x[f]*${number#0x}" "$lab/asked" || changed "$number is not refused by QEMU any more"
  absent "$lab/reached" "$number"
done
expect "$lab/asked" 'DRM_IOCTL_I915_GETPARAM,{7,0x0})'
expect "$lab/reached" '0xc0106446'
holds
