/* A small client of the xe uAPI, for tests: every way in which a program can hold, share and lose what the kernel gave it.
 * It knows nothing of a shim; on a machine with an Intel GPU and the xe driver it runs as well.
 *
 *   client whole|descriptors|prime|syncobjs|threads|faults|latency N|hold|child FD
 *
 * Structs and numbers: xe_drm.h and drm.h, Linux 7.3-rc7.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define NODE "/dev/dri/renderD128"
#define MiB (1ull << 20)

struct version { int32_t major, minor, patch; uint64_t name_len; char *name; uint64_t date_len; char *date; uint64_t desc_len; char *desc; };
struct cap { uint64_t capability, value; };
struct close_bo { uint32_t handle, pad; };
struct create_bo { uint64_t ext, size; uint32_t placement, flags, vm, handle; uint16_t caching, pad[3]; uint64_t reserved[2]; };
struct bo_offset { uint64_t ext; uint32_t handle, flags; uint64_t offset, reserved[2]; };
struct create_vm { uint64_t ext; uint32_t flags, vm; uint64_t reserved[2]; };
struct destroy_vm { uint32_t vm, pad; uint64_t reserved[2]; };
struct bind_op { uint64_t ext; uint32_t obj; uint16_t pat, pad; uint64_t offset, range, addr; uint32_t op, flags, region, pad2; uint64_t reserved[3]; };
struct sync { uint64_t ext; uint32_t type, flags; uint64_t handle, value, reserved[2]; };
struct bind { uint64_t ext; uint32_t vm, queue, pad, count; union { struct bind_op one; uint64_t many; }; uint32_t pad2, syncs; uint64_t sync, reserved[2]; };
struct instance { uint16_t class, instance, gt, pad; };
struct create_queue { uint64_t ext; uint16_t width, placements; uint32_t vm, flags, queue; uint64_t instances, reserved[2]; };
struct exec { uint64_t ext; uint32_t queue, syncs; uint64_t sync, address; uint16_t batches, pad[3]; uint64_t reserved[2]; };
struct prime { uint32_t handle, flags; int32_t fd; };
struct create_syncobj { uint32_t handle, flags; };
struct syncobj_fd { uint32_t handle, flags; int32_t fd; uint32_t pad; uint64_t point; };
struct wait { uint64_t handles, points; int64_t timeout; uint32_t count, flags, first, pad; uint64_t deadline; };
struct timeline { uint64_t handles, points; uint32_t count, flags; };
struct merge { char name[32]; int32_t fd2, fence; uint32_t flags, pad; };

#define VERSION _IOWR('d', 0x00, struct version)
#define GET_CAP _IOWR('d', 0x0c, struct cap)
#define GEM_CLOSE _IOW('d', 0x09, struct close_bo)
#define HANDLE_TO_FD _IOWR('d', 0x2d, struct prime)
#define FD_TO_HANDLE _IOWR('d', 0x2e, struct prime)
#define BO_CREATE _IOWR('d', 0x41, struct create_bo)
#define BO_OFFSET _IOWR('d', 0x42, struct bo_offset)
#define VM_CREATE _IOWR('d', 0x43, struct create_vm)
#define VM_DESTROY _IOW('d', 0x44, struct destroy_vm)
#define VM_BIND _IOW('d', 0x45, struct bind)
#define QUEUE_CREATE _IOWR('d', 0x46, struct create_queue)
#define EXEC _IOW('d', 0x49, struct exec)
#define SYNCOBJ_CREATE _IOWR('d', 0xbf, struct create_syncobj)
#define SYNCOBJ_TO_FD _IOWR('d', 0xc1, struct syncobj_fd)
#define SYNCOBJ_FROM_FD _IOWR('d', 0xc2, struct syncobj_fd)
#define SYNCOBJ_WAIT _IOWR('d', 0xca, struct wait)
#define SYNCOBJ_QUERY _IOWR('d', 0xcb, struct timeline)
#define SYNCOBJ_SIGNAL _IOWR('d', 0xcd, struct timeline)
#define SYNC_MERGE _IOWR('>', 3, struct merge)

static int line_of_failure;
#define CHECK(x) do { if (!(x)) { printf("line %d: %s (%s)\n", __LINE__, #x, strerror(errno)); exit(1); } } while (0)

static int node(void) { int fd = open(NODE, O_RDWR | O_CLOEXEC); CHECK(fd >= 0); return fd; }
static uint32_t make_vm(int fd) { struct create_vm v = { .flags = 1 }; CHECK(!ioctl(fd, VM_CREATE, &v)); return v.vm; }
static uint32_t make_bo(int fd, uint64_t size)
{
    struct create_bo b = { .size = size, .placement = 1, .caching = 1 };
    CHECK(!ioctl(fd, BO_CREATE, &b));
    return b.handle;
}
static uint32_t *map_bo(int fd, uint32_t handle, uint64_t size)
{
    struct bo_offset o = { .handle = handle };
    CHECK(!ioctl(fd, BO_OFFSET, &o));
    void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, o.offset);
    CHECK(p != MAP_FAILED);
    return p;
}
static int bind_bo(int fd, uint32_t vm, uint32_t handle, uint64_t addr, uint64_t size)
{
    struct bind b = { .vm = vm, .count = 1, .one = { .obj = handle, .pat = 2, .range = size, .addr = addr } };
    return ioctl(fd, VM_BIND, &b);
}
static int has_name(int fd)
{
    char name[16] = "";
    struct version v = { .name_len = sizeof name - 1, .name = name };
    return !ioctl(fd, VERSION, &v) && !strcmp(name, "xe");
}
static uint32_t make_syncobj(int fd) { struct create_syncobj c = { 0 }; CHECK(!ioctl(fd, SYNCOBJ_CREATE, &c)); return c.handle; }
static int wait_for(int fd, uint32_t handle, uint64_t point, int64_t ns, uint32_t flags)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    int64_t until = ns < 0 ? INT64_MAX : now.tv_sec * 1000000000ll + now.tv_nsec + ns;
    struct wait w = { .handles = (uintptr_t)&handle, .points = (uintptr_t)&point, .timeout = until, .count = 1, .flags = flags };
    return ioctl(fd, SYNCOBJ_WAIT, &w);
}
static void signal_point(int fd, uint32_t handle, uint64_t point)
{
    struct timeline t = { .handles = (uintptr_t)&handle, .points = (uintptr_t)&point, .count = 1 };
    CHECK(!ioctl(fd, SYNCOBJ_SIGNAL, &t));
}
static int child_ends_well(pid_t pid) { int status; return waitpid(pid, &status, 0) == pid && WIFEXITED(status) && WEXITSTATUS(status) == 0; }

/* A batch stores into an object; the CPU sees it, in a child too. */
static void whole(void)
{
    enum { STORES = 16 };
    int fd = node();
    uint32_t vm = make_vm(fd), data = make_bo(fd, 2 * MiB), batch = make_bo(fd, MiB), done = make_syncobj(fd);
    CHECK(!bind_bo(fd, vm, data, 0x40000000, 2 * MiB) && !bind_bo(fd, vm, batch, 0x50000000, MiB));
    uint32_t *seen = map_bo(fd, data, 2 * MiB), *words = map_bo(fd, batch, MiB), n = 0;
    seen[0] = 7;
    for (int i = 0; i < STORES; i++) {
        uint64_t to = 0x40000000 + 4096ull * i + 4;
        words[n++] = 0x20u << 23 | 2;                   /* MI_STORE_DATA_IMM of one dword, Gen8 on */
        words[n++] = to; words[n++] = to >> 32; words[n++] = 0xc0ffee00 + i;
    }
    words[n] = 0x0au << 23;                             /* MI_BATCH_BUFFER_END */
    struct instance where = { .class = 3 };             /* DRM_XE_ENGINE_CLASS_COPY is 1, VIDEO_ENHANCE 3: any engine runs MI */
    where.class = 1;
    struct create_queue q = { .width = 1, .placements = 1, .vm = vm, .instances = (uintptr_t)&where };
    CHECK(!ioctl(fd, QUEUE_CREATE, &q));
    struct sync s = { .flags = 1, .handle = done };
    struct exec e = { .queue = q.queue, .syncs = 1, .sync = (uintptr_t)&s, .address = 0x50000000, .batches = 1 };
    CHECK(!ioctl(fd, EXEC, &e));
    CHECK(!wait_for(fd, done, 0, -1, 0));
    for (int i = 0; i < STORES; i++) CHECK(seen[1024 * i + 1] == 0xc0ffee00u + i);
    CHECK(seen[0] == 7 && seen[2] == 0);
    pid_t pid = fork();
    if (!pid) {
        CHECK(has_name(fd) && seen[1] == 0xc0ffee00);
        seen[2] = 9;
        _exit(0);
    }
    CHECK(child_ends_well(pid) && seen[2] == 9);
    /* A mapping outlives its handle, and memory that comes back is empty. */
    struct close_bo c = { .handle = data };
    CHECK(!ioctl(fd, GEM_CLOSE, &c) && seen[1] == 0xc0ffee00);
    struct destroy_vm d = { .vm = vm };
    (void)d;
    CHECK(!munmap(seen, 2 * MiB));
    close(fd);
    fd = node();
    uint64_t all = 0;
    uint32_t *fresh = map_bo(fd, make_bo(fd, 64 * MiB), 64 * MiB);
    for (uint64_t i = 0; i < 64 * MiB / 4; i += 64) all |= fresh[i] | fresh[i + 1] | fresh[i + 2];
    CHECK(all == 0);
}

