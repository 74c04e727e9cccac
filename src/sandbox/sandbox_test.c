/* A child enters a sandbox and tries one thing; how it went comes back as its exit status. Where the tests run as root
 * each thing is tried twice: as root still, so that seccomp and Landlock are seen to hold alone, and as a user. */
#include "sandbox/sandbox.h"

#include "mail/charset.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <linux/io_uring.h>
#include <netinet/in.h>
#include <pthread.h>
#include <rocksdb/c.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

/* What all children share. */
static char directory[] = "/tmp/posthorn-sandbox-XXXXXX"; /* the vault's; holds the file "inside" */
static char outside[] = "/tmp/posthorn-outside-XXXXXX";   /* readable by everybody */
static int listener;
static struct sockaddr_in target; /* where it is */
/* And what each child has of its own, since it may change it. */
static int accepted, dialled, fresh_tcp, fresh_udp;

static int result(long r)
{
    return r < 0 ? errno : 0;
}

/* ---- what is tried: 0 or errno ---- */

static int open_inside(void)
{
    return result(open("inside", O_RDONLY));
}
static int open_passwd(void)
{
    return result(open("/etc/passwd", O_RDONLY));
}
static int open_outside(void)
{
    return result(open(outside, O_RDONLY));
}
static int open_above(void)
{
    return result(open("../../etc/passwd", O_RDONLY));
}
static int create_outside(void)
{
    return result(open("/tmp/posthorn-escaped", O_CREAT | O_WRONLY, 0600));
}
static int open_data(void)
{
    char path[100];

    snprintf(path, sizeof(path), "%s/inside", directory);
    return result(open(path, O_RDONLY));
}
static int open_here(void)
{
    return result(open(".", O_RDONLY));
}
static int make_symlink(void)
{
    return result(symlink("/etc/passwd", "link"));
}
static int make_device(void)
{
    return result(mknod("device", S_IFCHR | 0600, 0x103));
}

/* What a store does: files, threads, syncing, linking, asking for space. */
static int work_in_store(void)
{
    struct statvfs space;
    struct stat st;
    int fd = open("table", O_CREAT | O_RDWR | O_CLOEXEC, 0644);

    if (fd < 0 || write(fd, "row", 3) != 3 || fallocate(fd, FALLOC_FL_KEEP_SIZE, 0, 65536) ||
        ftruncate(fd, 2) || fdatasync(fd) || fsync(fd) ||
        sync_file_range(fd, 0, 2, SYNC_FILE_RANGE_WRITE) || fstat(fd, &st) ||
        pwrite(fd, "x", 1, 5) != 1 || posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED))
        return errno;
    close(fd);
    if (mkdir("checkpoint", 0755) || link("table", "checkpoint/table") || rename("table", "other") ||
        unlink("other") || stat("checkpoint/table", &st) || st.st_size != 6 ||
        unlink("checkpoint/table") || rmdir("checkpoint") || statvfs(".", &space) ||
        space.f_blocks == 0)
        return errno ? errno : ENODATA;
    return 0;
}

/* Options that bring out what RocksDB does beyond reading and writing: threads, blob files, recycled logs. */
static rocksdb_t *open_database(char **error)
{
    rocksdb_options_t *options = rocksdb_options_create();
    rocksdb_t *db;

    rocksdb_options_set_create_if_missing(options, 1);
    rocksdb_options_set_enable_blob_files(options, 1);
    rocksdb_options_set_min_blob_size(options, 1000);
    rocksdb_options_set_recycle_log_file_num(options, 2);
    rocksdb_options_increase_parallelism(options, 4);
    rocksdb_options_set_info_log_level(options, 4); /* fatal */
    db = rocksdb_open(options, "db", error);
    rocksdb_options_destroy(options);
    return db;
}

static void fill_database(rocksdb_t *db, char **error)
{
    rocksdb_writeoptions_t *sync = rocksdb_writeoptions_create();
    rocksdb_flushoptions_t *flush = rocksdb_flushoptions_create();
    char value[5000] = "value";

    rocksdb_writeoptions_set_sync(sync, 1);
    for (int i = 0; i < 20 && !*error; i++) {
        rocksdb_put(db, sync, value, (size_t)i + 1, value, sizeof(value), error);
        if (i % 5 == 4 && !*error)
            rocksdb_flush(db, flush, error);
    }
    rocksdb_compact_range(db, NULL, 0, NULL, 0);
    rocksdb_flushoptions_destroy(flush);
    rocksdb_writeoptions_destroy(sync);
}

