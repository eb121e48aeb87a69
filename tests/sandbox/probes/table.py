# SPDX-License-Identifier: Apache-2.0
"""The hundred attempts to get out of the sandbox, or to abuse it from within, and what must become of each.

A probe is a body of this folder's program. `result` is what it must meet inside, `event` what the sandbox must report with the same errno,
`unseen` why there is no event. `control` says where the same body succeeds, so that it is known to be alive:
  user    a plain process of an ordinary user
  root    a plain process of root; only what opens and reads
  userns  a user namespace of the test's own, with all other namespaces
  net     the same, with listeners behind every address
  none: W nowhere on this machine, because of W
`alive` lists the results that prove the control; "ok" unless said otherwise.
"""

from __future__ import annotations

from dataclasses import dataclass

ABSENT = "not mounted: for the kernel an ordinary miss, which no layer refuses and no record tells"
OTHER_NAMESPACE = "another namespace: the object does not exist in it"
FILE_SYSTEM = "the file system refuses (read-only, other mount): the kernel keeps no record of it"
KERNEL = "the kernel's own rule refuses; no layer of ours is asked"
LANDLOCK = "Landlock refuses: audit tells (test_audit.py), where root reads it"
QUIET = "refused without an event: every runtime probes it (ADR 0035)"
NOTHING_FOUND = "looks for a leak and finds none: nothing is refused"
LIMIT = "a resource limit: the call says so, test_limits.py has the reports of those that end a run"
HOST_ROOT = "needs root of the host, and is never run as that"


@dataclass(frozen=True)
class Probe:
    name: str
    result: str
    event: tuple[str, str] | None = None
    unseen: str = ""
    control: str = "user"
    alive: tuple[str, ...] = ("ok",)


@dataclass(frozen=True)
class Attempt:
    number: int
    title: str
    probes: tuple[Probe, ...] = ()
    # (glob, regular expression): tests that prove it with more than a body: several runs, a gateway, the host's help.
    tests: tuple[tuple[str, str], ...] = ()
    note: str = ""


def call(name: str, event: str, control: str = "user", *alive: str) -> Probe:
    """A call that the filter refuses and reports."""
    return Probe(name, "EPERM", ("KIND_SYSCALL", event), control=control, alive=alive or ("ok",))


def gone(name: str, control: str = "root", *alive: str) -> Probe:
    return Probe(name, "ENOENT", unseen=ABSENT, control=control, alive=alive or ("ok",))


def find(name: str, control: str = "root") -> Probe:
    return Probe(name, "ENODATA", unseen=NOTHING_FOUND, control=control)


def refused(name: str, target: str, protocol: str = "tcp", control: str = "net") -> Probe:
    return Probe(name, "ECONNREFUSED", (f"KIND_CONNECT/{protocol}", target), control=control)


MORE = "tests/sandbox/probes/test_more.py"
NETWORK = "tests/sandbox/test_network.py"
TRAPS = "tests/sandbox/test_network_traps.py"
DOORS = "tests/unit/sandbox/network_test.cpp"
EGRESS = "tests/system/egress/test_egress.py"
REQUIREMENTS = "tests/sandbox/test_requirements.py"
PARSERS = "tests/unit/sandbox/requirements_test.cpp"
PACKAGES = "tests/system/egress/test_packages.py"
TREES = "tests/unit/sandbox/tree_test.cpp"
HOST_PORT = "{HOST_PORT}"

