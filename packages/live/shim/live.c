/* The shim of `vmbind live`: makes DRM nodes out of a server. It knows no driver and no struct of a uAPI.
 *
 * What has to happen inside of the process and nowhere else:
 *   - a descriptor of a node, a dma-buf or a sync file is a connected socket. So the server sees dup, fork, exec, descriptor
 *     passing and exit as a kernel does: end of file is the last close. Which object a socket is, its inode says;
 *   - mmap: the server answers with pieces of one file, which is the device's physical memory;
 *   - memory that was freed is punched out of that file, since the server cannot;
 *   - paths of nodes and of their sysfs lead into a folder of the server's. A node in it is a file with the sticky bit, whose
 *     size is its minor number.
 */
#include "wire.h"
#include <dirent.h>
#include <limits.h>
#include <sys/mman.h>
#include <sys/sysmacros.h>

enum { A_FILE = 1, A_DMABUF, A_SYNC_FILE, A_SW_SYNC };     /* low 4 bits of an object's number; then 8 bits of minor */
#define KIND(object) ((object) & 15)
#define MINOR(object) ((object) >> 4 & 255)
#define KNOWN 4096

static int (*r_open)(const char *, int, ...), (*r_openat)(int, const char *, int, ...), (*r_munmap)(void *, size_t),
    (*r_stat)(const char *, struct stat *), (*r_lstat)(const char *, struct stat *), (*r_access)(const char *, int),
    (*r_fstatat)(int, const char *, struct stat *, int), (*r_faccessat)(int, const char *, int, int);
static void *(*r_mmap)(void *, size_t, int, int, int, off_t);
static off_t (*r_lseek)(int, off_t, int);
static ssize_t (*r_readlink)(const char *, char *, size_t), (*r_readlinkat)(int, const char *, char *, size_t);
static FILE *(*r_fopen)(const char *, const char *);
static DIR *(*r_opendir)(const char *);
static char *(*r_realpath)(const char *, char *);

static int memory = -1;                        /* the file of physical memory */
static uint64_t known[KNOWN];                  /* sockets by inode: inode << 32 | object, 0 for one that is none of ours */
static uintptr_t mapped_from = UINTPTR_MAX, mapped_to;     /* all mappings ever made lie in between */

static void __attribute__((constructor)) begin(void)
{
    if (r_ioctl) return;
    real(&r_open, "open64"); real(&r_openat, "openat64"); real(&r_stat, "stat64"); real(&r_lstat, "lstat64"); real(&r_access, "access");
    real(&r_fstatat, "fstatat64"); real(&r_faccessat, "faccessat"); real(&r_mmap, "mmap64"); real(&r_munmap, "munmap"); real(&r_lseek, "lseek64");
    real(&r_readlink, "readlink"); real(&r_readlinkat, "readlinkat"); real(&r_fopen, "fopen64"); real(&r_opendir, "opendir"); real(&r_realpath, "realpath");
    find_server("VMBIND_LIVE");
}
/* Whether there is a server; its memory is open from now on. */
static int up(void)
{
    begin();
    if (!meet() || memory >= 0) return folder != NULL;
    pthread_mutex_lock(&starting);
    int fd = memory < 0 ? r_open(server.memory, O_RDWR | O_CLOEXEC) : memory;
    if (fd < 0) gone(server.memory);
    if (memory < 0) memory = high(fd);
    pthread_mutex_unlock(&starting);
    return 1;
}

