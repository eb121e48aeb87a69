# SPDX-License-Identifier: Apache-2.0
"""A gateway on loopback that answers as told and remembers what it was sent."""

from __future__ import annotations

import json
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass(frozen=True)
class Answer:
    """What the gateway says. `cut` ends the connection before the promised length; `hang` never answers."""

    body: bytes = b"{}"
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    cut: bool = False
    hang: bool = False


@dataclass(frozen=True)
class Request:
    """What the gateway was sent. Header names are in lower case."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: Any


class FakeGateway:
    """Answers every request with `answer`. Use as a context manager."""

    def __init__(self) -> None:
        self.answer = Answer()
        self.requests: list[Request] = []
        self._ended = threading.Event()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01})

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> FakeGateway:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def say(self, body: object, status: int = 200, **headers: str) -> None:
        """The next answers are this JSON; `x_aispm_case="1"` becomes the header x-aispm-case."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        self.answer = Answer(json.dumps(body).encode(), status, named)

    def stream(self, *events: object, end: str = "data: [DONE]\n\n") -> None:
        """The next answers are a server-sent event stream of these."""
        text = "".join(f"data: {json.dumps(event)}\n\n" for event in events) + end
        self.answer = Answer(text.encode(), 200, {"content-type": "text/event-stream"})

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        gateway = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                headers = {name.lower(): value for name, value in self.headers.items()}
                gateway.requests.append(Request(self.command, self.path, headers, json.loads(body)))
                answer = gateway.answer
                if answer.hang:
                    gateway._ended.wait(10)
                    return
                self.send_response(answer.status)
                for name, value in answer.headers.items():
                    self.send_header(name, value)
                self.send_header("content-length", str(len(answer.body) + (1 if answer.cut else 0)))
                self.end_headers()
                self.wfile.write(answer.body)

            def log_message(self, format: str, *args: object) -> None:
                """Silent: the tests read `requests`."""

        return Handler
