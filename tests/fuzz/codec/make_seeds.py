#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes the binary seeds of tests/fuzz/corpus/codec: HTTP/2, WebSocket, event streams, encoded bodies.

The codings br and zstd come from the programs `brotli` and `zstd`. Run it again when a target's input changes.
"""

from __future__ import annotations

import gzip
import struct
import subprocess
import zlib
from pathlib import Path

CORPUS = Path(__file__).resolve().parents[1] / "corpus" / "codec"
TEXT = b'{"model":"m","choices":[{"index":0,"message":{"content":"hello hello hello"}}]}' * 4


def write(target: str, name: str, data: bytes) -> None:
    folder = CORPUS / target
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(data)


def literal(name: bytes, value: bytes, indexed: bool = True) -> bytes:
    """An HPACK literal with a new name, no Huffman coding."""
    return (b"\x40" if indexed else b"\x00") + bytes([len(name)]) + name + bytes([len(value)]) + value


def frame(kind: int, flags: int, stream: int, payload: bytes) -> bytes:
    return struct.pack(">I", len(payload))[1:] + bytes([kind, flags]) + struct.pack(">I", stream) + payload


def piece(side: int, data: bytes, hole: int = 0) -> bytes:
    """The fuzz target's own framing: side and hole bit, length in fours (or the hole's size)."""
    padded = data + frame(6, 0, 0, b"12345678") * ((-len(data)) % 4 and 1)
    while len(padded) % 4:
        padded += b"\0"
    if hole:
        return bytes([side | 2, hole]) + data[: hole * 4]
    return bytes([side, len(padded) // 4]) + padded


def http2() -> None:
    preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
    head = b"\x83\x87" + literal(b":path", b"/v1/messages") + literal(b"content-type", b"application/json")
    settings = frame(4, 0, 0, b"\0\3\0\0\0\x64")
    request = preface + settings + frame(1, 4, 1, head) + frame(0, 1, 1, TEXT[:40])
    reply = settings + frame(1, 4, 1, b"\x88" + literal(b"server", b"x")) + frame(0, 1, 1, b"data: x\n\n")
    write("http2", "request_reply", b"\1" + piece(1, request) + piece(0, reply))
    write("http2", "midway", b"\0" + piece(1, frame(1, 4, 3, b"\xbe\xbf" + head)) + piece(0, frame(0, 0, 3, b"tail")))
    split = frame(1, 0x28, 5, b"\2" + b"\0\0\0\0\x10" + head[:4] + b"PP") + frame(9, 4, 5, head[4:])
    write("http2", "continuation", b"\0" + piece(1, split + frame(3, 0, 5, b"\0\0\0\x08")))
    write("http2", "push", b"\0" + piece(0, frame(5, 4, 1, b"\0\0\0\2" + head)))
    write("http2", "hole", b"\0" + piece(1, frame(0, 0, 7, b"x" * 60)[:40]) + piece(1, b"yyyyyyyy", 2))


def encoded() -> None:
    raw = zlib.compressobj(6, zlib.DEFLATED, -15)
    bodies = {
        "gzip": (0, gzip.compress(TEXT, mtime=0)),
        "gzip_members": (0, gzip.compress(TEXT, mtime=0) * 2),
        "zlib": (1, zlib.compress(TEXT)),
        "deflate": (1, raw.compress(TEXT) + raw.flush()),
        "br": (2, subprocess.run(["brotli", "-c"], input=TEXT, capture_output=True, check=True).stdout),
        "zstd": (3, subprocess.run(["zstd", "-c"], input=TEXT, capture_output=True, check=True).stdout),
        "plain": (5, TEXT),
    }
    for name, (coding, body) in bodies.items():
        write("content_decoder", name, bytes([coding, 7]) + body)


def framers() -> None:
    write("framers", "lines", b"\x05" + b'{"a":1}\n\n{"b":2}\r\n' + b"x" * 80 + b"\nlast")
    write("framers", "array", b"\x03" + b'[{"a":"]}"} ,\n{"b":[{}]},{}]')


def agent_messages() -> None:
    meta = b'"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28"}'
    seeds = {
        "call": b'{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"run","arguments":{"c":"l\\u0073"},' + meta + b"}}",
        "tools": b'{"jsonrpc":"2.0","id":1,"result":{"tools":[{"name":"a","description":"d","inputSchema":{"type":"object"}}],'
        b'"nextCursor":"x"}}',
        "initialize": b'{"jsonrpc":"2.0","id":0,"result":{"protocolVersion":"2025-06-18","capabilities":{},"serverInfo":'
        b'{"name":"s","version":"1"}}}',
        "batch": b'[{"jsonrpc":"2.0","id":1,"method":"tools/list"},{"jsonrpc":"2.0","method":"notifications/initialized"}]',
        "error": b'{"jsonrpc":"2.0","id":"a","error":{"code":-32602,"message":"no","data":["x"]}}',
        "a2a": b'{"jsonrpc":"2.0","id":1,"method":"message/send","params":{"message":{"role":"user","parts":[{"kind":"text",'
        b'"text":"hi"}],"messageId":"m"}}}',
        "task": b'{"jsonrpc":"2.0","id":1,"result":{"task":{"id":"t","status":{"state":"TASK_STATE_FAILED"}}}}',
        "card": b'{"name":"n","version":"1","supportedInterfaces":[{"url":"https://x","protocolVersion":"1.0"}],"skills":[{"id":"s"}]}',
        "header": b"=?base64?Y2Fmw6k=?=",
    }
    for name, data in seeds.items():
        write("agent_message", name, data)


def main() -> None:
    http2()
    encoded()
    framers()
    agent_messages()


if __name__ == "__main__":
    main()