FILES = [
    Attempt(1, "read the host's secrets", (
        gone("read-shadow"), gone("read-root-home"), gone("read-host-file", "user"),
        Probe("read-root-only", "EACCES", unseen="no user inside is root outside: the file's mode refuses", control="root"))),
    Attempt(2, "through /proc/*/root", (gone("proc-1-root", "none: a host's process 1 may be shut even to root"), gone("proc-parent-root"), gone("proc-self-root-up"))),
    Attempt(3, "out of the workspace by ..", (gone("dot-dot-absolute", "user"), gone("dot-dot-openat", "user"), gone("dot-dot-chdir", "user"))),
    Attempt(4, "symlinks in the workspace", (gone("planted-symlink", "user"), gone("own-symlink", "user"))),
    Attempt(5, "symlink race on a shared folder", tests=((MORE, "def test_a_shared_folder_swapped_for_a_symlink"),)),
    Attempt(6, "folder moved away under a process", tests=((MORE, "def test_a_folder_moved_away"),)),
    Attempt(7, "write to what is read-only", (
        *(Probe(name, "EROFS", unseen=FILE_SYSTEM, control="none: as root it would write to the host, as anybody else it is EACCES")
          for name in ("write-usr", "write-etc", "write-root-folder")),
        Probe("write-shared-read-only", "EROFS", unseen=FILE_SYSTEM))),
    Attempt(8, "remount read-write", (call("remount-read-write", "mount", "userns", "EINVAL", "ok"),)),
    Attempt(9, "a writable mount below a read-only one", (Probe("write-shared-submount", "EROFS", unseen=FILE_SYSTEM, control="user"),)),
    Attempt(10, "setuid programs", (
        Probe("setuid-copy", "EPERM", unseen="nosuid and no_new_privs: the program runs, without what the bit gives"),
        call("setuid-own", "chmod(set-id)|fchmodat(set-id)"), call("setuid-made", "open(set-id)|openat(set-id)"))),
    Attempt(11, "file capabilities", (
        Probe("file-capabilities", "EPERM", unseen="nosuid and no_new_privs: the program runs, without what the attribute gives"),)),
    Attempt(12, "devices", (
        call("mknod-block", "mknodat", f"none: {HOST_ROOT}"),
        *(gone(f"dev-{name}", "root") for name in ("kmsg", "kvm", "fuse", "net/tun", "vsock", "loop-control")),
        *(Probe(f"dev-{name}", "ENOENT", unseen=ABSENT, control=f"none: {HOST_ROOT}") for name in ("mem", "vda")),
        Probe("device-ioctl", "EACCES", unseen=LANDLOCK))),
    Attempt(13, "core_pattern", (gone("core-pattern-write"),), ((MORE, "def test_core_pattern_is_unchanged"),)),
    Attempt(14, "other sysctls", tuple(gone(name) for name in (
        "sysctl-modprobe-write", "sysctl-overcommit-write", "sysctl-hotplug-write", "sysctl-net-write", "binfmt-register-write"))),
    Attempt(15, "sysrq and sysfs", (gone("sysrq-write"), gone("uevent-helper-write"), gone("power-state-write"))),
    Attempt(16, "cgroup escape", (gone("cgroup-procs-write"), gone("cgroup1-procs-write"), gone("release-agent-write"))),
    Attempt(17, "inherited descriptors", (
        Probe("inherited-fd-7", "EBADF", unseen="closed: the number means nothing inside", control="root"), find("inherited-fds"))),
    Attempt(18, "overwrite the launcher", (
        Probe("write-proc-1-exe", "ENOENT", unseen="process 1 is not dumpable and hidden", control=f"none: {HOST_ROOT}"),)),
    Attempt(19, "tricks with the current folder", tests=((MORE, "def test_a_deleted_current_folder"), (MORE, "def test_a_workspace_by_descriptor"))),
    Attempt(20, "swap a mount's target", (Probe("swap-dev-null", "EROFS", unseen=FILE_SYSTEM, control="none: it would break the host's /dev"),)),
    Attempt(21, "hard links to protected files", (
        Probe("hardlink-usr", "EXDEV", unseen=FILE_SYSTEM, control="root", alive=("ok", "EXDEV")),
        Probe("tmpfile-in-usr", "EROFS", unseen=FILE_SYSTEM, control="root"))),
    Attempt(22, "programs from writable folders", (
        Probe("exec-from-tmp", "ok", unseen="allowed: agents compile and run; it gains nothing"),
        Probe("exec-from-shm", "ok", unseen="allowed, as in /tmp"))),
    Attempt(23, "programs without a file", (
        call("memfd", "memfd_create(0x1)"), call("memfd-exec-seal-off", "memfd_create(0x11)"), call("memfd-high-half", "memfd_create(0x1)"),
        call("execveat-empty-path", "execveat(0x1000)"))),
    Attempt(24, "the loader's variables", (find("loader-environment", "user"),), note="ld.so FILE runs what is readable; it gains nothing."),
    Attempt(25, "the host's Python start files", (find("python-environment", "user"),), ((MORE, "def test_python_start_files"),)),
    Attempt(26, "write where the next run imports from", (
        Probe("write-python-path", "EROFS", unseen=FILE_SYSTEM, control="none: as root it would write to the host"),),
        ((MORE, "def test_the_agents_own_environment_is_read_only"),)),
]

