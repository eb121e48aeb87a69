# SPDX-License-Identifier: Apache-2.0
"""HTTP to the gateway: one connection a thread, kept open, with a deadline and a limit on what is read."""

from __future__ import annotations

import http.client
import ssl
import threading
import urllib.parse
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

MAX_REPLY_BYTES = 32 << 20


class RunFailed(Exception):
    """Why the run cannot go on, in words for whoever started it."""


class WrongUsage(RunFailed):
    """Nothing was asked: what was given cannot be right."""


@dataclass(frozen=True)
class Reply:
    status: int
    headers: Mapping[str, str]  # names in lower case
    body: bytes


class Gateway:
    """Any thread. `url` is http://host:port or https://host:port; OSError and http.client.HTTPException tell what failed."""

    def __init__(self, url: str, key: str, ca_file: Path | None, timeout_seconds: float) -> None:
        parts = urllib.parse.urlsplit(url)
        try:
            port = parts.port
        except ValueError as problem:
            raise WrongUsage(f"--gateway {url}: {problem}") from problem
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.path not in ("", "/") or parts.query or parts.username:
            raise WrongUsage(f"--gateway {url}: give http://host:port or https://host:port")
        try:
            self._context = ssl.create_default_context(cafile=ca_file) if parts.scheme == "https" else None
        except OSError as problem:
            raise WrongUsage(f"--ca-file {ca_file}: {problem.strerror or problem}") from problem
        self._host, self._port = parts.hostname, port or (443 if parts.scheme == "https" else 80)
        self._key, self._timeout = key, timeout_seconds
        self._local = threading.local()

    def _open(self) -> http.client.HTTPConnection:
        if self._context:
            return http.client.HTTPSConnection(self._host, self._port, timeout=self._timeout, context=self._context)
        return http.client.HTTPConnection(self._host, self._port, timeout=self._timeout)

    def _ask(self, connection: http.client.HTTPConnection, path: str, body: bytes) -> Reply:
        connection.request("POST", path, body, {"content-type": "application/json", "authorization": f"Bearer {self._key}"})
        answer = connection.getresponse()
        text = answer.read(MAX_REPLY_BYTES + 1)
        if len(text) > MAX_REPLY_BYTES:
            raise http.client.HTTPException(f"a reply of more than {MAX_REPLY_BYTES} bytes")
        return Reply(answer.status, {name.lower(): value for name, value in answer.getheaders()}, text)

    def post(self, path: str, body: bytes) -> Reply:
        """A kept connection that turns out to have been closed is opened again, once."""
        connection: http.client.HTTPConnection | None = getattr(self._local, "connection", None)
        self._local.connection = None
        if connection:
            try:
                reply = self._ask(connection, path, body)
                self._local.connection = connection
                return reply
            except (http.client.RemoteDisconnected, ConnectionResetError, BrokenPipeError):
                connection.close()
        connection = self._open()
        try:
            reply = self._ask(connection, path, body)
        except BaseException:
            connection.close()
            raise
        self._local.connection = connection
        return reply
