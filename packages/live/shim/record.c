/* The shim of `vmbind record`: in front of a real driver. Every DRM ioctl runs in the kernel as it would; before it the server
 * reads what it wants to keep of the argument and what that points to, behind it it is told how it went.
 */
#include "wire.h"
#include <time.h>

#define SIZE_MAX_OF_IOCTL 16384

static void __attribute__((constructor)) begin(void)
{
    static int done;
    if (done) return;
    done = 1;
    find_server("VMBIND_RECORD");
}
int ioctl(int fd, unsigned long request, ...)
{
    begin();
    va_list ap;
    va_start(ap, request);
    void *arg = va_arg(ap, void *);
    va_end(ap);
    if (_IOC_TYPE(request) != 'd' || !meet()) return r_ioctl(fd, request, arg);
    struct tell t;
    uint32_t size = _IOC_SIZE(request);
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
/* The next shim may want to know it, too. */
void vmbind_mark(const char *text)
{
    struct tell t;
    void (*next)(const char *) = (void (*)(const char *))dlsym(RTLD_NEXT, "vmbind_mark");
    begin();
    if (next) next(text);
    if (meet()) call(-1, (struct ask){ .op = MARK }, (void *)text, strnlen(text, 256), &t, NULL);
}
