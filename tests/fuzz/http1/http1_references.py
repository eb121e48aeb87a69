# SPDX-License-Identifier: Apache-2.0
"""How others read the same bytes: llhttp (Node.js; through httptools) and h11 (Python's servers and clients)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import h11
import httptools

MAX_HEAD_BYTES = 1 << 20
# llhttp knows a list of methods and no others.
UNKNOWN_METHOD = ("Invalid method encountered", "Expected space after method", "Expected HTTP/2 Connection Preface")


@dataclass
class Message:
    start: tuple[bytes, bytes, int]  # method and target, or b"", b"" and the status
    headers: list[tuple[bytes, bytes]]  # names in lower case
    body: bytes = b""


@dataclass
class Reading:
    """`end`: done, closed (it will not read on), refused, within a head, within a body, or left: it stops for reasons that are no framing."""

    messages: list[Message] = field(default_factory=list)
    end: str = "done"
    reason: str = ""
    open: Message | None = None  # head read, body not at its end


class LlhttpReader:
    """Collects what the parser calls back."""

    def __init__(self, is_request: bool) -> None:
        self.is_request = is_request
        self.reading = Reading()
        self.parser: Any = (httptools.HttpRequestParser if is_request else httptools.HttpResponseParser)(self)
        self.target = b""
        self.headers: list[tuple[bytes, bytes]] = []
        self.is_head_done = False
        self.has_begun = False

    def on_message_begin(self) -> None:
        self.target, self.headers, self.is_head_done, self.has_begun = b"", [], False, True

    def on_url(self, url: bytes) -> None:
        self.target += url

    def on_header(self, name: bytes, value: bytes | None) -> None:
        if not self.is_head_done:  # trailers come the same way
            self.headers.append((name.lower(), (value or b"").strip(b" \t")))

    def on_headers_complete(self) -> None:
        self.is_head_done = True
        method = self.parser.get_method() if self.is_request else b""
        status = 0 if self.is_request else self.parser.get_status_code()
        self.reading.open = Message((method, self.target, status), self.headers)

    def on_body(self, body: bytes) -> None:
        assert self.reading.open
        self.reading.open.body += body

    def on_message_complete(self) -> None:
        assert self.reading.open
        self.reading.messages.append(self.reading.open)
        self.reading.open = None
        self.has_begun = False

    def feed(self, data: bytes) -> Reading:
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            # httptools changes the protocol whether the server would or not: what follows, a body too, is none of HTTP's for it.
            self.reading.messages.pop()
            self.reading.end = "left"
            return self.reading
        except httptools.HttpParserError as error:
            self.reading.reason = str(error)
            self.reading.end = "closed" if "Connection: close" in self.reading.reason else "left" if self.reading.reason in UNKNOWN_METHOD else "refused"
            return self.reading
        if self.reading.open and not self.is_request and not {b"content-length", b"transfer-encoding"} & {name for name, _ in self.headers}:
            self.on_message_complete()  # which the close of the connection would call
            self.reading.end = "closed"
        elif self.reading.open:
            self.reading.end = "within a body"
        elif self.has_begun:
            self.reading.end = "within a head"
        return self.reading


def read_llhttp(is_request: bool, data: bytes) -> Reading:
    return LlhttpReader(is_request).feed(data)


def _h11_message(event: Any) -> Message:
    start = (bytes(event.method), bytes(event.target), 0) if isinstance(event, h11.Request) else (b"", b"", event.status_code)
    return Message(start, [(bytes(name), bytes(value)) for name, value in event.headers])


def _next_cycle(connection: Any, is_request: bool, method: bytes) -> bool:
    """Answers the request (or asks again), so that the parser goes on; false where it holds the connection for over."""
    if is_request and connection.our_state is h11.SEND_RESPONSE:
        connection.send(h11.Response(status_code=200, headers=[("Content-Length", "0")]))
        connection.send(h11.EndOfMessage())
    if connection.our_state is not h11.DONE or connection.their_state is not h11.DONE:
        return False
    connection.start_next_cycle()
    if not is_request:
        _ask(connection, method)
    return True


def _ask(connection: Any, method: bytes) -> None:
    connection.send(h11.Request(method=method, target="/", headers=[("Host", "gw")]))
    connection.send(h11.EndOfMessage())


def read_h11(is_request: bool, data: bytes, method: bytes = b"GET") -> Reading:
    connection = h11.Connection(h11.SERVER if is_request else h11.CLIENT, max_incomplete_event_size=MAX_HEAD_BYTES)
    reading = Reading()
    is_closed = False
    try:
        if not is_request:
            _ask(connection, method)
        connection.receive_data(data)
        while True:
            event = connection.next_event()
            if event is h11.NEED_DATA and not is_request and reading.open and not is_closed:
                is_closed = True
                connection.receive_data(b"")
                continue
            if event is h11.NEED_DATA:
                reading.end = "within a body" if reading.open else "within a head" if connection.trailing_data[0] else "done"
                return reading
            if event is h11.PAUSED:
                reading.end = "closed"
                return reading
            if isinstance(event, h11.InformationalResponse):
                reading.messages.append(_h11_message(event))
            elif isinstance(event, h11.Request | h11.Response):
                reading.open = _h11_message(event)
            elif isinstance(event, h11.Data) and reading.open:
                reading.open.body += bytes(event.data)
            elif isinstance(event, h11.EndOfMessage) and reading.open:
                reading.messages.append(reading.open)
                reading.open = None
                if not _next_cycle(connection, is_request, method):
                    # It keeps no connection of HTTP/1.0, whatever was asked.
                    reading.end = "left" if connection.their_http_version == b"1.0" else "closed"
                    return reading
    except h11.ProtocolError as error:
        reading.end, reading.reason = "within a body" if is_closed else "refused", str(error)
        return reading