/* ------------------------------------------------------------ descriptors */
static void know(ino_t inode, uint32_t object) { __atomic_store_n(&known[inode % KNOWN], (uint64_t)inode << 32 | object, __ATOMIC_RELAXED); }
/* What a descriptor is, 0 if nothing of ours. It may have come by exec or from another process. */
static uint32_t look(int fd)
{
    struct stat st;
    struct tell t;
    if (!folder || fd < 0 || r_fstat(fd, &st) || !S_ISSOCK(st.st_mode) || !up()) return 0;
    uint64_t entry = __atomic_load_n(&known[st.st_ino % KNOWN], __ATOMIC_RELAXED), inode = st.st_ino;
    if (entry >> 32 == (uint32_t)inode) return (uint32_t)entry;
    call(-1, (struct ask){ .op = WHAT }, &inode, sizeof inode, &t, NULL);
    know(st.st_ino, t.object);
    return t.object;
}
static int new_fd(uint32_t op, uint32_t object, int flags)
{
    struct tell t;
    int fd = dial();
    if (fd < 0) return -1;
    uint64_t inode = inode_of(fd);
    int r = call(fd, (struct ask){ .op = op, .object = object }, &inode, sizeof inode, &t, NULL);
    if (r < 0) { r_close(fd); errno = -r; return -1; }
    if (!(flags & O_CLOEXEC)) fcntl(fd, F_SETFD, 0);
    if (flags & O_NONBLOCK) fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
    know(inode, t.object);
    return fd;
}

/* As in a kernel, what the last close takes away is gone when it returns. */
int close(int fd)
{
    begin();
    struct tell t;
    uint32_t object = memory >= 0 ? look(fd) : 0;
    int r = r_close(fd);
    if (object) call(-1, (struct ask){ .op = CLOSED }, NULL, 0, &t, NULL);
    return r;
}

/* ------------------------------------------------------------ paths */
static const char *const TAKEN[] = { "/dev/dri", "/sys/dev/char/226:", "/sys/class/drm", "/sys/kernel/debug/sync", "/sys/kernel/debug/dri" };
/* Where a path leads: into the server's folder, or to itself. */
static const char *lead(const char *p, char *into)
{
    begin();
    if (!folder || !p || *p != '/') return p;
    for (size_t i = 0; i < sizeof TAKEN / sizeof *TAKEN; i++) {
        size_t n = strlen(TAKEN[i]);
        if (strncmp(p, TAKEN[i], n) || (TAKEN[i][n - 1] != ':' && p[n] && p[n] != '/')) continue;
        snprintf(into, PATH_MAX, "%s%s", folder, p);
        return into;
    }
    return p;
}
static int is_node(const struct stat *st) { return S_ISREG(st->st_mode) && st->st_mode & S_ISVTX; }
static int as_node(struct stat *st, uint32_t minor)
{
    memset(st, 0, sizeof *st);
    st->st_mode = S_IFCHR | 0666;
    st->st_rdev = makedev(226, minor);
    st->st_nlink = 1;
    st->st_ino = 1000 + minor;
    return 0;
}
/* Opening a socket by its name in /proc makes a new open file of the same node. */
static int reopen(const char *p, int flags)
{
    int fd, saved = errno;
    if (p && (sscanf(p, "/proc/self/fd/%d", &fd) == 1 || sscanf(p, "/proc/%*d/fd/%d", &fd) == 1 || sscanf(p, "/dev/fd/%d", &fd) == 1)) {
        uint32_t object = look(fd);
        if (KIND(object) == A_FILE) return new_fd(OPEN, MINOR(object), flags & O_CLOEXEC);
    }
    errno = saved;
    return -1;
}
static int open_any(int at, const char *p, int flags, mode_t mode)
{
    char buffer[PATH_MAX];
    const char *q = lead(p, buffer);
    struct stat st;
    if (q != p && !r_stat(q, &st) && is_node(&st) && up()) return new_fd(OPEN, st.st_size, flags & O_CLOEXEC);
    int fd = at == AT_FDCWD ? r_open(q, flags, mode) : r_openat(at, q, flags, mode);
    return fd < 0 && errno == ENXIO && folder ? reopen(p, flags) : fd;
}
#define MODE mode_t mode = 0; if (flags & (O_CREAT | __O_TMPFILE)) { va_list ap; va_start(ap, flags); mode = va_arg(ap, int); va_end(ap); }
int open(const char *p, int flags, ...) { MODE return open_any(AT_FDCWD, p, flags, mode); }
int open64(const char *p, int flags, ...) { MODE return open_any(AT_FDCWD, p, flags, mode); }
int openat(int at, const char *p, int flags, ...) { MODE return open_any(at, p, flags, mode); }
int openat64(int at, const char *p, int flags, ...) { MODE return open_any(at, p, flags, mode); }
int __open_2(const char *p, int flags) { return open_any(AT_FDCWD, p, flags, 0); }
int __open64_2(const char *p, int flags) { return open_any(AT_FDCWD, p, flags, 0); }
int __openat_2(int at, const char *p, int flags) { return open_any(at, p, flags, 0); }
int __openat64_2(int at, const char *p, int flags) { return open_any(at, p, flags, 0); }
#define LED(call) char buffer[PATH_MAX]; const char *q = lead(p, buffer); return call
FILE *fopen(const char *p, const char *how) { LED(r_fopen(q, how)); }
FILE *fopen64(const char *p, const char *how) { LED(r_fopen(q, how)); }
DIR *opendir(const char *p) { LED(r_opendir(q)); }
char *realpath(const char *p, char *to) { LED(r_realpath(q, to)); }
ssize_t readlink(const char *p, char *to, size_t n) { LED(r_readlink(q, to, n)); }
ssize_t readlinkat(int at, const char *p, char *to, size_t n) { LED(r_readlinkat(at, q, to, n)); }
int access(const char *p, int how) { LED(r_access(q, how)); }
int faccessat(int at, const char *p, int how, int flags) { LED(r_faccessat(at, q, how, flags)); }
#define STAT(call) char buffer[PATH_MAX]; const char *q = lead(p, buffer); struct stat *st = (void *)s; int r = call; \
    return !r && q != p && is_node(st) ? as_node(st, st->st_size) : r
