# SPDX-License-Identifier: Apache-2.0
"""The provider behind a gateway under test: answers each exchange of the run with the text that it should carry. No model."""

from __future__ import annotations

import ipaddress
import json
import re
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from connection import RunFailed, WrongUsage

MAX_BODY_BYTES = 64 << 20
IDLE_SECONDS = 60
PIECE = 7
_NUMBER = re.compile(r"redteam-(\d{1,12})")


def _stream(number: int, model: str, reply: str) -> bytes:
    """The reply in pieces of a few characters, so that what is to be found is cut."""
    def event(delta: dict[str, Any], finish: str | None = None) -> str:
        return "data: " + json.dumps({"id": f"chatcmpl-{number}", "object": "chat.completion.chunk", "created": 0, "model": model,
                                      "choices": [{"index": 0, "delta": delta, "finish_reason": finish}]}, ensure_ascii=False) + "\n\n"

    pieces = [event({"content": reply[at:at + PIECE]}) for at in range(0, len(reply), PIECE)]
    return "".join([event({"role": "assistant", "content": ""}), *pieces, event({}, "stop"), "data: [DONE]\n\n"]).encode("utf-8", "replace")


class StandIn:
    """Listens on a loopback address between enter and exit; any thread."""

    def __init__(self, address: str) -> None:
        host, _, port = address.rpartition(":")
        try:
            if not ipaddress.ip_address(host.strip("[]")).is_loopback:
                raise WrongUsage(f"--provider {address}: only loopback addresses, since it answers whoever asks")
            self._server = _Server((host.strip("[]"), int(port)), _Handler)
        except ValueError as problem:
            raise WrongUsage(f"--provider {address}: give an address and port, as 127.0.0.1:9001") from problem
        except OSError as problem:
            raise RunFailed(f"--provider {address}: {problem.strerror}") from problem
        self._server.stand_in = self
        self._lock = threading.Lock()
        self._replies: dict[int, str] = {}
        self._seen: dict[int, dict[str, Any]] = {}

    def __enter__(self) -> StandIn:
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.1}, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def expect(self, number: int, reply: str) -> None:
        """From now on exchange `number` is answered with `reply`."""
        with self._lock:
            self._replies[number] = reply

    def forget(self, number: int) -> dict[str, Any] | None:
        """The request that arrived for `number`; None when none did."""
        with self._lock:
            self._replies.pop(number, None)
            return self._seen.pop(number, None)

    def answer(self, raw: bytes) -> tuple[int, bytes]:
        try:
            body = json.loads(raw)
            number = int(_NUMBER.fullmatch(body["user"]).group(1))  # type: ignore[union-attr]
        except (ValueError, LookupError, TypeError, AttributeError):
            return 400, b'{"error":{"message":"not a request of this run"}}'
        with self._lock:
            reply = self._replies.get(number)
            if reply is None:
                return 400, b'{"error":{"message":"nobody waits for this request"}}'
            self._seen[number] = body
        if body.get("stream"):
            return 200, _stream(number, str(body.get("model", "")), reply)
        message = {"role": "assistant", "content": reply}
        return 200, json.dumps({
            "id": f"chatcmpl-{number}", "object": "chat.completion", "created": 0, "model": body.get("model", ""),
            "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
            "usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}}, ensure_ascii=False).encode()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128
    stand_in: StandIn


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = IDLE_SECONDS

    def do_POST(self) -> None:
        size = int(self.headers.get("content-length") or 0)
        if not 0 <= size <= MAX_BODY_BYTES:
            self.close_connection = True
            return
        assert isinstance(self.server, _Server)
        raw = self.rfile.read(size)
        status, body = self.server.stand_in.answer(raw)
        kind = "text/event-stream" if body.startswith(b"data: ") else "application/json"
        head = f"HTTP/1.1 {status} {'OK' if status == 200 else 'Bad Request'}\r\ncontent-type: {kind}\r\ncontent-length: {len(body)}\r\n\r\n"
        self.wfile.write(head.encode() + body)  # in one piece: two would wait for an acknowledgement between them

    def log_message(self, format: str, *args: Any) -> None:
        """Says nothing: requests hold what must not be logged."""
