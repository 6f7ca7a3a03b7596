/*
 * hello: a container that tells what it sees of its own isolation.
 *
 * Every line is a fact read from the kernel at this moment, and a word about what made it so:
 *
 *     NAME            VALUE                            WHY
 *
 * All of them are read from files, so that the program is the same for Linux and for WASI, which has files
 * but no uname(2) or getpid(2). It needs no library and no other file, so it can be the only file of an image.
 * What the kernel does not tell (no /proc, say) is printed as "?".
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { TEXT = 512 };

/* Linux's capabilities in the order of their numbers: capabilities(7). */
static const char *const capabilities[] = {
    "chown", "dac_override", "dac_read_search", "fowner", "fsetid", "kill", "setgid", "setuid", "setpcap",
    "linux_immutable", "net_bind_service", "net_broadcast", "net_admin", "net_raw", "ipc_lock", "ipc_owner",
    "sys_module", "sys_rawio", "sys_chroot", "sys_ptrace", "sys_pacct", "sys_admin", "sys_boot", "sys_nice",
    "sys_resource", "sys_time", "sys_tty_config", "mknod", "lease", "audit_write", "audit_control", "setfcap",
    "mac_override", "mac_admin", "syslog", "wake_alarm", "block_suspend", "audit_read", "perfmon", "bpf",
    "checkpoint_restore",
};
enum { CAPABILITIES = sizeof capabilities / sizeof *capabilities };

static void line(const char *name, const char *value, const char *why)
{
    printf("%-15s %-32s %s\n", name, *value ? value : "?", why);
}

/* Adds to a text of TEXT bytes, cutting what does not fit. */
static void add(char *text, const char *format, ...)
{
    size_t used = strlen(text);
    va_list values;
    va_start(values, format);
    vsnprintf(text + used, TEXT - used, format, values);
    va_end(values);
}

/* The first line of a file, without its end; "" when it cannot be read. */
static void first_line(const char *path, char *text)
{
    *text = 0;
    FILE *file = fopen(path, "r");
    if (!file)
        return;
    if (!fgets(text, TEXT, file))
        *text = 0;
    text[strcspn(text, "\n")] = 0;
    fclose(file);
}

/* The value behind "KEY:" in /proc/self/status; "" when there is none. */
static void status(const char *key, char *value)
{
    char row[TEXT];
    size_t length = strlen(key);
    *value = 0;
    FILE *file = fopen("/proc/self/status", "r");
    while (file && fgets(row, sizeof row, file)) {
        if (strncmp(row, key, length) || row[length] != ':')
            continue;
        char *start = row + length + 1 + strspn(row + length + 1, " \t");
        start[strcspn(start, "\n")] = 0;
        add(value, "%s", start);
        break;
    }
    if (file)
        fclose(file);
}

static void names(void)
{
    char value[TEXT];
    first_line("/proc/sys/kernel/hostname", value);
    line("hostname", value, "a name of its own: the UTS namespace");
    first_line("/proc/sys/kernel/osrelease", value);
    line("kernel", value, "the machine's: containers share one kernel");
    status("Pid", value);
    line("pid", value, strcmp(value, "1") ? "its number here" : "the first process here: the PID namespace counts anew");
}

static void processes(void)
{
    char value[TEXT] = "";
    int count = 0;
    DIR *directory = opendir("/proc");
    for (struct dirent *entry; directory && (entry = readdir(directory));)
        count += entry->d_name[0] >= '1' && entry->d_name[0] <= '9';
    if (directory)
        closedir(directory);
    if (count)
        add(value, "%d", count);
    line("processes", value, "all that it can see: /proc shows its own PID namespace");
}

static void user(void)
{
    char value[TEXT], uid[TEXT], gid[TEXT], inside[32], outside[32], count[32];
    /* The first of four numbers each: the real one. */
    status("Uid", uid);
    status("Gid", gid);
    snprintf(value, sizeof value, "%.*s%s%.*s", (int)strcspn(uid, "\t"), uid, *uid ? ":" : "", (int)strcspn(gid, "\t"), gid);
    line("user", value, "its user and group as it sees them");
    first_line("/proc/self/uid_map", value);
    if (sscanf(value, "%31s %31s %31s", inside, outside, count) != 3)
        return line("uid map", "", "what its users are outside");
    snprintf(value, sizeof value, "%s is %s, for %s", inside, outside, count);
    int is_host = !strcmp(inside, "0") && !strcmp(outside, "0") && !strcmp(count, "4294967295");
    line("uid map", value, is_host ? "users are the machine's: no user namespace" : "users are others outside: the user namespace");
}

/* The file system at /, and whether it may be written: mountinfo's fifth field is the mount point (proc(5)). */
static void root(void)
{
    char row[4096], point[512], options[512], value[TEXT] = "";
    FILE *file = fopen("/proc/self/mountinfo", "r");
    while (file && fgets(row, sizeof row, file)) {
        char *type = strstr(row, " - ");
        if (sscanf(row, "%*s %*s %*s %*s %511s %511s", point, options) != 2 || strcmp(point, "/") || !type)
            continue;
        type += 3;
        type[strcspn(type, " ")] = 0;
        *value = 0;
        add(value, "%s, %s", type, strncmp(options, "ro", 2) ? "read-write" : "read-only");
    }
    if (file)
        fclose(file);
    line("root", value, "a file tree of its own: the mount namespace and pivot_root");
}

