# SPDX-License-Identifier: Apache-2.0
"""Runs a command on a poorer host: python3 poor_host.py LACK -- COMMAND [ARGS...]. As root; the command becomes user 65534.

Everything happens in namespaces of its own, or in a seccomp filter of this process: the host keeps all it has.
"""

from __future__ import annotations

import ctypes
import errno
import os
import platform
import struct
import sys

ORDINARY_UID = 65534
CLONE_NEWNS, CLONE_NEWUSER = 0x20000, 0x10000000
MS_RDONLY, MS_REMOUNT, MS_BIND, MS_REC, MS_PRIVATE = 1, 32, 4096, 16384, 1 << 18
LIBC = ctypes.CDLL(None, use_errno=True)
SYSCALLS = {"x86_64": {"clone3": 435, "landlock_create_ruleset": 444, "seccomp": 317}, "aarch64": {"clone3": 435, "landlock_create_ruleset": 444, "seccomp": 277}}


def check(result: int, what: str) -> None:
    if result != 0:
        raise OSError(ctypes.get_errno(), what)


def mount(source: str | None, target: str, flags: int) -> None:
    check(LIBC.mount(source and source.encode(), target.encode(), None, flags, None), f"mount {target}")


def refuse(call: str, error: int) -> None:
    """A seccomp filter, as a container's, that answers one system call with an error."""
    number = SYSCALLS[platform.machine()][call]
    code = [(0x20, 0, 0, 0), (0x15, 0, 1, number), (0x06, 0, 0, 0x00050000 | error), (0x06, 0, 0, 0x7FFF0000)]
    program = b"".join(struct.pack("HBBI", *line) for line in code)
    buffer = ctypes.create_string_buffer(program, len(program))
    pointer = ctypes.create_string_buffer(struct.pack("HxxxxxxP", len(code), ctypes.addressof(buffer)))
    check(LIBC.prctl(22, 2, pointer, 0, 0), "prctl(PR_SET_SECCOMP)")


def user_namespace_without_more() -> None:
    """A user namespace, with root and the ordinary user in it, that may have none below it."""
    told, tell = os.pipe()
    child = os.fork()
    if child == 0:
        check(LIBC.unshare(CLONE_NEWUSER), "unshare")
        os.write(tell, b"x")
        back = os.open("/proc/self/uid_map", os.O_RDONLY)
        while not os.pread(back, 10, 0):
            pass
        with open("/proc/sys/user/max_user_namespaces", "w") as limit:
            limit.write("0")
        return
    os.read(told, 1)
    for name in ("gid_map", "uid_map"):
        with open(f"/proc/{child}/{name}", "w") as mapping:
            mapping.write(f"0 0 1\n{ORDINARY_UID} {ORDINARY_UID} 1\n")
    _, status = os.waitpid(child, 0)
    os._exit(os.waitstatus_to_exitcode(status))


def private_mounts() -> None:
    check(LIBC.unshare(CLONE_NEWNS), "unshare")
    mount(None, "/", MS_REC | MS_PRIVATE)


def take_away(lack: str) -> None:
    if lack == "user-namespaces":
        user_namespace_without_more()
    elif lack == "proc":
        private_mounts()
        mount("/dev/null", "/proc/cpuinfo", MS_BIND)  # as a container runtime masks a file
    elif lack == "proc-sys":
        private_mounts()
        mount("/proc/sys", "/proc/sys", MS_BIND)
        mount(None, "/proc/sys", MS_REMOUNT | MS_BIND | MS_RDONLY)
    elif lack == "landlock":
        refuse("landlock_create_ruleset", errno.ENOSYS)
    elif lack == "clone3":
        refuse("clone3", errno.EPERM)
    elif lack == "clone3-unknown":  # as the filter of Docker, and our own
        refuse("clone3", errno.ENOSYS)
    elif lack == "seccomp":
        refuse("seccomp", errno.EPERM)
    else:
        raise SystemExit(f"unknown: {lack}")


def main() -> None:
    lack, _, *command = sys.argv[1:]
    take_away(lack)
    os.setgroups([])
    os.setresgid(ORDINARY_UID, ORDINARY_UID, ORDINARY_UID)
    os.setresuid(ORDINARY_UID, ORDINARY_UID, ORDINARY_UID)
    os.execv(command[0], command)


if __name__ == "__main__":
    main()