int stat(const char *p, struct stat *s) { STAT(r_stat(q, st)); }
int stat64(const char *p, struct stat64 *s) { STAT(r_stat(q, st)); }
int lstat(const char *p, struct stat *s) { STAT(r_lstat(q, st)); }
int lstat64(const char *p, struct stat64 *s) { STAT(r_lstat(q, st)); }
int fstat(int fd, struct stat *s)
{
    begin();
    uint32_t object = memory >= 0 ? look(fd) : 0;
    if (KIND(object) != A_FILE) return r_fstat(fd, s);
    return as_node(s, MINOR(object));
}
int fstat64(int fd, struct stat64 *s) { return fstat(fd, (void *)s); }
int fstatat(int at, const char *p, struct stat *s, int flags)
{
    if (!*p && flags & AT_EMPTY_PATH) return fstat(at, s);
    STAT(r_fstatat(at, q, st, flags));
}
int fstatat64(int at, const char *p, struct stat64 *s, int flags) { return fstatat(at, p, (void *)s, flags); }
int __xstat(int v, const char *p, struct stat *s) { return (void)v, stat(p, s); }
int __xstat64(int v, const char *p, struct stat64 *s) { return (void)v, stat64(p, s); }
int __lxstat(int v, const char *p, struct stat *s) { return (void)v, lstat(p, s); }
int __lxstat64(int v, const char *p, struct stat64 *s) { return (void)v, lstat64(p, s); }
int __fxstat(int v, int fd, struct stat *s) { return (void)v, fstat(fd, s); }
int __fxstat64(int v, int fd, struct stat64 *s) { return (void)v, fstat64(fd, s); }