static void namespaces(void)
{
    static const char *const each[][3] = {
        {"cgroup", "cgroup ns", "its cgroup is the top of what it sees"},
        {"ipc", "ipc ns", "message queues, semaphores, shared memory"},
        {"mnt", "mount ns", "mounts"},
        {"net", "network ns", "devices, addresses, routes, ports"},
        {"pid", "pid ns", "process numbers"},
        {"time", "time ns", "the clocks that count from boot"},
        {"user", "user ns", "users, groups, capabilities"},
        {"uts", "uts ns", "the hostname"},
    };
    for (size_t i = 0; i < sizeof each / sizeof *each; i++) {
        char path[64], value[TEXT];
        snprintf(path, sizeof path, "/proc/self/ns/%s", each[i][0]);
        ssize_t length = readlink(path, value, sizeof value - 1);
        value[length < 0 ? 0 : length] = 0;
        line(each[i][1], value, each[i][2]);
    }
}

/* Its cgroup: the line of the memory controller (v1) if there is one, else the unified one (v2). */
static void cgroup(void)
{
    char row[TEXT], value[TEXT] = "";
    FILE *file = fopen("/proc/self/cgroup", "r");
    while (file && fgets(row, sizeof row, file)) {
        row[strcspn(row, "\n")] = 0;
        char *path = strchr(row, '/');
        int wanted = strstr(row, ":memory:") != NULL;
        if (path && (wanted || (!*value && !strncmp(row, "0::", 3))))
            snprintf(value, sizeof value, "%.500s", path);
    }
    if (file)
        fclose(file);
    line("cgroup", value, "/ is where the cgroup namespace begins");
}

/* A limit from the first of two files that is there: cgroup v2's or v1's; "" for neither. */
static void limit(const char *v2, const char *v1, char *value)
{
    first_line(v2, value);
    if (!*value)
        first_line(v1, value);
}

static void limits(void)
{
    char value[TEXT], quota[TEXT], period[TEXT];
    limit("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes", value);
    if (strtoull(value, NULL, 10) > 1ULL << 60)
        strcpy(value, "max");
    line("memory limit", value, "bytes; more than that and the kernel kills");
    limit("/sys/fs/cgroup/cpu.max", "", value);
    first_line("/sys/fs/cgroup/cpu/cpu.cfs_quota_us", quota);
    first_line("/sys/fs/cgroup/cpu/cpu.cfs_period_us", period);
    if (!*value && *quota && *period)
        snprintf(value, sizeof value, "%.20s %.20s", *quota == '-' ? "max" : quota, period);
    line("cpu limit", value, "microseconds of each period, period");
    limit("/sys/fs/cgroup/pids.max", "/sys/fs/cgroup/pids/pids.max", value);
    line("pids limit", value, "processes and threads at one time");
}

static void privileges(void)
{
    char value[TEXT], list[TEXT] = "";
    status("CapEff", value);
    unsigned long long set = strtoull(value, NULL, 16);
    for (int i = 0; i < CAPABILITIES; i++)
        if (set >> i & 1)
            add(list, " %s", capabilities[i]);
    if (*value)
        snprintf(value, sizeof value, "%d of %d", __builtin_popcountll(set), CAPABILITIES);
    line("capabilities", value, *list ? list + 1 : "none: root's powers are taken away");
    status("Seccomp", value);
    const char *mode = !strcmp(value, "2") ? "filter" : !strcmp(value, "0") ? "off" : value;
    line("seccomp", mode, !strcmp(value, "2") ? "some system calls are refused" : "no system call is refused");
    status("NoNewPrivs", value);
    line("no_new_privs", !strcmp(value, "1") ? "on" : !strcmp(value, "0") ? "off" : value,
         "on: set-user-id programs give no more rights");
}

/* /proc/net/dev has two lines of headings, then a device on each, its name before a colon. */
static void network(void)
{
    char row[TEXT], value[TEXT] = "";
    FILE *file = fopen("/proc/net/dev", "r");
    while (file && fgets(row, sizeof row, file)) {
        char *end = strchr(row, ':'), *name = row + strspn(row, " ");
        if (end)
            add(value, "%s%.*s", *value ? " " : "", (int)(end - name), name);
    }
    if (file)
        fclose(file);
    line("network", file && !*value ? "none" : value, "its devices: the network namespace");
}

int main(void)
{
    puts("Hello from a container. This is what it sees of itself:\n");
    names();
    processes();
    user();
    root();
    network();
    cgroup();
    limits();
    privileges();
    puts("\nEach namespace has a number; processes with the same number share it:\n");
    namespaces();
    return 0;
}