static int work_in_rocksdb(void)
{
    char *error = NULL;
    rocksdb_t *db = open_database(&error);
    rocksdb_checkpoint_t *checkpoint;

    if (!error)
        fill_database(db, &error);
    if (!error) {
        checkpoint = rocksdb_checkpoint_object_create(db, &error);
        rocksdb_checkpoint_create(checkpoint, "copy", 0, &error);
        rocksdb_checkpoint_object_destroy(checkpoint);
        rocksdb_close(db);
    }
    if (error)
        fprintf(stderr, "%s\n", error);
    return error ? EIO : 0;
}

/* Where nobody finds tables to load. */
static int decode_charsets(void)
{
    static const struct {
        const char *charset, *in, *out;
    } rows[] = {
        {"utf-8", "\xc3\xa9", "é"},      {"iso-8859-1", "\xe9", "é"},
        {"iso-8859-2", "\xb1", "ą"},     {"iso-8859-5", "\xc0", "Р"},
        {"iso-8859-7", "\xe1", "α"},     {"iso-8859-8", "\xe0", "א"},
        {"iso-8859-15", "\xa4", "€"},    {"windows-1250", "\x9a", "š"},
        {"windows-1251", "\xcf", "П"},   {"windows-1252", "\x93", "“"},
        {"windows-1256", "\xc7", "ا"},   {"koi8-r", "\xf0", "П"},
        {"koi8-u", "\xa4", "є"},         {"iso-2022-jp", "\x1b$B$3\x1b(B", "こ"},
        {"shift_jis", "\x82\xb1", "こ"}, {"euc-jp", "\xa4\xb3", "こ"},
        {"euc-kr", "\xb0\xa1", "가"},    {"gb2312", "\xc4\xe3", "你"},
        {"gbk", "\x81\x40", "丂"},       {"gb18030", "\x81\x30\x84\x36", "¥"},
        {"big5", "\xa7\x41", "你"},      {"utf-16le", "\xac\x20", "€"},
        {"utf-7", "+Jjo-", "☺"},         {"macintosh", "\x8a", "ä"},
    };
    int bad = 0;

    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        struct buf out = buf_make(100);

        bad += !charset_to_utf8(&out, str_from_c(rows[i].charset), str_from_c(rows[i].in)) ||
               !str_same(buf_str(&out), str_from_c(rows[i].out));
        buf_free(&out);
    }
    return bad;
}

static void *thread(void *arg)
{
    pthread_setname_np(pthread_self(), "worker");
    *(char **)arg = malloc(1 << 20);
    return NULL;
}

static int start_thread(void)
{
    pthread_t t;
    char *p = NULL;
    int e = pthread_create(&t, NULL, thread, &p);

    if (e || (e = pthread_join(t, NULL)))
        return e;
    free(p);
    return p ? 0 : ENOMEM;
}

static int use_events(void)
{
    int e = epoll_create1(EPOLL_CLOEXEC), event = eventfd(1, EFD_CLOEXEC | EFD_NONBLOCK), pair[2];
    struct epoll_event v = {.events = EPOLLIN};

    if (e < 0 || event < 0 || epoll_ctl(e, EPOLL_CTL_ADD, event, &v) || epoll_wait(e, &v, 1, -1) != 1)
        return errno;
    return result(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair));
}