KERNEL_SURFACE = [
    Attempt(27, "bpf", (call("bpf-map-create", "bpf", f"none: {HOST_ROOT}"), call("bpf-prog-load", "bpf", f"none: {HOST_ROOT}"))),
    Attempt(28, "io_uring", (
        Probe("io-uring-setup", "ENOSYS", unseen=QUIET), call("io-uring-enter", "io_uring_enter", "user", "EBADF"),
        call("io-uring-register", "io_uring_register", "user", "EBADF", "EINVAL"))),
    Attempt(29, "userfaultfd", (call("userfaultfd-user-mode", "userfaultfd"), call("userfaultfd", "userfaultfd", "root"))),
    Attempt(30, "keyrings", (call("add-key", "add_key"), call("keyctl", "keyctl"), call("request-key", "request_key", "user", "ENOKEY"))),
    Attempt(31, "perf", (call("perf-event-open", "perf_event_open", "userns"),)),
    Attempt(32, "ptrace", (call("ptrace-traceme", "ptrace"), call("ptrace-attach", "ptrace"), call("ptrace-seize", "ptrace"))),
    Attempt(33, "memory of other processes", (
        call("process-vm-readv", "process_vm_readv"), call("process-vm-writev", "process_vm_writev"),
        Probe("proc-1-mem", "ENOENT", unseen="process 1 is not dumpable and hidden", control=f"none: {HOST_ROOT}"))),
    Attempt(34, "mount and root", (
        call("mount-tmpfs", "mount", "userns"), call("umount", "umount2", "userns", "EINVAL"), call("pivot-root", "pivot_root", "userns", "EINVAL"),
        call("chroot", "chroot", "userns"))),
    Attempt(35, "the new mount calls", (
        call("fsopen", "fsopen", "userns"), call("fsconfig", "fsconfig", "userns", "EINVAL"), call("fsmount", "fsmount", "userns", "EBADF"),
        call("fspick", "fspick", "userns", "EINVAL"), call("open-tree", "open_tree", "userns", "EINVAL", "ok"),
        call("move-mount", "move_mount", "userns", "EBADF"), call("mount-setattr", "mount_setattr", "userns", "ok", "EINVAL"))),
    Attempt(36, "unshare", tuple(call(f"unshare-{kind}", "unshare") for kind in ("user", "net", "mount", "time"))),
    Attempt(37, "clone with namespaces", (
        call("clone-newuser", "clone(0x10000000)"), call("clone-newpid", "clone(0x30000000)"))),
    Attempt(38, "clone3 with namespaces", (Probe("clone3-newuser", "ENOSYS", unseen=QUIET), Probe("clone3-plain", "ENOSYS", unseen=QUIET))),
    Attempt(39, "setns", (call("setns-net", "setns", "userns"), call("setns-user", "setns", "user", "EINVAL"), call("setns-pidfd", "setns", "userns"))),
    Attempt(40, "kexec", (call("kexec-load", "kexec_load", f"none: {HOST_ROOT}"), call("kexec-file-load", "kexec_file_load", f"none: {HOST_ROOT}"))),
    Attempt(41, "modules", tuple(call(f"{name}-module", f"{name}_module", f"none: {HOST_ROOT}") for name in ("init", "finit", "delete"))),
    Attempt(42, "terminal injection", (
        *(call(name, f"ioctl({number})", "user", "ENOTTY") for name, number in (
            ("tiocsti", "0x5412"), ("tiocsti-high-half", "0x5412"), ("tioclinux", "0x541c"), ("tioccons", "0x541d"), ("tiocsetd", "0x5423"))),)),
    Attempt(43, "descriptors of other processes", (
        call("pidfd-getfd-init", "pidfd_getfd", f"none: {HOST_ROOT}"), call("pidfd-getfd-own", "pidfd_getfd"))),
    Attempt(44, "file handles", (call("name-to-handle", "name_to_handle_at"), call("open-by-handle", "open_by_handle_at", f"none: {HOST_ROOT}"))),
    Attempt(45, "the hypervisor's socket", (
        call("af-vsock", "socket(AF_VSOCK,1,0)"), call("vsock-connect-host", "socket(AF_VSOCK,1,0)", "user", "ok", "ECONNRESET", "ENODEV", "ETIMEDOUT"))),
    Attempt(46, "other socket families", (
        call("af-unix", "socket(AF_UNIX,1,0)"), call("af-packet", "socket(AF_PACKET,3,0)", "userns"),
        call("af-packet-dgram", "socket(AF_PACKET,2,0)", "userns"), call("af-xdp", "socket(AF_XDP,3,0)", "userns"),
        call("af-alg", "socket(AF_ALG,5,0)"), call("af-bluetooth", "socket(31,3,1)"), call("af-rds", "socket(21,5,0)"),
        call("af-tipc", "socket(30,5,0)"), call("af-can", "socket(29,3,1)"), call("af-kcm", "socket(41,5,0)"), call("af-smc", "socket(43,1,0)"),
        call("af-key", "socket(15,3,2)", "userns"), call("raw-ip", "socket(AF_INET,3,1)", "userns"), call("raw-ip6", "socket(AF_INET6,3,58)", "userns"),
        call("sctp", "socket(AF_INET,1,132)"), call("mptcp", "socket(AF_INET,1,262)"), call("udplite", "socket(AF_INET,2,136)"),
        Probe("must-af-inet", "ok", unseen="needed"), Probe("must-af-inet6", "ok", unseen="needed"))),
    Attempt(47, "netlink", (
        call("netlink-sock-diag", "socket(AF_NETLINK,3,4)"), call("netlink-xfrm", "socket(AF_NETLINK,3,6)"),
        call("netlink-audit", "socket(AF_NETLINK,3,9)"), call("netlink-netfilter", "socket(AF_NETLINK,3,12)"),
        call("netlink-uevent", "socket(AF_NETLINK,3,15)"), call("netlink-generic", "socket(AF_NETLINK,3,16)"),
        call("netlink-crypto", "socket(AF_NETLINK,3,21)"),
        Probe("netlink-add-address", "EPERM", unseen=KERNEL, control="userns"), Probe("must-netlink-route", "ok", unseen="needed"))),
    Attempt(48, "personality", (
        call("personality-no-randomize", "personality(0x40000)"), call("personality-read-implies-exec", "personality(0x400000)"))),
    Attempt(49, "segments and ports", (
        call("modify-ldt", "modify_ldt"), call("iopl", "iopl", f"none: {HOST_ROOT}"), call("ioperm", "ioperm", f"none: {HOST_ROOT}"))),
    Attempt(50, "the kernel's log", (call("syslog", "syslog", "root"), call("syslog-read-all", "syslog", "root"))),
    Attempt(51, "the host's administration", (
        *(call(name, event, f"none: {HOST_ROOT}") for name, event in (
            ("reboot", "reboot"), ("swapon", "swapon"), ("acct", "acct"), ("settimeofday", "settimeofday|clock_settime"),
            ("clock-settime", "clock_settime"))),
        call("quotactl", "quotactl", "userns", "ENODEV", "ok"), call("adjtimex", "adjtimex|clock_adjtime", "user", "ok"),
        call("sethostname", "sethostname", "userns"), call("setdomainname", "setdomainname", "userns"))),
    Attempt(52, "rare calls", (
        call("fanotify-init", "fanotify_init"), call("kcmp", "kcmp"), call("vmsplice-gift", "vmsplice"), call("memfd-secret", "memfd_secret"),
        call("move-pages-of-init", "move_pages", f"none: {HOST_ROOT}"), call("process-madvise", "process_madvise", "user", "EBADF"),
        call("lookup-dcookie", "lookup_dcookie", f"none: {HOST_ROOT}, and kernels since 6.7 have none"))),
    Attempt(53, "a filter of one's own that mutes ours", (
        call("seccomp-listener", "seccomp"), call("seccomp-mute-reporter", "seccomp"), call("prctl-set-seccomp", "prctl(22)"),
        call("prctl-high-half", "prctl(22)"), call("landlock-create", "landlock_create_ruleset"))),
    Attempt(54, "refused while not dumpable", (call("not-dumpable", "kcmp"),)),
    Attempt(55, "out-of-band data on Unix sockets", (call("out-of-band", "sendto(MSG_OOB)"),)),
    Attempt(56, "other ABIs", (
        call("x32-getpid", "x32:39", "none: this kernel has no x32"), call("x32-ptrace", "x32:521", "none: this kernel has no x32"),
        call("i386-getpid", "i386:20"), call("i386-mount", "i386:21", f"none: {HOST_ROOT}"), call("i386-far-jump", "i386:20")),
        ((MORE, "def test_a_32_bit_program"),)),
    Attempt(57, "unknown numbers", tuple(
        call(f"unknown-{name}", f"syscall:{number}", "none: no kernel has it") for name, number in (("1000", 1000), ("4000", 4000), ("minus-1", -1)))),
    Attempt(58, "bits above 32", (
        call("vsock-high-half", "socket(AF_VSOCK,1,0)"), call("vsock-high-type", "socket(AF_VSOCK,1,0)"),
        call("clone-newuser-high-half", "clone(0x10000000)"))),
    Attempt(59, "arguments that change under way", (
        Probe("address-race", "ENODATA", ("KIND_CONNECT/tcp", "192.0.2.1:*"), "", "none: it needs an address outside that answers"),)),
    Attempt(60, "callers that die while they are refused", (call("dying-callers", "kcmp"),)),
    Attempt(61, "the supervisor dies", tests=((MORE, "def test_killing_the_supervisor"),)),
]