static void send_fd(int socket, int fd)
{
    char byte = 0, room[CMSG_SPACE(sizeof fd)];
    struct iovec part = { &byte, 1 };
    struct msghdr m = { .msg_iov = &part, .msg_iovlen = 1, .msg_control = room, .msg_controllen = sizeof room };
    struct cmsghdr *c = CMSG_FIRSTHDR(&m);
    c->cmsg_level = SOL_SOCKET; c->cmsg_type = SCM_RIGHTS; c->cmsg_len = CMSG_LEN(sizeof fd);
    memcpy(CMSG_DATA(c), &fd, sizeof fd);
    CHECK(sendmsg(socket, &m, 0) == 1);
}
static int receive_fd(int socket)
{
    char byte, room[CMSG_SPACE(sizeof(int))];
    int fd;
    struct iovec part = { &byte, 1 };
    struct msghdr m = { .msg_iov = &part, .msg_iovlen = 1, .msg_control = room, .msg_controllen = sizeof room };
    CHECK(recvmsg(socket, &m, 0) == 1);
    memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&m)), sizeof fd);
    return fd;
}
/* dup, exec, a message, /proc, and a descriptor whose number is used again. */
static void descriptors(const char *self)
{
    int fd = node(), pair[2];
    struct stat st;
    CHECK(!fstat(fd, &st) && S_ISCHR(st.st_mode) && major(st.st_rdev) == 226 && minor(st.st_rdev) == 128);
    CHECK(!stat("/dev/dri/card0", &st) && minor(st.st_rdev) == 0);
    uint32_t bo = make_bo(fd, MiB);
    int copy = dup(fd), other = fcntl(fd, F_DUPFD_CLOEXEC, 100), onto = dup2(fd, 150);
    close(fd);
    CHECK(has_name(copy) && has_name(other) && has_name(onto) && map_bo(copy, bo, MiB));
    int unrelated = open("/dev/null", O_RDWR);
    CHECK(unrelated == fd && ioctl(unrelated, GET_CAP, &(struct cap){ 5, 0 }) && errno == ENOTTY);
    char path[64], number[16];
    snprintf(path, sizeof path, "/proc/self/fd/%d", copy);
    int again = open(path, O_RDWR);
    CHECK(again >= 0 && has_name(again) && make_bo(again, MiB) == 1);
    CHECK(!socketpair(AF_UNIX, SOCK_STREAM, 0, pair));
    pid_t pid = fork();
    if (!pid) {
        int got = receive_fd(pair[1]);
        CHECK(has_name(got) && map_bo(got, bo, MiB)[5] == 55);
        snprintf(number, sizeof number, "%d", dup(got));
        execl(self, self, "child", number, NULL);
        _exit(9);
    }
    map_bo(copy, bo, MiB)[5] = 55;
    send_fd(pair[0], copy);
    CHECK(child_ends_well(pid));
}
/* What a program finds that was started with an open node. */
static void child(int fd)
{
    struct stat st;
    CHECK(has_name(fd) && !fstat(fd, &st) && S_ISCHR(st.st_mode));
    CHECK(map_bo(fd, 1, MiB)[5] == 55);
}