static int send_accepted(void)
{
    return result(send(accepted, "x", 1, MSG_NOSIGNAL));
}
static int make_tcp(void)
{
    return result(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
}
static int make_udp6(void)
{
    return result(socket(AF_INET6, SOCK_DGRAM, 0));
}
static int make_unix(void)
{
    return result(socket(AF_UNIX, SOCK_STREAM, 0));
}
static int make_raw(void)
{
    return result(socket(AF_INET, SOCK_RAW, IPPROTO_TCP));
}
static int make_netlink(void)
{
    return result(socket(AF_NETLINK, SOCK_RAW, 0));
}
static int make_datagram_pair(void)
{
    int pair[2];

    return result(socketpair(AF_UNIX, SOCK_DGRAM, 0, pair));
}

static int connect_to_target(int fd)
{
    return result(connect(fd, (struct sockaddr *)&target, sizeof(target)));
}
static int connect_fresh(void)
{
    return connect_to_target(fresh_tcp);
}

/* The way by which an accepted socket can be pointed elsewhere. */
static int reconnect_accepted(void)
{
    struct sockaddr nowhere = {.sa_family = AF_UNSPEC};

    return connect(accepted, &nowhere, sizeof(nowhere)) ? errno : connect_to_target(accepted);
}

static int bind_fresh(void)
{
    struct sockaddr_in any = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};

    return result(bind(fresh_tcp, (struct sockaddr *)&any, sizeof(any)));
}
static int listen_fresh(void)
{
    return result(listen(fresh_tcp, 1));
}

static int sendto_address(void)
{
    return result(sendto(fresh_udp, "x", 1, 0, (struct sockaddr *)&target, sizeof(target)));
}
static int sendto_fastopen(void)
{
    return result(sendto(fresh_tcp, "x", 1, MSG_FASTOPEN, (struct sockaddr *)&target, sizeof(target)));
}
static int send_fastopen(void)
{
    return result(send(fresh_tcp, "x", 1, MSG_FASTOPEN | MSG_NOSIGNAL));
}
static int sendmsg_address(void)
{
    char byte = 'x';
    struct iovec v = {.iov_base = &byte, .iov_len = 1};
    struct msghdr m = {
        .msg_name = &target, .msg_namelen = sizeof(target), .msg_iov = &v, .msg_iovlen = 1};

    return result(sendmsg(fresh_udp, &m, 0));
}
static int sendmmsg_address(void)
{
    char byte = 'x';
    struct iovec v = {.iov_base = &byte, .iov_len = 1};
    struct mmsghdr m = {
        .msg_hdr = {
            .msg_name = &target, .msg_namelen = sizeof(target), .msg_iov = &v, .msg_iovlen = 1}};

    return result(sendmmsg(fresh_udp, &m, 1, 0));
}

static int run_program(void)
{
    char *argv[] = {(char *)(uintptr_t) "/bin/true", NULL};

    return result(execve("/bin/true", argv, argv + 1));
}
static int make_process(void)
{
    pid_t child = fork();

    if (child == 0)
        _exit(0);
    return result(child);
}
static int trace_parent(void)
{
    return result(ptrace(PTRACE_ATTACH, getppid(), NULL, NULL));
}
static int kill_parent(void)
{
    return result(kill(getppid(), 0));
}
static int mount_something(void)
{
    return result(mount("none", "/tmp", "tmpfs", 0, NULL));
}
static int new_namespace(void)
{
    return result(unshare(CLONE_NEWUSER));
}
static int change_root_again(void)
{
    return result(chroot("/"));
}
static int become_root(void)
{
    return result(setuid(0));
}
static int use_io_uring(void)
{
    struct io_uring_params p = {0};

    return result(syscall(SYS_io_uring_setup, 4, &p));
}
static int make_executable(void)
{
    void *p = mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    return p == MAP_FAILED ? errno : 0;
}
static int turn_executable(void)
{
    void *p = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    return result(mprotect(p, 4096, PROT_READ | PROT_EXEC));
}

/* ---- the table ---- */

enum { WORKS = 0, REFUSED = -1, KILLED = -2, DEPENDS = -3 };