OUTSIDE = [
    Attempt(62, "TCP to anywhere", (
        refused("tcp4-https", "1.1.1.1:443"), refused("tcp6-https", "[2606:4700::1111]:443"),
        refused("tcp4-direct", "1.1.1.1:8443"), refused("tcp6-direct", "[2606:4700::1111]:8443"), refused("tcp4-ssh", "203.0.113.9:22"))),
    Attempt(63, "UDP to anywhere", (
        refused("udp4-direct", "8.8.8.8:5353", "udp"), refused("udp-quic", "8.8.8.8:4433", "udp"),
        refused("udp6-direct", "[2001:4860:4860::8888]:5353", "udp"),
        call("ping-socket", "socket(AF_INET,2,1)", "none: net.ipv4.ping_group_range leaves everybody out"))),
    Attempt(64, "data in names", (refused("dns-over-tls", "9.9.9.9:853"),), ((TRAPS, "def test_each_name_has_a_synthetic_address_of_its_own"), (TRAPS, "def test_dns_over_tcp"))),
    Attempt(65, "metadata services", (
        refused("metadata-aws-other-port", "169.254.169.254:8080"), refused("metadata-aws6", "[fd00:ec2::254]:8080"),
        refused("metadata-alibaba", "100.100.100.200:8080"), refused("metadata-mapped", "169.254.169.254:8080")), ((NETWORK, "169.254.169.254"),)),
    Attempt(66, "services of the host's loopback", (
        refused("host-loopback", f"127.0.0.1:{HOST_PORT}", control="user"), refused("host-loopback-6", f"[::1]:{HOST_PORT}", control="user"),
        refused("host-any-address", f"127.0.0.1:{HOST_PORT}", control="user"), refused("host-mapped", f"127.0.0.1:{HOST_PORT}", control="user"),
        Probe("must-own-server", "ok", unseen="needed"))),
    Attempt(67, "Unix sockets of the host", (
        call("host-abstract-socket", "socket(AF_UNIX,1,0)"), call("host-path-socket", "socket(AF_UNIX,1,0)"),
        call("docker-socket", "socket(AF_UNIX,1,0)", "user", "ENOENT", "ok"))),
    Attempt(68, "descriptors from a friend outside", (call("host-path-socket", "socket(AF_UNIX,1,0)"),), note="Needs a Unix socket; see 67."),
    Attempt(69, "other sandboxes", tests=((MORE, "def test_two_sandboxes_cannot_see_each_other"),)),
    Attempt(70, "CONNECT where it is not allowed", tests=((DOORS, "evil-allowed.example"), (EGRESS, "def test_addresses_and_odd_names_are_refused_by_the_proxy"),)),
    Attempt(71, "CONNECT, SNI and Host that differ", tests=((EGRESS, "def test_a_tunnel_carries_tls_for_its_own_name_only"), (TRAPS, "def test_a_hello_for_another_name_is_refused"),)),
    Attempt(72, "ambiguous HTTP", tests=((DOORS, "X: folded"), (EGRESS, "def test_desync_payloads"),)),
    Attempt(73, "request smuggling", tests=((EGRESS, "def test_desync_payloads"), (EGRESS, "def test_one_request_is_one_upstream_request"),)),
    Attempt(74, "a relay of one's own", tests=((NETWORK, "def test_the_relay_says_who_speaks"),)),
    Attempt(75, "rebinding", tests=((EGRESS, "def test_private_own_and_metadata_addresses_are_refused_after_resolving"),)),
    Attempt(76, "wear the proxy out", tests=((EGRESS, "def test_caps_on_connections_bytes_and_idling"), (TRAPS, "def test_many_silent_connections_end_without_harm"),)),
    Attempt(77, "another agent's identity", tests=((NETWORK, "def test_the_relay_says_who_speaks"), (EGRESS, "def test_a_lying_launcher_gets_no_further"),)),
    Attempt(78, "without the proxy's variables", (refused("tcp4-direct", "1.1.1.1:8443"),)),
]

