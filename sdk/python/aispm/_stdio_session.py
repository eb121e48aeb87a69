# SPDX-License-Identifier: Apache-2.0
"""One program that speaks MCP over stdio, and to whom what it says belongs."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import time
from collections import deque
from dataclasses import dataclass, field
from typing import Any

from aispm._http_server import Refusal

MAX_UNHEARD = 64  # notifications kept for a stream that is not open yet, the newest
MAX_UNREAD = 1024  # messages for a stream that is open and not read: with more it ends
STOP_SECONDS = 3.0

Message = dict[str, Any]


@dataclass
class Session:
    """One process. A message of it goes to the request it belongs to: by id, by progress token, else to the newest that waits;
    where none waits, to the session's stream (GET)."""

    id: str
    process: asyncio.subprocess.Process
    started: float = field(default_factory=time.monotonic)
    used: float = field(default_factory=time.monotonic)
    has_answered: bool = False
    waiting: dict[str, asyncio.Queue[Message | None]] = field(default_factory=dict)
    listener: asyncio.Queue[Message | None] | None = None  # the stream; there is one, the newest
    unheard: deque[Message] = field(default_factory=lambda: deque(maxlen=MAX_UNHEARD))
    tasks: set[asyncio.Task[None]] = field(default_factory=set)

    async def send(self, message: Message) -> None:
        assert self.process.stdin
        try:
            self.process.stdin.write(json.dumps(message, separators=(",", ":")).encode() + b"\n")
            await self.process.stdin.drain()
        except (ConnectionError, RuntimeError):
            raise Refusal(404, "the server's program has ended") from None

    async def take(self, message: Message) -> None:
        method = message.get("method")
        if method is None:
            queue = self.waiting.get(json.dumps(message.get("id")))
            if queue is not None:
                self.has_answered = True
                queue.put_nowait(message)
            return
        params = message.get("params")
        token = params.get("progressToken") if isinstance(params, dict) else None
        queue = self.waiting.get(json.dumps(token)) if method == "notifications/progress" else None
        if queue is None and self.waiting and method != "notifications/progress":
            queue = list(self.waiting.values())[-1]
        if queue is not None:
            queue.put_nowait(message)
        elif method == "notifications/progress":
            return  # of a request that has its answer
        elif self._tell(message):
            return
        elif "id" not in message:
            self.unheard.append(message)
        else:
            error = {"code": -32601, "message": "nobody waits whom that could be asked"}
            with contextlib.suppress(Refusal):
                await self.send({"jsonrpc": "2.0", "id": message["id"], "error": error})

    def _tell(self, message: Message) -> bool:
        """Whether there is a stream that takes it."""
        if self.listener is None:
            return False
        if self.listener.qsize() >= MAX_UNREAD:
            self.hush()
            return False
        self.listener.put_nowait(message)
        return True

    def listen(self) -> asyncio.Queue[Message | None]:
        """Opens the stream; one that was open ends."""
        self.hush()
        self.listener = asyncio.Queue()
        while self.unheard:
            self.listener.put_nowait(self.unheard.popleft())
        return self.listener

    def hush(self) -> None:
        """Ends the stream, after what it still has to tell."""
        if self.listener is not None:
            self.listener.put_nowait(None)
            self.listener = None

    async def stop(self) -> None:
        """Ends it with all it started; whoever waits is told."""
        for signal_number, seconds in ((signal.SIGTERM, STOP_SECONDS), (signal.SIGKILL, STOP_SECONDS)):
            if self.process.returncode is not None:
                break
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal_number)
            with contextlib.suppress(asyncio.TimeoutError):
                await asyncio.wait_for(self.process.wait(), seconds)
        for queue in self.waiting.values():
            queue.put_nowait(None)
        self.hush()