static const struct probe {
    const char *name;
    int (*try)(void);
    int vault, gate; /* WORKS, REFUSED (any error), KILLED, or the very errno */
} probes[] = {
    {"open a file of the store", open_inside, WORKS, REFUSED},
    {"open the store by its path", open_data, DEPENDS, REFUSED},
    {"open /etc/passwd", open_passwd, REFUSED, REFUSED},
    {"open what everybody may read", open_outside, REFUSED, REFUSED},
    {"open ../../etc/passwd", open_above, REFUSED, REFUSED},
    {"create a file elsewhere", create_outside, REFUSED, REFUSED},
    {"list the working directory", open_here, WORKS, REFUSED},
    {"make a symbolic link", make_symlink, REFUSED, REFUSED},
    {"make a device", make_device, REFUSED, REFUSED},
    {"work in the store", work_in_store, WORKS, REFUSED},
    {"work in RocksDB", work_in_rocksdb, WORKS, REFUSED},
    {"decode charsets", decode_charsets, WORKS, WORKS},
    {"start a thread", start_thread, WORKS, WORKS},
    {"epoll, eventfd, socket pair", use_events, WORKS, WORKS},
    {"send on an accepted socket", send_accepted, WORKS, WORKS},
    {"make a TCP socket", make_tcp, EPERM, WORKS},
    {"make a UDP socket", make_udp6, EPERM, WORKS},
    {"make a Unix socket", make_unix, EPERM, EPERM},
    {"make a raw socket", make_raw, EPERM, EPERM},
    {"make a netlink socket", make_netlink, EPERM, EPERM},
    {"make a pair that can be addressed", make_datagram_pair, EPERM, EPERM},
    {"connect an inherited socket", connect_fresh, EPERM, WORKS},
    {"point an accepted socket elsewhere", reconnect_accepted, EPERM, WORKS},
    {"bind", bind_fresh, EPERM, WORKS},
    {"listen", listen_fresh, EPERM, EPERM},
    {"sendto with an address", sendto_address, EPERM, WORKS},
    {"sendto with MSG_FASTOPEN", sendto_fastopen, EPERM, DEPENDS},
    {"send with MSG_FASTOPEN", send_fastopen, EPERM, REFUSED},
    {"sendmsg with an address", sendmsg_address, EPERM, WORKS},
    {"sendmmsg with an address", sendmmsg_address, EPERM, WORKS},
    {"run a program", run_program, KILLED, KILLED},
    {"fork", make_process, EPERM, EPERM},
    {"trace the parent", trace_parent, KILLED, KILLED},
    {"signal the parent", kill_parent, EPERM, EPERM},
    {"mount", mount_something, KILLED, KILLED},
    {"unshare", new_namespace, KILLED, KILLED},
    {"chroot", change_root_again, KILLED, KILLED},
    {"setuid(0)", become_root, KILLED, KILLED},
    {"io_uring", use_io_uring, EPERM, EPERM},
    {"map memory that can be executed", make_executable, EPERM, EPERM},
    {"make memory executable", turn_executable, EPERM, EPERM},
};

/* ---- the children ---- */

#define NO_SANDBOX 254

static void make_sockets(void)
{
    dialled = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(connect(dialled, (struct sockaddr *)&target, sizeof(target)), 0);
    accepted = accept(listener, NULL, NULL);
    fresh_tcp = socket(AF_INET, SOCK_STREAM, 0);
    fresh_udp = socket(AF_INET, SOCK_DGRAM, 0);
    assert_true(accepted >= 0 && fresh_tcp >= 0 && fresh_udp >= 0);
}

static int in_child(enum sandbox_kind kind, const char *user, int (*try)(void))
{
    pid_t child = fork();
    int status;

    if (child == 0) {
        struct sandbox spec = {kind, kind == SANDBOX_VAULT ? directory : NULL, user};
        struct sandbox_layers layers;
        struct cx cx = {0};

        make_sockets();
        if (sandbox_enter(&cx, &spec, &layers) != OK) {
            fprintf(stderr, "%s\n", cx.cause);
            _exit(NO_SANDBOX);
        }
        _exit(try());
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    if (WIFSIGNALED(status))
        return WTERMSIG(status) == SIGSYS ? KILLED : -WTERMSIG(status) - 100;
    return WEXITSTATUS(status);
}

static bool is_expected(int got, int expected)
{
    if (expected ==
        DEPENDS) /* depends on the layers that are there: the root, and the kernel's fast open */
        return got >= 0 && got != NO_SANDBOX;
    return expected == REFUSED ? got > 0 && got != NO_SANDBOX : got == expected;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)st, (void)type, (void)ftw;
    return remove(path);
}

static void remove_database(void)
{
    if (access("db", F_OK) == 0)
        nftw("db", remove_one, 10, FTW_DEPTH | FTW_PHYS);
    if (access("copy", F_OK) == 0)
        nftw("copy", remove_one, 10, FTW_DEPTH | FTW_PHYS);
}