RESOURCES = [
    Attempt(79, "fork bomb", tests=(("tests/sandbox/test_*.py", "fork_bomb"),)),
    Attempt(80, "memory bomb", tests=(("tests/sandbox/test_*.py", "def test_memory_has_a_limit|def test_.*memory"),)),
    Attempt(81, "full disk", tuple(
        Probe(name, "ENOSPC", unseen=LIMIT, control="none: it would fill the host's disk") for name in ("fill-tmp", "fill-shm", "fill-inodes"))),
    Attempt(82, "descriptors", (
        Probe("all-descriptors", "EMFILE", unseen=LIMIT, control="none: every process has such a limit"),
        Probe("lock-memory", "EPERM", unseen=LIMIT))),
    Attempt(83, "priority", (
        *(Probe(name, "EPERM", unseen=KERNEL, control=f"none: {HOST_ROOT}") for name in ("real-time-fifo", "real-time-rr")),
        Probe("nice-below", "EACCES", unseen=KERNEL, control=f"none: {HOST_ROOT}"), Probe("raise-limit", "EPERM", unseen=KERNEL, control="none: only root may"))),
    Attempt(84, "outlive the wall time", tests=(("tests/sandbox/test_*.py", "ignores_sigterm"),)),
    Attempt(85, "flood of output", tests=(("tests/sandbox/test_output.py", "def test_long_lines_are_cut_and_many_are_counted|def test_no_text_of_the_agent_can_pose"),)),
    Attempt(86, "core dumps", (find("core-dump", "none: the host's limit may be 0 as well"),)),
    Attempt(87, "churn of namespaces", (call("unshare-net", "unshare"),)),
    Attempt(88, "flood of refused calls", tests=(("tests/sandbox/test_containment.py", "def test_a_flood_of_denials"),)),
]

