#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes the seeds of tests/fuzz/corpus/sensor: one record of each kind (bpf/events.h), small ELF files, and orders.

Run it again after a change of a record's layout: tests/fuzz/sensor/make_seeds.py
"""

from __future__ import annotations

import struct
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
CORPUS = ROOT / "tests" / "fuzz" / "corpus" / "sensor"
FUNCTIONS = ("SSL_read", "SSL_write", "SSL_read_ex", "SSL_write_ex", "SSL_clear", "SSL_free")


def header(kind: int, size: int) -> bytes:
    """A record's header: kind, cpu, size, time, tgid, tid, start, cgroup."""
    return struct.pack("<HHIQIIQQ", kind, 1, 40 + size, 9_000_000_000, 4242, 4243, 7_000_000_123, 77)


def actor() -> bytes:
    """uid, pid namespace, parent, pad, parent's start, comm."""
    return struct.pack("<IIIIQ16s", 1000, 0xF0000001, 1, 0, 5, b"python3")


def endpoints(family: int = 2) -> bytes:
    """Source and destination, ports, family, pad, cookie."""
    return struct.pack("<16s16sHHHHQ", b"\x7f\0\0\1", b"\xc0\0\2\7", 40000, 443, family, 0, 99)


def record(kind: int, body: bytes) -> bytes:
    return header(kind, len(body)) + body


def tls(text: bytes, direction: int, family: int = 2) -> bytes:
    """A chunk of plaintext."""
    key = struct.pack("<QQ", 0x7F0000001000, 8_000_000_000)
    fields = struct.pack("<Q48sI", 0, endpoints(family), len(text))
    fields += struct.pack("<BBBBiIII16s", direction, 3, 1, 0, 5, 0, 1000, 0xF0000001, b"python3")
    return record(5, key + fields + text)


def exec_record(path: bytes, args: bytes, flags: int) -> bytes:
    return record(1, actor() + struct.pack("<HHI256s", len(path), len(args), flags, path) + args)


def stream(source: int, text: bytes, family: int = 2) -> bytes:
    """A chunk of a plain socket (1) or of stdio (2)."""
    fields = struct.pack("<QQQ48sIBBBBII16s", 99, 5, 0, endpoints(family), len(text), 1, 3, source, 0, 1000, 1, b"node")
    return record(40, fields + text)


def records() -> dict[str, bytes]:
    """One seed a kind, and the variants that take other branches."""
    key = struct.pack("<QQ", 0x7F0000001000, 8_000_000_000)
    return {
        "name_bytes": record(30, actor() + endpoints() + struct.pack("<IIBB6x", 4, 0, 1, 1) + b"\x16\3\1\0"),
        "socket_bytes": record(31, actor() + endpoints() + struct.pack("<QQQII", 10, 20, 5, 3, 0)),
        "stream_socket": stream(1, b"POST /v1/chat/completions HTTP/1.1\r\n"),
        "stream_stdio": stream(2, b'{"jsonrpc":"2.0"}\n', 0),
        "stream_close": record(41, struct.pack("<QQQQII", 99, 5, 10, 20, 1, 0)),
        "stdio_found": record(42, actor() + struct.pack("<QQQQQII", 5, 11, 12, 0, 13, 1, 2)),
        "exec": exec_record(b"python3\0bin\0usr\0", b"python3\0-c\0pass\0", 0),
        "exec_cut": exec_record(b"a\0", b"a\0par", 5),
        "exit": record(2, actor() + struct.pack("<II", 3, 0)),
        "listen": record(3, actor() + endpoints()),
        "connect": record(4, actor() + endpoints() + struct.pack("<II", 1, 1500)),
        "connect_v6": record(4, actor() + endpoints(10) + struct.pack("<II", 3, 0)),
        "tls_write": tls(b"POST / HTTP/1.1\r\n\r\n", 1),
        "tls_read": tls(b"HTTP/1.1 200 OK\r\n\r\n", 0),
        "tls_no_socket": tls(b"x", 0, 0),
        "tls_close": record(6, key + struct.pack("<QQ", 10, 20)),
    }


