/* The wire between a shim and its server: one question, one answer, over a Unix socket for each thread.
 *
 *   question  struct ask, then `bytes - sizeof(struct ask)` bytes of body
 *   answer    struct tell, then `body` bytes, then `spans` spans
 *
 * All numbers are little endian. What an object's number says to the shim is its low 12 bits: a kind and a minor number.
 * The client's memory is handed to sendmsg and recv and never touched here, so that a bad pointer is EFAULT and no crash.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#if UINTPTR_MAX != UINT64_MAX
#error "only 64-bit programs are supported"
#endif

enum { HELLO = 1, OPEN, IOCTL, MMAP, MUNMAP, ADOPT, WHAT, SEEK, MARK, PUNCHED, BEFORE, AFTER, CLOSED };
struct ask { uint32_t bytes, op, pid, object, request, value; };
struct tell { uint32_t bytes; int32_t ret; uint32_t body, spans, object, object_at, object_flags, holes; };
struct span { uint64_t at, bytes; };
struct hello { uint32_t server_pid, pad; char memory[120]; };

static const char *folder;                     /* of the server; NULL where there is none */
static struct hello server;
static pthread_mutex_t starting = PTHREAD_MUTEX_INITIALIZER;
static int anchor = -1;                        /* says that this process lives: closed by exec and exit */
static unsigned generation = 1;                /* counts forks: a child has connections of its own */
static pthread_key_t on_thread_exit;
static __thread int conn = -1, busy;
static __thread ino_t conn_inode;
static __thread unsigned conn_generation;

/* The argument of an ioctl. */
#define ARG va_list ap; va_start(ap, request); void *arg = va_arg(ap, void *); va_end(ap)

static void real(void *slot, const char *name) { *(void **)slot = dlsym(RTLD_NEXT, name); }
static int (*r_fstat)(int, struct stat *), (*r_close)(int), (*r_ioctl)(int, unsigned long, ...);

static void gone(const char *what)
{
    dprintf(2, "vmbind: %s: the server is gone (%s)\n", what, strerror(errno));
    _exit(111);
}
static ino_t inode_of(int fd) { struct stat st; return r_fstat(fd, &st) ? 0 : st.st_ino; }
static int dial(void)
{
    struct sockaddr_un a = { .sun_family = AF_UNIX };
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    snprintf(a.sun_path, sizeof a.sun_path, "%s/socket", folder);
    if (fd < 0) return -1;
    while (connect(fd, (void *)&a, sizeof a)) if (errno != EINTR && errno != EAGAIN) gone("connect");
    return fd;
}
/* Out of the way of programs that count descriptors. */
static int high(int fd)
{
    int up = fcntl(fd, F_DUPFD_CLOEXEC, 1000);
    if (up < 0 && (up = fcntl(fd, F_DUPFD_CLOEXEC, 200)) < 0) return fd;
    r_close(fd);
    return up;
}
static void hang_up(void *p) { int fd = (int)(intptr_t)p - 1; if (fd == conn && inode_of(fd) == conn_inode) r_close(fd); }
/* This thread's connection; made anew after a fork, and where the program closed it together with what it did not know. */
static int connection(void)
{
    if (conn >= 0 && conn_generation == generation && inode_of(conn) == conn_inode) return conn;
    if (conn >= 0 && inode_of(conn) == conn_inode) r_close(conn);
    int fd = dial();
    if (fd < 0) return -1;
    conn = high(fd);
    conn_generation = generation;
    conn_inode = inode_of(conn);
    pthread_setspecific(on_thread_exit, (void *)(intptr_t)(conn + 1));
    return conn;
}
/* Receive `n` bytes; into nowhere once `to` turns out to be no memory of this process, which is -1. Up to `more` that came with them go `behind`:
 * how many is returned. Most answers come sooner than a thread is asleep and woken: look for 25 us first, and let a server on this core go on. */