static void primes(void)
{
    int a = node(), b = node();
    uint32_t bo = make_bo(a, 3 * MiB);
    map_bo(a, bo, 3 * MiB)[0] = 0x1234;
    struct prime p = { .handle = bo, .flags = O_CLOEXEC | O_RDWR };
    CHECK(!ioctl(a, HANDLE_TO_FD, &p) && p.fd >= 0);
    CHECK(fcntl(p.fd, F_GETFD) == FD_CLOEXEC && lseek(p.fd, 0, SEEK_END) == (off_t)(3 * MiB));
    struct prime q = { .fd = p.fd };
    CHECK(!ioctl(b, FD_TO_HANDLE, &q) && map_bo(b, q.handle, 3 * MiB)[0] == 0x1234);
    uint32_t *direct = mmap(NULL, 3 * MiB, PROT_READ, MAP_SHARED, p.fd, 0);
    CHECK(direct != MAP_FAILED && direct[0] == 0x1234);
    close(a);
    CHECK(map_bo(b, q.handle, 3 * MiB)[0] == 0x1234 && direct[0] == 0x1234);
    struct prime bad = { .fd = 0 };
    CHECK(ioctl(b, FD_TO_HANDLE, &bad) && errno == EINVAL);
    bad.fd = 999;
    CHECK(ioctl(b, FD_TO_HANDLE, &bad) && errno == EBADF);
}