def elf(machine: int = 62) -> bytes:
    """A shared library of one code segment whose dynamic symbols are the probed functions."""
    entry = bytes.fromhex("f30f1efa5541574989ff4883ec18e8000000004883c418415f5dc3").ljust(32, b"\x90")
    code = entry * len(FUNCTIONS)
    strings = b"\0" + b"".join(name.encode() + b"\0" for name in FUNCTIONS) + b".dynsym\0.dynstr\0.shstrtab\0"
    at_code = 64 + 56
    symbols = bytes(24)
    for number, name in enumerate(FUNCTIONS):
        where = strings.index(b"\0" + name.encode() + b"\0") + 1
        symbols += struct.pack("<IBBHQQ", where, 0x12, 0, 1, at_code + 32 * number, 32)
    at_symbols = at_code + len(code)
    at_strings = at_symbols + len(symbols)
    at_sections = at_strings + len(strings)
    sections = bytes(64)
    for name, kind, offset, size, link, entry_size in (
        (b".dynsym", 11, at_symbols, len(symbols), 2, 24),
        (b".dynstr", 3, at_strings, len(strings), 0, 0),
    ):
        sections += struct.pack("<IIQQQQIIQQ", strings.index(name), kind, 2, offset, offset, size, link, 1, 8, entry_size)
    start = struct.pack("<16sHHIQQQIHHHHHH", b"\x7fELF\2\1\1", 3, machine, 1, 0, 64, at_sections, 0, 64, 56, 1, 64, 3, 2)
    segment = struct.pack("<IIQQQQQQ", 1, 5, 0, 0, 0, at_sections, at_sections, 4096)
    return start + segment + code + symbols + strings + sections


def elves() -> dict[str, bytes]:
    whole = elf()
    return {"library": whole, "library_aarch64": elf(183), "cut_in_symbols": whole[: 64 + 56 + 192 + 30], "head": whole[:64]}


def snapshot(text: str) -> bytes:
    """An OrderSnapshot from its text form."""
    command = ["protoc", f"-I{ROOT}/proto", "--encode=aispm.v1.OrderSnapshot", "aispm/v1/enforce.proto"]
    return subprocess.run(command, input=text.encode(), stdout=subprocess.PIPE, check=True).stdout


def orders() -> dict[str, bytes]:
    """Snapshots of orders of each action, and some that must be refused."""
    head = 'version: 3 orders { id: "%s" action: %s mode: ORDER_MODE_ENFORCE created { seconds: 1795000000 } '
    block = head % ("b", "ORDER_ACTION_BLOCK")
    return {
        "domain": snapshot(block + 'match { domain: "*.example.com" ports: 443 provider: "openai" } }'),
        "addresses": snapshot(block + 'match { addresses: "192.0.2.0/24" addresses: "2001:db8::/32" } refuse: true }'),
        "egress": snapshot(block + 'match { agent_id: "*/codex" } egress: "10.0.0.0/8" egress: "api.example.com:443" }'),
        "acts": snapshot(
            block + 'match { user: "alice" } raw_sockets: true kernel_writes: true tamper: true '
            'programs: "nc" write_folders: "/tmp" approved: "/usr/bin" }'
        ),
        "content": snapshot(block + 'match { model: "gpt-*" } detection: "secret" kill: true }'),
        "allow_expired": snapshot(head % ("a", "ORDER_ACTION_ALLOW") + 'match { cgroup: "/agents" } expires { seconds: 1 } }'),
        "quarantine": snapshot(head % ("q", "ORDER_ACTION_QUARANTINE") + 'match { container_id: "0123456789ab" } }'),
        "kill": snapshot(head % ("k", "ORDER_ACTION_KILL") + 'match { host_id: "h" pid: 4242 start_boottime_ns: 7000000123 } }'),
        "refused": snapshot('orders { id: "x" } orders { action: ORDER_ACTION_KILL } ' + block[11:] + "match { ports: 70000 } }"),
    }


def main() -> None:
    for folder, seeds in (("record", records()), ("elf", elves()), ("order", orders())):
        (CORPUS / folder).mkdir(parents=True, exist_ok=True)
        for name, content in seeds.items():
            (CORPUS / folder / name).write_bytes(content)


if __name__ == "__main__":
    main()