INFORMATION = [
    Attempt(89, "secrets in environments", (find("secret-environment", "user"), find("init-environment", "none: the host's process 1 has no such secret"),
                                            Probe("proc-1-environ", "ENOENT", unseen="process 1 is not dumpable and hidden",
                                                  control="none: a host's process 1 may be shut even to root"))),
    Attempt(90, "the host in /proc", (
        gone("host-process", "user"), *(gone(f"proc-{name}") for name in (
            "cmdline", "version", "kallsyms", "modules", "timer_list", "keys", "slabinfo", "uptime", "meminfo", "kcore", "sys")))),
    Attempt(91, "the host's names", (
        gone("machine-id"), gone("dmi"), gone("network-hardware"), find("host-name", "user"), find("mountinfo-paths", "user"),
        find("cgroup-path", "none: a host's own groups may be the root groups"))),
    Attempt(92, "addresses in the kernel", (find("kernel-pointers", "none: kernels hide them unless kernel.kptr_restrict is 0"),)),
    Attempt(93, "signals to others", (
        *(Probe(name, "EPERM", unseen=LANDLOCK, control="none: never sent to a real process 1") for name in ("kill-init", "stop-init")),
        Probe("signal-init-0", "EPERM", unseen=LANDLOCK, control="root"),
        *(Probe(f"{name}-host-process", "ESRCH", unseen=OTHER_NAMESPACE, control="user") for name in (
            "kill", "tgkill", "sigqueue", "pidfd", "setown", "fiosetown", "priority-of")))),
    Attempt(94, "timing of others", (gone("proc-stat", "user"), call("perf-event-open", "perf_event_open", "userns"))),
    Attempt(95, "identity and capabilities", (
        Probe("uid-map-write", "EPERM", unseen=KERNEL, control="none: a map can be written once, by its maker"),
        Probe("setgroups-write", "EACCES|EPERM", unseen=KERNEL, control="none: it is shut before the map is made"),
        Probe("setgroups", "EPERM", unseen=KERNEL, control="root"), call("capset", "capset", "userns"), call("securebits", "prctl(28)", "userns"),
        Probe("setuid-root", "EINVAL", unseen=KERNEL, control="userns"), Probe("setgid-root", "EINVAL", unseen=KERNEL, control="userns"),
        Probe("no-new-privs-off", "EINVAL", unseen=KERNEL, control="none: no kernel lets it be undone"))),
    Attempt(96, "System V and POSIX objects", tuple(
        Probe(name, "ENOENT", unseen=OTHER_NAMESPACE, control="user") for name in ("host-shared-memory", "host-message-queue", "host-posix-memory"))),
]

# Each has its control beside it: the same package or line does its harm with plain pip.
SUPPLY_CHAIN = [
    Attempt(97, "packages that attack while they are built", tests=((REQUIREMENTS, "def test_attempt_97_"),)),
    Attempt(98, "hostile lines of requirements", tests=((REQUIREMENTS, "def test_attempt_98_"), (PARSERS, "extra-index-url"))),
    Attempt(99, "hashes that differ", tests=((REQUIREMENTS, "def test_attempt_99_"), (PACKAGES, "def test_a_file_that_differs_from_the_indexs_hash"))),
    Attempt(100, "hostile wheels", tests=((REQUIREMENTS, "def test_attempt_100_"), (TREES, "RefusesLinksSecondNames"))),
]

ATTEMPTS = [*FILES, *KERNEL_SURFACE, *OUTSIDE, *RESOURCES, *INFORMATION, *SUPPLY_CHAIN]


def all_probes() -> dict[str, Probe]:
    """By name; a probe that two attempts share is the same in both."""
    found: dict[str, Probe] = {}
    for attempt in ATTEMPTS:
        for probe in attempt.probes:
            assert found.setdefault(probe.name, probe) == probe, probe.name
    return found
