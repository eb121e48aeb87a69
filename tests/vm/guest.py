# SPDX-License-Identifier: Apache-2.0
"""Boots a stock Debian kernel in qemu (software emulation) with a busybox initramfs and runs one command in it."""

from __future__ import annotations

import lzma
import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

BOOT_SECONDS = 600
MEMORY_MIB = 1024
END_MARK = "AISPM-VM-EXIT="

INIT = """#!/bin/sh
export PATH=/bin:/sbin:/usr/bin:/usr/sbin
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
mkdir -p /dev/shm /run /tmp /sys/fs/cgroup /sys/fs/bpf
mount -t tmpfs tmp /tmp
mount -t tracefs trace /sys/kernel/tracing
mount -t cgroup2 cgroup /sys/fs/cgroup
mount -t bpf bpf /sys/fs/bpf
mount -t securityfs security /sys/kernel/security
ip link set lo up
echo 3 > /proc/sys/kernel/printk
{command}
echo "{mark}$?"
poweroff -f
"""


class CannotBoot(Exception):
    """This machine lacks what a guest needs; the message says what."""


@dataclass(frozen=True)
class Outcome:
    exit_code: int | None  # None: the guest ended or hung before the command did
    console: str


def fetch_kernel(cache: Path, pattern: str) -> Path:
    """vmlinuz of the newest Debian kernel package that fits, unpacked into `cache` (never installed)."""
    have = sorted(cache.glob("boot/vmlinuz-*"))
    if have:
        return have[-1]
    names = subprocess.run(["apt-cache", "pkgnames", "linux-image-"], capture_output=True, text=True, check=False).stdout.split()
    fitting = sorted((name for name in names if re.fullmatch(pattern, name)), key=_version_key)
    if not fitting:
        raise CannotBoot(f"no package fits {pattern}: not Debian 12, or `apt-get update` was never run")
    _unpack(cache, fitting[-1])
    shutil.rmtree(cache / "lib", ignore_errors=True)  # modules: see fetch_modules()
    return sorted(cache.glob("boot/vmlinuz-*"))[-1]


def _unpack(cache: Path, package: str) -> None:
    cache.mkdir(parents=True, exist_ok=True)
    done = subprocess.run(["apt-get", "download", "-q", package], cwd=cache, capture_output=True, text=True, check=False)
    archives = list(cache.glob("*.deb"))
    if done.returncode != 0 or not archives:
        raise CannotBoot(f"apt-get download {package}: {done.stderr.strip()[-200:]}")
    subprocess.run(["dpkg-deb", "-x", archives[0], cache], check=True)
    archives[0].unlink()


def fetch_modules(cache: Path, kernel: Path, names: list[str]) -> list[Path]:
    """Modules of that kernel, uncompressed, in `cache`."""
    folder = cache / "modules"
    wanted = [folder / f"{name}.ko" for name in names]
    if all(module.exists() for module in wanted):
        return wanted
    _unpack(cache, f"linux-image-{kernel.name.removeprefix('vmlinuz-')}")
    folder.mkdir(exist_ok=True)
    for module in wanted:
        found = sorted((cache / "lib").rglob(module.name + "*"))
        if not found:
            raise CannotBoot(f"{kernel.name} has no module {module.stem}")
        content = found[0].read_bytes()
        module.write_bytes(lzma.decompress(content) if found[0].suffix == ".xz" else content)
    shutil.rmtree(cache / "lib")
    return wanted


def _version_key(name: str) -> list[int]:
    return [int(part) for part in re.findall(r"\d+", name)]


def _copy_with_libraries(program: Path, root: Path) -> None:
    """The program at /bin, without debug information, and every shared library it loads at its own path."""
    (root / "bin").mkdir(parents=True, exist_ok=True)
    if subprocess.run(["strip", "-g", "-o", root / "bin" / program.name, program], capture_output=True, check=False).returncode:
        shutil.copy2(program, root / "bin" / program.name)
    listed = subprocess.run(["ldd", program], capture_output=True, text=True, check=False).stdout
    for library in re.findall(r"(/\S+) \(0x", listed):
        target = root / library.lstrip("/")
        target.parent.mkdir(parents=True, exist_ok=True)
        if not target.exists():
            shutil.copy2(library, target)


def make_initramfs(folder: Path, programs: list[Path], command: str) -> Path:
    busybox = shutil.which("busybox")
    if busybox is None or shutil.which("cpio") is None:
        raise CannotBoot("busybox-static or cpio is not installed")
    root = folder / "root"
    for name in ("bin", "sbin", "proc", "sys", "dev", "etc", "usr/bin"):
        (root / name).mkdir(parents=True, exist_ok=True)
    shutil.copy2(busybox, root / "bin" / "busybox")
    given = {program.name for program in programs}
    for applet in ("sh", "mount", "mkdir", "ip", "echo", "poweroff", "true", "cat", "ls", "sleep"):
        if applet not in given:
            (root / "bin" / applet).symlink_to("busybox")
    for program in programs:
        _copy_with_libraries(program, root)
    (root / "etc" / "passwd").write_text("root:x:0:0::/:/bin/sh\n")
    (root / "init").write_text(INIT.format(command=command, mark=END_MARK))
    (root / "init").chmod(0o755)
    image = folder / "initramfs.cpio.gz"
    with image.open("wb") as out:
        pack = subprocess.run("find . | cpio -o -H newc --quiet | gzip -1", shell=True, cwd=root, stdout=out, check=False)
    if pack.returncode != 0:
        raise CannotBoot("packing the initramfs failed")
    return image


def boot(kernel: Path, initramfs: Path) -> Outcome:
    if shutil.which("qemu-system-x86_64") is None or os.uname().machine != "x86_64":
        raise CannotBoot("qemu-system-x86_64 is not installed, or this is not an x86-64 host")
    # Debian's kernels have BPF LSM built in; the command line puts it in force.
    arguments = "console=ttyS0 panic=-1 quiet lsm=landlock,lockdown,yama,integrity,apparmor,bpf"
    # One host thread for all of a guest's processors: with one each, qemu may run a breakpoint that the kernel has just patched away
    # (jump labels), and the guest dies of it ("Oops: int3").
    command = ["qemu-system-x86_64", "-accel", "tcg,thread=single", "-cpu", "max", "-m", str(MEMORY_MIB), "-smp", "2", "-nographic",
               "-no-reboot", "-nic", "none", "-kernel", str(kernel), "-initrd", str(initramfs), "-append", arguments]
    try:
        done = subprocess.run(command, capture_output=True, stdin=subprocess.DEVNULL, timeout=BOOT_SECONDS, check=False)
        console = done.stdout.decode(errors="replace") + done.stderr.decode(errors="replace")
    except subprocess.TimeoutExpired as late:
        console = (late.stdout or b"").decode(errors="replace")
    found = re.search(re.escape(END_MARK) + r"(\d+)", console)
    return Outcome(int(found.group(1)) if found else None, console)
