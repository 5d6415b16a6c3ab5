/* The shim of `vmbind record`: in front of a real driver. Every DRM ioctl runs in the kernel as it would; before it the server
 * reads what it wants to keep of the argument and what that points to, behind it it is told how it went.
 */
#include "wire.h"
#include <time.h>

#define SIZE_MAX_OF_IOCTL 16384
#define FDS 65536

static uint8_t used[FDS];                      /* descriptors that a DRM ioctl was made on */

static void __attribute__((constructor)) begin(void)
{
    if (!r_ioctl) find_server("VMBIND_RECORD");
}
int ioctl(int fd, unsigned long request, ...)
{
    begin();
    ARG;
    if (_IOC_TYPE(request) != 'd' || !meet()) return r_ioctl(fd, request, arg);
    struct tell t;
    uint32_t size = _IOC_SIZE(request);
    if (fd >= 0 && fd < FDS) used[fd] = 1;
    /* 1: it is to be kept. The body comes back for nobody. */
    int kept = call(-1, (struct ask){ .op = BEFORE, .request = request, .value = fd }, arg, size, &t, NULL) == 1;
    struct timespec from, to;
    clock_gettime(CLOCK_MONOTONIC, &from);
    int r = r_ioctl(fd, request, arg), error = errno;
    clock_gettime(CLOCK_MONOTONIC, &to);
    if (kept) {
        struct { int32_t ret; uint32_t pad; uint64_t ns; uint8_t arg[SIZE_MAX_OF_IOCTL]; } m = { r < 0 ? -error : r, 0, (to.tv_sec - from.tv_sec) * 1000000000ll + to.tv_nsec - from.tv_nsec, { 0 } };
        memcpy(m.arg, arg, size);
        call(-1, (struct ask){ .op = AFTER, .request = request, .value = fd }, &m, 16 + size, &t, NULL);
    }
    errno = error;
    return r;
}
int close(int fd)
{
    begin();
    struct tell t;
    int r = r_close(fd), mine = fd >= 0 && fd < FDS && used[fd], error = errno;
    if (mine && !(used[fd] = 0) && meet()) call(-1, (struct ask){ .op = CLOSED }, NULL, 0, &t, NULL);
    errno = error;
    return r;
}
/* The next shim may want to know it, too. */
void vmbind_mark(const char *text)
{
    struct tell t;
    void (*next)(const char *) = (void (*)(const char *))dlsym(RTLD_NEXT, "vmbind_mark");
    begin();
    if (next) next(text);
    if (meet()) call(-1, (struct ask){ .op = MARK }, (void *)text, strnlen(text, 256), &t, NULL);
}
