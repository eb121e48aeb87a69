# SPDX-License-Identifier: Apache-2.0
"""Serves an MCP server that is a program (stdio) to the gateway (streamable HTTP), one process for each session, best in a
sandbox:

    python3 -m aispm.mcp_stdio --listen 127.0.0.1:8741 --token-file t.token -- aispm-run --offline --ro ~/notes -- notes-server

The gateway has it as a server with `origin: http://127.0.0.1:8741` and `key_file: t.token`. Only loopback is listened on, and
only who shows the token is served. What to start stands on the command line alone: no request can change it.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import hashlib
import hmac
import json
import os
import secrets
import shutil
import signal
import sys
import time
from asyncio.subprocess import PIPE
from dataclasses import dataclass
from typing import Any

from aispm._http_server import MAX_HEAD_BYTES, MAX_MESSAGE_BYTES, Refusal, Request, read_request, respond
from aispm._stdio_session import Message, Session

MAX_WAITING = 64  # requests of a session at once
PULSE_SECONDS = 60.0  # between signs of life on a stream that has nothing to tell
MAX_LINE_TO_LOG = 4096
YOUNG_SECONDS = 5.0  # a program that ends sooner, and answered nothing, has not really started
MAX_BACKOFF_SECONDS = 60.0


@dataclass
class Options:
    command: list[str]
    token: str
    sessions: int = 16
    idle_seconds: float = 600.0
    log_bytes: int = 1 << 20  # of what programs write to standard error; older text goes first
    log_path: str | None = None
    sha256: str | None = None  # of the program


class Log:
    """What programs say on standard error: a file that is begun anew when it is full (the last one is kept beside it)."""

    def __init__(self, path: str | None, limit_bytes: int) -> None:
        self._path = path
        self._limit = limit_bytes
        self._file = open(path, "ab") if path else None  # noqa: SIM115 - as long as this object

    def write(self, session: str, line: bytes) -> None:
        text = session[:8].encode() + b" " + line[:MAX_LINE_TO_LOG].rstrip(b"\n") + b"\n"
        if self._file is None or self._path is None:
            sys.stderr.buffer.write(text)
            sys.stderr.flush()
            return
        if self._file.tell() + len(text) > self._limit:
            self._file.close()
            os.replace(self._path, self._path + ".1")
            self._file = open(self._path, "ab")  # noqa: SIM115
        self._file.write(text)
        self._file.flush()


class Bridge:
    """All sessions of one program."""

    def __init__(self, options: Options) -> None:
        self._options = options
        self._log = Log(options.log_path, options.log_bytes)
        self._sessions: dict[str, Session] = {}
        self._failures = 0
        self._not_before = 0.0

    # --- processes

    def _check_program(self) -> None:
        if self._options.sha256 is None:
            return
        path = shutil.which(self._options.command[0])
        with contextlib.suppress(OSError):
            if path:
                with open(path, "rb") as file:
                    if hmac.compare_digest(hashlib.sha256(file.read()).hexdigest(), self._options.sha256.lower()):
                        return
        raise Refusal(503, "the program is not the one that was approved (--sha256)")

    async def _start(self) -> Session:
        wait = self._not_before - time.monotonic()
        if wait > 0:
            raise Refusal(503, f"the program ended at once, {self._failures} times; it is tried again in {wait:.0f} s")
        if len(self._sessions) >= self._options.sessions:
            raise Refusal(503, "too many sessions are open")
        self._check_program()
        try:
            process = await asyncio.create_subprocess_exec(
                *self._options.command, stdin=PIPE, stdout=PIPE, stderr=PIPE, limit=MAX_MESSAGE_BYTES, start_new_session=True)
        except OSError as failed:
            self._note_end(has_started=False)
            raise Refusal(503, f"the program cannot be started: {failed.strerror}") from None
        session = Session(secrets.token_urlsafe(24), process)
        self._sessions[session.id] = session
        for work in (self._read_output(session), self._read_errors(session)):
            task = asyncio.get_running_loop().create_task(work)
            session.tasks.add(task)
            task.add_done_callback(session.tasks.discard)
        return session

    def _note_end(self, has_started: bool) -> None:
        """A program that cannot start is tried more and more seldom, for everybody. Who ends one that works by what is asked of
        it ends a session of one's own: nobody else waits for that."""
        if has_started:
            self._failures = 0
            return
        self._failures += 1
        if self._failures > 1:
            self._not_before = time.monotonic() + min(2.0 ** (self._failures - 2), MAX_BACKOFF_SECONDS)

    async def _read_output(self, session: Session) -> None:
        assert session.process.stdout
        with contextlib.suppress(ValueError, asyncio.LimitOverrunError):  # a line that is too long ends it
            async for line in session.process.stdout:
                try:
                    message = json.loads(line)
                except ValueError:
                    self._log.write(session.id, b"(no JSON on standard output) " + line)
                    continue
                if isinstance(message, dict):
                    await session.take(message)
        was_open = self._sessions.pop(session.id, None) is not None
        if was_open:
            self._note_end(session.has_answered or time.monotonic() - session.started >= YOUNG_SECONDS)
        await session.stop()

    async def _read_errors(self, session: Session) -> None:
        assert session.process.stderr
        while True:
            try:
                line = await session.process.stderr.readline()
            except ValueError:
                continue  # longer than a message: left out
            if not line:
                return
            self._log.write(session.id, line)

    async def close(self, session: Session) -> None:
        self._sessions.pop(session.id, None)
        await session.stop()

    async def close_all(self) -> None:
        await asyncio.gather(*(self.close(session) for session in list(self._sessions.values())))

    async def close_idle(self) -> None:
        """For ever: ends what nobody has used for a while."""
        while True:
            await asyncio.sleep(min(self._options.idle_seconds / 4, 15.0))
            now = time.monotonic()
            for session in list(self._sessions.values()):
                if not session.waiting and session.listener is None and now - session.used >= self._options.idle_seconds:
                    await self.close(session)

    # --- HTTP

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection."""
        try:
            while await self._serve_one(reader, writer):
                pass
        except (ConnectionError, asyncio.TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            pass
        finally:
            writer.close()

    async def _serve_one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        try:
            request = await read_request(reader)
            if request is None:
                return False
            self._check(request)
            if request.method == "DELETE":
                await self.close(self._find(request))
                respond(writer, 204)
            elif request.method == "GET":
                return await self._listen(self._find(request), reader, writer)
            else:
                await self._post(request, reader, writer)
        except Refusal as refused:
            error = {"jsonrpc": "2.0", "id": None, "error": {"code": -32600, "message": str(refused)}}
            respond(writer, refused.status, json.dumps(error).encode())
        await writer.drain()
        return True

    def _check(self, request: Request) -> None:
        given = request.headers.get("authorization", "")
        if not hmac.compare_digest(given.encode(), b"Bearer " + self._options.token.encode()):
            raise Refusal(401, "this is not the token")
        if "origin" in request.headers:
            raise Refusal(403, "pages of browsers are not served")
        if request.method not in ("GET", "POST", "DELETE"):
            raise Refusal(405, "only GET, POST and DELETE are served")

    def _find(self, request: Request) -> Session:
        session = self._sessions.get(request.headers.get("mcp-session-id", ""))
        if session is None:
            raise Refusal(404, "there is no such session")
        session.used = time.monotonic()
        return session

    async def _post(self, request: Request, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            message = json.loads(request.body)
        except ValueError:
            raise Refusal(400, "this is no JSON") from None
        if not isinstance(message, dict) or message.get("jsonrpc") != "2.0":
            raise Refusal(400, "this is no JSON-RPC 2.0 message")
        method = message.get("method")
        if method == "initialize":
            session = await self._start()
        elif "mcp-session-id" not in request.headers:
            raise Refusal(400, "the Mcp-Session-Id header is missing; this server keeps sessions (initialize)")
        else:
            session = self._find(request)
        if method is None or "id" not in message:
            await session.send(message)
            respond(writer, 202)
            return
        key = json.dumps(message["id"])
        if key in session.waiting or len(session.waiting) >= MAX_WAITING:
            raise Refusal(400, "this id is in use, or too many requests wait")
        session.waiting[key] = asyncio.Queue()
        try:
            await session.send(message)
            await self._stream(session, key, writer)
        finally:
            del session.waiting[key]
            session.used = time.monotonic()

    async def _stream(self, session: Session, key: str, writer: asyncio.StreamWriter) -> None:
        """What comes for one request, as events, up to its answer."""
        respond(writer, 200, None, session.id)
        while True:
            message = await session.waiting[key].get()
            if message is None:
                error = {"code": -32603, "message": "the server's program has ended"}
                message = {"jsonrpc": "2.0", "id": json.loads(key), "error": error}
            write_chunk(writer, event_of(message))
            await writer.drain()
            if "method" not in message:
                writer.write(b"0\r\n\r\n")
                return

    async def _listen(self, session: Session, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """The session's stream, until it ends or whoever reads it has gone; whether the connection is still good."""
        queue = session.listen()
        respond(writer, 200, None, session.id)
        gone = asyncio.ensure_future(reader.read(1))  # nothing more is asked on this connection
        told: asyncio.Future[Message | None] | None = None
        try:
            while True:
                await writer.drain()
                told = told or asyncio.ensure_future(queue.get())
                awaited: set[asyncio.Future[Any]] = {gone, told}
                await asyncio.wait(awaited, timeout=PULSE_SECONDS, return_when=asyncio.FIRST_COMPLETED)
                if gone.done():
                    return False
                if not told.done():
                    write_chunk(writer, b": waiting\n\n")
                    continue
                message, told = told.result(), None
                if message is None:
                    writer.write(b"0\r\n\r\n")
                    await writer.drain()
                    return False
                write_chunk(writer, event_of(message))
        finally:
            if session.listener is queue:
                session.listener = None
            session.used = time.monotonic()
            for task in (gone, told):
                if task is not None:
                    task.cancel()