/* ------------------------------------------------------------ calls */
static int is_ours(unsigned long request)      /* DRM, sync files, sw_sync, dma-bufs */
{
    switch (_IOC_TYPE(request)) { case 'd': case '>': case 'W': case 'b': return folder != NULL; default: return 0; }
}
/* Free memory that nobody has now; the server hands it out again when it hears of it. */
static void punch(const struct span *s, uint32_t n)
{
    struct tell t;
    for (uint32_t i = 0; i < n; i++) fallocate(memory, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, s[i].at, s[i].bytes);
    call(-1, (struct ask){ .op = PUNCHED }, NULL, 0, &t, NULL);
}
int ioctl(int fd, unsigned long request, ...)
{
    begin();
    ARG;
    uint32_t object = is_ours(request) ? look(fd) : 0;
    if (!object) return r_ioctl(fd, request, arg);
    struct tell t;
    struct span *s = NULL;
    int r = call(-1, (struct ask){ .op = IOCTL, .object = object, .request = request }, arg, _IOC_SIZE(request), &t, &s);
    if (s) { punch(s, t.spans); free(s); }
    if (r >= 0 && t.object) {
        int made = new_fd(ADOPT, t.object, t.object_flags);
        if (made < 0) return -1;
        memcpy((char *)arg + t.object_at, &made, sizeof made);
    }
    return r < 0 ? (errno = -r, -1) : r;
}
void *mmap(void *at, size_t n, int prot, int flags, int fd, off_t offset)
{
    begin();
    uint32_t object = fd >= 0 && !(flags & MAP_ANONYMOUS) ? look(fd) : 0;
    if (KIND(object) != A_FILE && KIND(object) != A_DMABUF) return r_mmap(at, n, prot, flags, fd, offset);
    int fixed = flags & (MAP_FIXED | MAP_FIXED_NOREPLACE);
    uint8_t *p = r_mmap(at, n, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | fixed, -1, 0);
    if (p == MAP_FAILED) return p;
    uint64_t body[5] = { offset, n, prot, flags, (uintptr_t)p };
    struct tell t;
    struct span *s = NULL;
    int r;
    while ((r = call(-1, (struct ask){ .op = MMAP, .object = object }, body, sizeof body, &t, &s)) >= 0 && t.holes) { punch(s, t.spans); free(s); s = NULL; }
    uint8_t *to = p;
    int how = (flags & (MAP_SHARED | MAP_SHARED_VALIDATE | MAP_PRIVATE | MAP_POPULATE | MAP_LOCKED)) | MAP_FIXED;
    for (uint32_t i = 0; r >= 0 && i < t.spans; to += s[i++].bytes)
        if (r_mmap(to, s[i].bytes, prot, how, memory, s[i].at) == MAP_FAILED) r = -errno;
    if (r >= 0 && !t.spans) r = mprotect(p, n, prot) ? -errno : 0;     /* a page of no memory, such as a barrier page */
    free(s);
    if (r < 0) { munmap(p, n); errno = -r; return MAP_FAILED; }
    uintptr_t first = (uintptr_t)p, end = first + n, seen;
    for (seen = mapped_from; first < seen && !__atomic_compare_exchange_n(&mapped_from, &seen, first, 0, __ATOMIC_RELAXED, __ATOMIC_RELAXED);) ;
    for (seen = mapped_to; end > seen && !__atomic_compare_exchange_n(&mapped_to, &seen, end, 0, __ATOMIC_RELAXED, __ATOMIC_RELAXED);) ;
    return p;
}
void *mmap64(void *at, size_t n, int prot, int flags, int fd, off_t offset) { return mmap(at, n, prot, flags, fd, offset); }
/* A mapping keeps its object alive, so the server is told when it goes. */
int munmap(void *at, size_t n)
{
    begin();
    int r = r_munmap(at, n);
    if (r || (uintptr_t)at >= mapped_to || (uintptr_t)at + n <= mapped_from) return r;
    uint64_t body[2] = { (uintptr_t)at, n };
    struct tell t;
    call(-1, (struct ask){ .op = MUNMAP }, body, sizeof body, &t, NULL);
    return r;
}
off_t lseek(int fd, off_t offset, int whence)
{
    begin();
    off_t r = r_lseek(fd, offset, whence);
    if (r >= 0 || errno != ESPIPE || !folder || KIND(look(fd)) != A_DMABUF) return r;
    uint64_t body[2] = { offset, whence };
    struct tell t;
    int error = call(-1, (struct ask){ .op = SEEK, .object = look(fd) }, body, sizeof body, &t, NULL);
    return error < 0 ? (errno = -error, -1) : (off_t)body[0];
}
off_t lseek64(int fd, off_t offset, int whence) { return lseek(fd, offset, whence); }
/* For clients that want to say where in a recording they are. */
void vmbind_mark(const char *text)
{
    struct tell t;
    if (up()) call(-1, (struct ask){ .op = MARK }, (void *)text, strnlen(text, 256), &t, NULL);
}
