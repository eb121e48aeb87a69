# SPDX-License-Identifier: Apache-2.0
"""HTTP/1.1 as one known client speaks it, read strictly."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

MAX_HEAD_BYTES = 32 << 10
MAX_MESSAGE_BYTES = 8 << 20
READ_SECONDS = 30.0


class Refusal(Exception):
    """A request that is answered with an HTTP status and a JSON-RPC error."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


@dataclass
class Request:
    method: str
    headers: dict[str, str]
    body: bytes


async def read_request(reader: asyncio.StreamReader) -> Request | None:
    """The next request of a connection; nothing at its end. Bodies must say how long they are."""
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError as ended:
        if ended.partial:
            raise
        return None
    if len(head) > MAX_HEAD_BYTES:
        raise asyncio.LimitOverrunError("head", len(head))
    first, *lines = head[:-4].decode("latin-1").split("\r\n")
    headers: dict[str, str] = {}
    for line in lines:
        name, colon, value = line.partition(":")
        if not colon or name != name.strip() or name.lower() in headers:
            raise asyncio.IncompleteReadError(b"", None)  # nothing that can be read in one way only
        headers[name.lower()] = value.strip()
    length = headers.get("content-length", "0")
    if "transfer-encoding" in headers or not (length.isascii() and length.isdigit()) or int(length) > MAX_MESSAGE_BYTES:
        raise asyncio.IncompleteReadError(b"", None)
    body = await asyncio.wait_for(reader.readexactly(int(length)), READ_SECONDS)
    return Request(first.split(" ")[0], headers, body)


def respond(writer: asyncio.StreamWriter, status: int, body: bytes | None = b"", session_id: str = "") -> None:
    """Writes a reply's head, and its body; without one (None) chunks of events follow."""
    lines = [f"HTTP/1.1 {status} {'OK' if status < 400 else 'Refused'}"]
    if session_id:
        lines.append(f"Mcp-Session-Id: {session_id}")
    if body is None:
        lines += ["Content-Type: text/event-stream", "Cache-Control: no-cache", "Transfer-Encoding: chunked"]
    else:
        lines += ["Content-Type: application/json"] if body else []
        lines += [f"Content-Length: {len(body)}"] if status != 204 else []
    writer.write(("\r\n".join(lines) + "\r\n\r\n").encode() + (body or b""))