def event_of(message: Message) -> bytes:
    return b"event: message\ndata: " + json.dumps(message, separators=(",", ":")).encode() + b"\n\n"


def write_chunk(writer: asyncio.StreamWriter, data: bytes) -> None:
    writer.write(b"%x\r\n%s\r\n" % (len(data), data))


def parse_listen(text: str) -> tuple[str, int]:
    host, _, port = text.rpartition(":")
    if host not in ("127.0.0.1", "[::1]", "localhost") or not port.isdigit():
        raise argparse.ArgumentTypeError("127.0.0.1:PORT or [::1]:PORT: only this host is served")
    return host.strip("[]"), int(port)


def parse_arguments(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python3 -m aispm.mcp_stdio",
                                     description="Serves an MCP server that is a program to the AISPM gateway.")
    add = parser.add_argument
    add("--listen", required=True, type=parse_listen, metavar="127.0.0.1:PORT", help="where the gateway finds it (its `origin`)")
    add("--token-file", required=True, help="what the gateway shows (its `key_file`): 16 bytes or more, for its owner only")
    add("--sessions", type=int, default=16, help="processes at once (default 16)")
    add("--idle", type=float, default=600.0, metavar="SECONDS", help="a session that nobody uses ends (default 600)")
    add("--log", help="file for what programs write to standard error, 1 MiB and an older one (default: standard error)")
    add("--sha256", help="of the program: another one is not started")
    add("command", nargs="+", help="-- PROGRAM ARGUMENTS, best behind aispm-run")
    return parser.parse_args(arguments)