static struct { int fd; uint32_t handle; } later;
static void *signal_later(void *unused)
{
    usleep(30000);
    signal_point(later.fd, later.handle, 5);
    return unused;
}
static void syncobjs(void)
{
    int fd = node();
    uint32_t handle = make_syncobj(fd), other = make_syncobj(fd);
    uint64_t point = 0;
    CHECK(wait_for(fd, handle, 1, 0, 0) && errno == EINVAL);
    CHECK(wait_for(fd, handle, 1, 20000000, 2) && errno == ETIME);
    pthread_t thread;
    later.fd = fd; later.handle = handle;
    CHECK(!pthread_create(&thread, NULL, signal_later, NULL));
    CHECK(!wait_for(fd, handle, 3, -1, 2));
    pthread_join(thread, NULL);
    struct timeline t = { .handles = (uintptr_t)&handle, .points = (uintptr_t)&point, .count = 1 };
    CHECK(!ioctl(fd, SYNCOBJ_QUERY, &t) && point == 5);
    /* A sync file of an unsignalled fence becomes readable when it signals, merged ones when all have. */
    struct bind b = { .vm = make_vm(fd), .syncs = 1 };
    struct sync s = { .flags = 1, .handle = other };
    b.sync = (uintptr_t)&s;
    CHECK(!ioctl(fd, VM_BIND, &b));
    struct syncobj_fd f = { .handle = other, .flags = 1 };
    CHECK(!ioctl(fd, SYNCOBJ_TO_FD, &f));
    struct pollfd ready = { .fd = f.fd, .events = POLLIN };
    CHECK(poll(&ready, 1, 1000) == 1 && ready.revents & POLLIN);
    struct merge m = { .fd2 = f.fd };
    CHECK(!ioctl(f.fd, SYNC_MERGE, &m) && m.fence >= 0);
    struct syncobj_fd back = { .handle = make_syncobj(fd), .flags = 1, .fd = m.fence };
    CHECK(!ioctl(fd, SYNCOBJ_FROM_FD, &back) && !wait_for(fd, back.handle, 0, 0, 0));
}

static void *many_calls(void *arg)
{
    int fd = *(int *)arg;
    for (int i = 0; i < 200; i++) {
        uint32_t bo = make_bo(fd, 64 << 10), *p = map_bo(fd, bo, 64 << 10);
        CHECK(p[0] == 0);
        p[0] = i + 1;
        struct close_bo c = { .handle = bo };
        CHECK(!munmap(p, 64 << 10) && !ioctl(fd, GEM_CLOSE, &c));
    }
    return NULL;
}
static void threads(void)
{
    int fd = node();
    pthread_t all[4];
    for (int i = 0; i < 4; i++) CHECK(!pthread_create(&all[i], NULL, many_calls, &fd));
    for (int i = 0; i < 4; i++) pthread_join(all[i], NULL);
}

/* What a kernel answers to bad pointers, sizes and numbers. */
static void faults(void)
{
    int fd = node();
    CHECK(ioctl(fd, BO_CREATE, (void *)8) == -1 && errno == EFAULT);
    struct bind b = { .vm = make_vm(fd), .count = 3, .many = 0xdead0000 };
    CHECK(ioctl(fd, VM_BIND, &b) == -1 && errno == EFAULT);
    CHECK(ioctl(fd, _IOWR('d', 0x9e, uint64_t), &b) == -1 && errno == EINVAL);
    CHECK(mmap(NULL, MiB, PROT_READ, MAP_SHARED, fd, 0x123000) == MAP_FAILED && errno == EINVAL);
    CHECK(ioctl(fd, GEM_CLOSE, &(struct close_bo){ .handle = 77 }) == -1 && errno == EINVAL);
    void *fixed = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK(ioctl(fd, VERSION, fixed) == -1 && errno == EFAULT && has_name(fd));
    CHECK(access("/dev/dri/renderD128", R_OK | W_OK) == 0 && access("/dev/dri/renderD129", F_OK) == -1);
}

