# SPDX-License-Identifier: Apache-2.0
"""Makes the seed programs of fuzz_program: small files with each structure that analysis reads.

Run from the root of the tree; needs gcc, and go for the function table (cut to its first 64 KiB of names).
"""

from __future__ import annotations

import struct
import subprocess
import tempfile
from pathlib import Path

OUT = Path("tests/fuzz/corpus/fingerprint/program")
BORING = r"""
__attribute__((noinline)) void put(int a, int b, int c, const char *f, int l) { __asm__ volatile("" :: "r"(a), "r"(b), "r"(c), "r"(f), "r"(l)); }
static const char name[] = "\0../ssl/ssl_lib.cc";
#define file (name + 1)
__attribute__((noinline)) int rd(int x) { if (x) put(16, 0, 66, file, 931); return x; }
__attribute__((noinline)) int wr(int x) {
  if (x == 1) put(16, 0, 66, file, 953);
  if (x == 2) put(16, 0, 226, file, 958);
  if (x == 3) put(16, 0, 215, file, 973);
  if (x == 4) put(16, 0, 111, file, 979);
  return x;
}
void _start(void) { rd(0); wr(0); for (;;) ; }
"""


def compile_c(name: str, *flags: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "a.c"
        source.write_text(BORING)
        binary = Path(folder) / "a"
        subprocess.run(["gcc", "-O0", "-nostdlib", "-Wl,-z,noseparate-code", "-Wl,--build-id=none", *flags, source, "-o", binary],
                       check=True)
        (OUT / name).write_bytes(binary.read_bytes())


def go_table() -> bytes:
    """A program whose only content is a function table with two functions, as Go's linker lays it out."""
    code = b"\x49\x3b\x66\x10\xc3" + b"\xcc" * 11 + b"\x49\x3b\x66\x10\x90\xc3"
    names = b"\0crypto/tls.(*Conn).Read\0crypto/tls.(*Conn).Write\0"
    at = {0: 1, 16: 1 + len(b"crypto/tls.(*Conn).Read\0")}
    table_at = (72 + len(names) + 7) // 8 * 8
    header = struct.pack("<IBBBB8Q", 0xFFFFFFF1, 0, 0, 1, 8, 2, 0, 0x500000, 72, 72, 72, 72, table_at)
    table = b"".join(struct.pack("<II", begin, 24 + 8 * i) for i, begin in enumerate(at)) + struct.pack("<II", len(code), 0)
    table += b"".join(struct.pack("<II", begin, name) for begin, name in at.items())
    data = (header + names).ljust(table_at, b"\0") + table
    data_at = 192
    code_at = (data_at + len(data) + 15) // 16 * 16
    elf = b"\x7fELF\2\1\1" + b"\0" * 9 + struct.pack("<HHIQQQIHHHHHH", 2, 62, 1, 0x500000, 64, 0, 0, 64, 56, 2, 64, 0, 0)
    elf += struct.pack("<IIQQQQQQ", 1, 4, 0, 0x400000, 0x400000, code_at, code_at, 16)
    elf += struct.pack("<IIQQQQQQ", 1, 5, code_at, 0x500000, 0x500000, len(code), len(code), 16)
    return (elf.ljust(data_at, b"\0") + data).ljust(code_at, b"\0") + code


def main() -> None:
    OUT.mkdir(parents=True, exist_ok=True)
    compile_c("fixed", "-no-pie", "-static")
    compile_c("fixed_stripped", "-no-pie", "-static", "-s", "-fno-asynchronous-unwind-tables")
    compile_c("relocatable", "-pie", "-fPIE", "-s")
    (OUT / "go").write_bytes(go_table())


if __name__ == "__main__":
    main()
