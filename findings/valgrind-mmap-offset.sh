#!/bin/sh
# Memcheck reports an invalid pointer in a valid call of panthor's or asahi's that asks for a buffer's mmap offset.
#
# Package    valgrind 1:3.24.0-3 (Debian trixie); the same with 1:3.27.1-0.2 (sid, 2026-11-29)
# Expected   Where it has no wrapper for a request Valgrind goes by the direction and size in the number (and warns where there are
#            none: "noted but unhandled ioctl ... with no size/direction hints"). {handle, pad, offset}, 16 bytes, all set, is in order.
# Seen       "Syscall param ioctl(DRM_I915_GETPARAM).value points to unaddressable byte(s)". Driver numbers are each driver's own;
#            0xc0106446 is i915's GETPARAM, whose second 8 bytes are a pointer, and also DRM_IOCTL_PANTHOR_BO_MMAP_OFFSET and
#            DRM_IOCTL_ASAHI_GEM_MMAP_OFFSET, where the kernel writes the offset there. Valgrind never asks whose file it is.
# Matters    Whatever maps a buffer of panthor or asahi under Memcheck gets such a report. VM_BIND, with a number that Valgrind does not
#            know, passes as it should.
. "$(dirname "$0")/base/debian.sh"

unpack trixie valgrind=1:3.24.0-3

# Without a C library, so that Memcheck has these calls and nothing else to judge. Any file will do: Memcheck looks at the argument
# before the kernel does (which answers ENOTTY here).
compile calls -nostdlib -static -fno-stack-protector <<'C'
#include <asm/unistd.h>
#include <fcntl.h>
#include <linux/ioctl.h>
#include <stdint.h>

struct mmap_offset {
  uint32_t handle, pad;
  uint64_t offset;  // out
};

struct vm_bind {  // panthor's
  uint32_t vm_id, flags, stride, count;
  uint64_t array;
};

static long call(long number, long a, long b, long c) {
  __asm__ volatile("syscall" : "+a"(number) : "D"(a), "S"(b), "d"(c) : "rcx", "r11", "memory");
  return number;
}

void _start(void) {
  long file = call(__NR_open, (long)"/dev/null", O_RDWR, 0);
  struct mmap_offset where = {.handle = 1};
  call(__NR_ioctl, file, _IOC(_IOC_READ | _IOC_WRITE, 'd', 0x46, sizeof where), (long)&where);
  struct vm_bind none = {.vm_id = 1, .stride = 48};
  call(__NR_ioctl, file, _IOC(_IOC_READ | _IOC_WRITE, 'd', 0x43, sizeof none), (long)&none);
  call(__NR_exit_group, 0, 0, 0);
}
C

VALGRIND_LIB=$root/usr/libexec/valgrind run "$root/usr/bin/valgrind.bin" "$lab/calls" >"$lab/log" 2>&1 ||
  { cat "$lab/log" >&2; cannot "valgrind does not run"; }
grep -E 'Syscall param|_start|ERROR SUMMARY' "$lab/log"

expect "$lab/log" 'Syscall param ioctl(DRM_I915_GETPARAM).value points to unaddressable byte(s)'
expect "$lab/log" 'ERROR SUMMARY: 1 errors from 1 contexts'
holds
