# SPDX-License-Identifier: Apache-2.0
"""HTTP to the gateway: one connection a call, no proxies, no redirects, bounded answers."""

from __future__ import annotations

import http.client
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from aispm._version import __version__
from aispm.errors import GatewayError, GatewayUnavailable, NotConfigured, PolicyDenied

MAX_REPLY_BYTES = 64 << 20
MAX_LINE_BYTES = 4 << 20
MAX_ERROR_BYTES = 64 << 10
DEFAULT_TIMEOUT_SECONDS = 600.0


@dataclass(frozen=True)
class Gateway:
    """Where the gateway is and who calls; read from the environment at each call, so nothing happens at import."""

    url: str
    api_key: str
    session_id: str

    @staticmethod
    def from_environment() -> Gateway:
        url = os.environ.get("AISPM_GATEWAY_URL", "")
        if not url:
            raise NotConfigured("AISPM_GATEWAY_URL is not set: run under `aispm-run`, or set it to the gateway's address")
        return Gateway(url, _header_value("AISPM_API_KEY"), _header_value("AISPM_SESSION_ID"))

    def post(self, path: str, body: Mapping[str, Any], headers: Mapping[str, str], timeout: float) -> Reply:
        """Sends JSON, once. `timeout` is in seconds, for each wait on the network.

        Returns an answer below 300, raises `GatewayError` or `PolicyDenied` for the others (a redirect is not followed: it
        would carry prompts to another place), and ValueError for a body that JSON cannot hold.
        """
        content = json.dumps(body, allow_nan=False).encode()
        sent = {"content-type": "application/json", "user-agent": f"aispm-python/{__version__}", **headers}
        if self.api_key:
            sent["authorization"] = f"Bearer {self.api_key}"
        if self.session_id:
            sent["x-aispm-session"] = self.session_id
        connection, prefix = self._connect(timeout)
        try:
            connection.request("POST", prefix + path, body=content, headers=sent)
            response = connection.getresponse()
            reply = Reply(connection, response)
            if response.status >= 300:
                with reply:
                    raise _error_of(response.status, response.headers, response.read(MAX_ERROR_BYTES))
            return reply
        except (OSError, http.client.HTTPException) as problem:
            connection.close()
            raise GatewayUnavailable(f"gateway {self.url}: {problem or type(problem).__name__}") from problem

    def _connect(self, timeout: float) -> tuple[http.client.HTTPConnection, str]:
        try:
            parts = urlsplit(self.url)
            host, port = parts.hostname, parts.port
        except ValueError as problem:
            raise NotConfigured(f"AISPM_GATEWAY_URL={self.url}: {problem}") from problem
        if parts.scheme not in ("http", "https") or not host or parts.username or parts.query or parts.fragment:
            raise NotConfigured(f"AISPM_GATEWAY_URL={self.url}: must be http://host:port or https://host:port")
        kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
        return kind(host, port, timeout=timeout), parts.path.rstrip("/")


class Reply:
    """An answer whose body is still to be read. A context manager: leaving it closes the connection."""

    def __init__(self, connection: http.client.HTTPConnection, response: http.client.HTTPResponse) -> None:
        self._connection = connection
        self._response = response
        self.decision: str = response.headers.get("x-aispm-decision", "")
        self.case_id: str = response.headers.get("x-aispm-case", "")

    def __enter__(self) -> Reply:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Gives up what was not read yet. May be called again."""
        self._response.close()
        self._connection.close()

    def json(self) -> dict[str, Any]:
        """The whole body, which must be a JSON object of at most MAX_REPLY_BYTES."""
        with _breaking_off():
            body = self._response.read(MAX_REPLY_BYTES + 1)
        if len(body) > MAX_REPLY_BYTES:
            raise GatewayUnavailable(f"the answer is larger than {MAX_REPLY_BYTES} bytes")
        if self._response.length:  # a bounded read() does not complain about a body that is too short
            raise GatewayUnavailable(f"the answer broke off: {self._response.length} bytes are missing")
        return _object(body)

    def events(self) -> Iterator[dict[str, Any]]:
        """The JSON of each `data:` line of a server-sent event stream, up to its end or `[DONE]`.

        A line has at most MAX_LINE_BYTES; an `error` event is raised as `GatewayError` or `PolicyDenied`.
        """
        while True:
            with _breaking_off():
                line = self._response.readline(MAX_LINE_BYTES + 1)
            if len(line) > MAX_LINE_BYTES:
                raise GatewayUnavailable(f"a line of the stream is longer than {MAX_LINE_BYTES} bytes")
            if not line:
                return
            if not line.startswith(b"data:"):
                continue
            data = line[5:].strip()
            if data == b"[DONE]":
                return
            event = _object(data)
            if isinstance(event.get("error"), dict):
                raise error_from_body(event, 0, self.decision, self.case_id)
            yield event


def _header_value(variable: str) -> str:
    """The variable's value, checked here because the error of http.client would print a key."""
    value = os.environ.get(variable, "").strip()
    if not (value.isascii() and value.isprintable()):
        raise NotConfigured(f"{variable} holds characters that no header may have")
    return value


@contextmanager
def _breaking_off() -> Iterator[None]:
    """Makes a connection that fails half-way an error of this package."""
    try:
        yield
    except (OSError, http.client.HTTPException) as problem:
        raise GatewayUnavailable(f"the answer broke off: {problem or type(problem).__name__}") from problem


def _object(text: bytes) -> dict[str, Any]:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as problem:
        raise GatewayUnavailable(f"the answer is not JSON: {problem}") from problem
    if not isinstance(value, dict):
        raise GatewayUnavailable("the answer is not a JSON object")
    return value


def _error_of(status: int, headers: http.client.HTTPMessage, body: bytes) -> GatewayError:
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        value = None
    if not isinstance(value, dict):
        value = {"error": {"message": body[:200].decode("utf-8", "replace") or f"HTTP status {status}"}}
    return error_from_body(value, status, headers.get("x-aispm-decision", ""), headers.get("x-aispm-case", ""))


def error_from_body(body: Mapping[str, Any], status: int, decision: str, case_id: str) -> GatewayError:
    """The error in either dialect: `error.code` (OpenAI) or `error.details.error_code` (Anthropic)."""
    error = body.get("error")
    error = error if isinstance(error, dict) else {"message": str(error)}
    details = error.get("details")
    code = str(error.get("code") or (details.get("error_code") if isinstance(details, dict) else "") or "")
    message = str(error.get("message") or f"HTTP status {status}")
    if not decision and code == "aispm_deny":
        decision = "deny"
    if decision not in ("", "allow", "redact"):
        return PolicyDenied(message, status=status, code=code, decision=decision,
                            case_id=case_id or _case_in(message))
    return GatewayError(message, status=status, code=code)


def _case_in(message: str) -> str:
    """Inside a stream there are no headers any more: the gateway's sentence ends with `, case <id>`."""
    _, found, case_id = message.rpartition(", case ")
    return case_id.strip() if found else ""