def read_token(path: str) -> str:
    if os.stat(path).st_mode & 0o077:
        raise SystemExit(f"{path}: may be read by others; chmod 600 {path}")
    with open(path, encoding="utf-8") as file:
        token = file.read().strip()
    if len(token) < 16:
        raise SystemExit(f"{path}: a token has at least 16 bytes")
    return token


async def run(options: Options, listen: tuple[str, int]) -> None:
    """Serves until SIGTERM or SIGINT, then ends all programs."""
    bridge = Bridge(options)
    over = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, over.set)
    server = await asyncio.start_server(bridge.serve, *listen, limit=MAX_HEAD_BYTES)
    idle = asyncio.get_running_loop().create_task(bridge.close_idle())
    print(f"serving at {listen[0]}:{server.sockets[0].getsockname()[1]}", flush=True)
    await over.wait()
    idle.cancel()
    server.close()
    await bridge.close_all()


def main(arguments: list[str] | None = None) -> None:
    given = parse_arguments(sys.argv[1:] if arguments is None else arguments)
    options = Options(command=given.command, token=read_token(given.token_file), sessions=given.sessions,
                      idle_seconds=given.idle, log_path=given.log, sha256=given.sha256)
    asyncio.run(run(options, given.listen))


if __name__ == "__main__":
    main()