static void try_all(enum sandbox_kind kind, const char *user)
{
    bool failed = false;

    remove_database();
    for (size_t i = 0; i < sizeof(probes) / sizeof(*probes); i++) {
        int expected = kind == SANDBOX_VAULT ? probes[i].vault : probes[i].gate;
        int got = in_child(kind, user, probes[i].try);

        if (is_expected(got, expected))
            continue;
        failed = true;
        print_error("%s, user %s: %s: got %d (%s), expected %d\n",
                    kind == SANDBOX_VAULT ? "vault" : "gate", user ? user : "as is", probes[i].name,
                    got, got > 0 ? strerror(got) : "", expected);
    }
    assert_false(failed);
}

static bool has_landlock(void)
{
    return syscall(SYS_landlock_create_ruleset, NULL, 0, 1) > 0;
}

/* Without root and without Landlock nothing keeps the vault from other files, which is what sandbox.h says. */
static void test_vault(void **state)
{
    (void)state;
    if (geteuid() != 0 && !has_landlock())
        skip();
    if (has_landlock())
        try_all(SANDBOX_VAULT, NULL);
    if (geteuid() == 0) {
        assert_int_equal(chown(directory, 65534, 65534), 0);
        try_all(SANDBOX_VAULT, "nobody");
    }
}

static void test_gate(void **state)
{
    (void)state;
    try_all(SANDBOX_GATE, NULL);
    if (geteuid() == 0)
        try_all(SANDBOX_GATE, "nobody");
}

static int do_nothing(void)
{
    return 0;
}

static void test_unknown_user(void **state)
{
    (void)state;
    if (geteuid() != 0)
        skip();
    assert_int_equal(in_child(SANDBOX_GATE, "posthorn-nobody-of-this-name", do_nothing), NO_SANDBOX);
}

static void *wait_for_end(void *arg)
{
    pause();
    return arg;
}

/* Whoever closes the doors too late is told so; but ThreadSanitizer's own thread is always there, so with it nobody
 * counts. */
static void test_threads(void **state)
{
    pid_t child;
    int status;

    (void)state;
#ifdef __SANITIZE_THREAD__
    skip();
#endif
    child = fork();
    if (child == 0) {
        struct sandbox spec = {SANDBOX_GATE, NULL, NULL};
        struct sandbox_layers layers;
        struct cx cx = {0};
        pthread_t t;

        pthread_create(&t, NULL, wait_for_end, NULL);
        _exit(sandbox_enter(&cx, &spec, &layers) == ERR_BUG ? 0 : 1);
    }
    waitpid(child, &status, 0);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

static void test_connected_stream(void **state)
{
    int pair[2], datagrams[2], file = open("/dev/null", O_RDONLY);

    (void)state;
    make_sockets();
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    assert_int_equal(socketpair(AF_UNIX, SOCK_DGRAM, 0, datagrams), 0);
    assert_true(is_connected_stream(pair[0]));
    assert_true(is_connected_stream(accepted));
    assert_false(is_connected_stream(datagrams[0]));
    assert_false(is_connected_stream(fresh_udp));
    assert_false(is_connected_stream(fresh_tcp));
    assert_false(is_connected_stream(listener));
    assert_false(is_connected_stream(file));
    assert_false(is_connected_stream(-1));
}

static int setup(void **state)
{
    socklen_t n = sizeof(target);
    int fd;

    (void)state;
    assert_non_null(mkdtemp(directory));
    fd = mkstemp(outside);
    assert_int_equal(fchmod(fd, 0644), 0);
    close(fd);
    assert_int_equal(chdir(directory), 0);
    fd = open("inside", O_CREAT | O_WRONLY, 0644);
    close(fd);
    target = (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    listener = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(bind(listener, (struct sockaddr *)&target, sizeof(target)), 0);
    assert_int_equal(listen(listener, 100), 0);
    assert_int_equal(getsockname(listener, (struct sockaddr *)&target, &n), 0);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    unlink(outside);
    return chdir("/") || nftw(directory, remove_one, 10, FTW_DEPTH | FTW_PHYS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_connected_stream),
        cmocka_unit_test(test_threads),
        cmocka_unit_test(test_unknown_user),
        cmocka_unit_test(test_gate),
        cmocka_unit_test(test_vault),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