static int compare(const void *a, const void *b) { double d = *(double *)a - *(double *)b; return d < 0 ? -1 : d > 0; }
static void measure(const char *what, int n, int fd, int (*call)(int))
{
    double *us = malloc(n * sizeof *us);
    for (int i = 0; i < n; i++) {
        struct timespec a, b;
        clock_gettime(CLOCK_MONOTONIC, &a);
        CHECK(!call(fd));
        clock_gettime(CLOCK_MONOTONIC, &b);
        us[i] = (b.tv_sec - a.tv_sec) * 1e6 + (b.tv_nsec - a.tv_nsec) / 1e3;
    }
    qsort(us, n, sizeof *us, compare);
    printf("%s %.1f %.1f\n", what, us[n / 2], us[n * 99 / 100]);
    free(us);
}
static uint32_t the_vm, the_bo;
static int get_cap(int fd) { return ioctl(fd, GET_CAP, &(struct cap){ 5, 0 }); }
static int bo_offset(int fd) { return ioctl(fd, BO_OFFSET, &(struct bo_offset){ .handle = the_bo }); }
static int bind_many(int fd, int count, uint32_t op)
{
    struct bind_op ops[64] = { 0 };
    struct sync s = { .flags = 1, .handle = 1 };
    struct bind b = { .vm = the_vm, .count = count, .syncs = 1, .sync = (uintptr_t)&s };
    for (int i = 0; i < count; i++) ops[i] = (struct bind_op){ .obj = op ? 0 : the_bo, .pat = op ? 0 : 2, .range = 65536, .addr = 0x10000000 + 65536ull * i, .op = op };
    if (count == 1) b.one = ops[0]; else b.many = (uintptr_t)ops;
    return ioctl(fd, VM_BIND, &b);
}
static int bind_one(int fd) { return bind_many(fd, 1, 0); }
static int unbind_one(int fd) { return bind_many(fd, 1, 1); }
static int bind_64(int fd) { return bind_many(fd, 64, 0); }
static void latency(int n)
{
    int fd = node();
    the_vm = make_vm(fd); the_bo = make_bo(fd, 65536);
    CHECK(make_syncobj(fd) == 1);
    for (int i = 0; i < 300; i++) CHECK(!get_cap(fd) && !bind_one(fd) && !bind_64(fd));
    measure("GET_CAP", n, fd, get_cap);
    measure("GEM_MMAP_OFFSET", n, fd, bo_offset);
    measure("VM_BIND MAP", n, fd, bind_one);
    measure("VM_BIND UNMAP", n, fd, unbind_one);
    measure("VM_BIND of 64 MAPs", n, fd, bind_64);
}

/* Holds everything that there is, says so, and waits to be killed. */
static void hold(void)
{
    int fd = node();
    uint32_t vm = make_vm(fd), bo = make_bo(fd, 16 * MiB);
    CHECK(!bind_bo(fd, vm, bo, 0x40000000, 16 * MiB));
    memset(map_bo(fd, bo, 16 * MiB), 0x55, 16 * MiB);
    struct prime p = { .handle = bo };
    CHECK(!ioctl(fd, HANDLE_TO_FD, &p));
    printf("holding\n");
    fflush(stdout);
    for (;;) { CHECK(has_name(fd)); usleep(2000); }
}

int main(int argc, char **argv)
{
    const char *what = argc > 1 ? argv[1] : "";
    (void)line_of_failure;
    if (!strcmp(what, "whole")) whole();
    else if (!strcmp(what, "descriptors")) descriptors(argv[0]);
    else if (!strcmp(what, "child") && argc > 2) child(atoi(argv[2]));
    else if (!strcmp(what, "prime")) primes();
    else if (!strcmp(what, "syncobjs")) syncobjs();
    else if (!strcmp(what, "threads")) threads();
    else if (!strcmp(what, "faults")) faults();
    else if (!strcmp(what, "latency") && argc > 2) latency(atoi(argv[2]));
    else if (!strcmp(what, "hold")) hold();
    else return 2;
    printf("ok\n");
    return 0;
}