static ssize_t take(int fd, void *to, size_t n, void *behind, size_t more)
{
    char away[4096]; int bad = 0, looks = 50;
    for (;;) {
        struct iovec part[2] = { { bad ? away : to, bad && n > sizeof away ? sizeof away : n }, { behind, more } };
        struct msghdr m = { .msg_iov = part, .msg_iovlen = more ? 2 : 1 };
        ssize_t k = recvmsg(fd, &m, looks ? MSG_DONTWAIT : 0);
        if (k < 0 && errno == EINTR) continue;
        if (k < 0 && errno == EAGAIN && looks) { looks--; sched_yield(); continue; }
        if (k < 0 && errno == EFAULT && (more || !bad)) { bad = !more; more = 0; continue; }
        if (k <= 0) gone("recv");
        if ((size_t)k >= n) return bad ? -1 : k - (ssize_t)n;
        to = (char *)to + k, n -= k;
    }
}
/* One question on `own`, or on this thread's connection. The body comes back in place. A signal handler that asks while its
 * thread is asking gets a connection of its own. */
static int call(int own, struct ask a, void *body, uint32_t size, struct tell *t, struct span **spans)
{
    int saved = errno, nested = own < 0 && busy;
    int fd = own >= 0 ? own : nested ? dial() : connection();
    if (fd < 0) return -errno;
    a.bytes = sizeof a + size, a.pid = getpid();
    if (!nested) busy = 1;
    for (uint32_t sent = 0; sent < a.bytes;) {
        uint32_t head = sent < sizeof a ? sizeof a - sent : 0, tail = a.bytes - sent - head;
        struct iovec part[2] = { { (char *)&a + sizeof a - head, head }, { (char *)body + size - tail, tail } };
        struct msghdr m = { .msg_iov = head ? part : part + 1, .msg_iovlen = head ? 2 : 1 };
        ssize_t k = sendmsg(fd, &m, MSG_NOSIGNAL);
        if (k < 0 && errno == EINTR) continue;
        if (k < 0 && errno == EFAULT && !sent) { t->ret = -EFAULT; goto out; }
        if (k < 0) gone("send");
        sent += k;
    }
    size_t got = take(fd, t, sizeof *t, body, a.op == IOCTL ? size : 0);    /* spans come behind an argument only */
    if (t->body > got && take(fd, (char *)body + got, t->body - got, NULL, 0)) t->ret = -EFAULT;
    if (t->spans) {
        struct span *s = malloc(t->spans * sizeof *s);
        if (!s) gone("malloc");
        take(fd, s, t->spans * sizeof *s, NULL, 0);
        if (spans) *spans = s; else free(s);
    }
out:
    if (nested) r_close(fd); else busy = 0;
    errno = saved;
    return t->ret;
}
/* A process begins, or is the copy of one that has mappings: those are then its own, too. */
static void hello(int forked)
{
    struct tell t;
    int fd = dial();
    if (fd < 0 || (fd = high(fd)) < 0) gone("socket");
    if (call(fd, (struct ask){ .op = HELLO, .value = forked ? getppid() : 0 }, &server, sizeof server, &t, NULL)) gone("hello");
    prctl(PR_SET_PTRACER, (unsigned long)server.server_pid, 0, 0, 0);   /* Yama: the server reads what arguments point to */
    __atomic_store_n(&anchor, fd, __ATOMIC_RELEASE);
}
static void after_fork(void)
{
    generation++;
    busy = 0;
    pthread_mutex_init(&starting, NULL);
    if (anchor < 0) return;
    r_close(anchor);
    hello(1);
}
static void find_server(const char *variable)
{
    real(&r_fstat, "fstat"); real(&r_close, "close"); real(&r_ioctl, "ioctl");
    folder = getenv(variable);
    if (folder && !*folder) folder = NULL;
    if (!folder) return;
    pthread_key_create(&on_thread_exit, hang_up);
    pthread_atfork(NULL, NULL, after_fork);
}
/* Whether there is a server; it knows this process from now on. */
static int meet(void)
{
    if (!folder || anchor >= 0) return folder != NULL;
    pthread_mutex_lock(&starting);
    if (anchor < 0) hello(0);
    pthread_mutex_unlock(&starting);
    return 1;
}
